// What happens to edits that the server refused: each is said again or dropped, as the reviewer wants.
import { askRefused } from "./stale.js";

const asking = new WeakSet();

/** Asks about each refused edit of the room's log in turn. */
export async function settleRefused(room) {
  if (asking.has(room)) return;
  asking.add(room);
  try {
    while (room.log.refused.length > 0) await settle(room, room.log.refused[0]);
  } finally {
    asking.delete(room);
  }
}

async function settle(room, operation) {
  const { episode, refusal, action } = operation;
  if (action.startsWith("undo") && refusal.kind !== "stale") {
    room.log.drop(episode);
    room.say(refusal.message, "warn");
    return;
  }
  room.deck.pause();
  const document = await room.api.episode(episode).catch(() => null);
  if (document) room.take(document);
  const short = room.item?.id === episode ? "this episode" : `episode ${document?.episode.short ?? episode}`;
  const answer = await askRefused(room.root, { refusal, operations: room.log.pending(episode), short });
  const newest = document?.revision ?? refusal.revision ?? operation.body.seen_revision;
  if (answer === "repeat") room.log.repeat(episode, newest);
  else if (answer === "drop") room.log.drop(episode);
}
