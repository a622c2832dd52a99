// What every flow asks before a verdict: the end was seen, there is a reason.
import { askReason } from "./reasons.js";

const LAST_NS = 2e9;
const SLOW_MS = 1_500;

export class Deciding {
  #warned = null;

  constructor(room) {
    this.room = room;
  }

  /** Whether the end of the counted part was seen; else says so, and at the second time shows it. */
  sawTheEnd() {
    const { room } = this;
    if (!room.player) {
      room.say("What cannot be shown cannot be approved.", "warn");
      return false;
    }
    const [start, end] = room.range;
    const from = Math.max(start, end - LAST_NS);
    const missing = room.coverage.missing(from, end);
    if (missing === 0) return true;
    if (this.#warned === room.item.id) {
      this.#warned = null;
      room.seek(from).then(() => room.deck.play());
    } else {
      this.#warned = room.item.id;
      room.say(
        `To approve, see the last 2 s: ${(missing / 1e9).toFixed(1)} s are missing. A again shows them.`,
        "warn",
      );
    }
    return false;
  }

  /** The reason to reject the episode at hand, or undefined. */
  async reason() {
    const { room } = this;
    const episode = room.item.id;
    room.deck.pause();
    const reason = await askReason(room.root, room.assignment.rejection_reasons);
    return room.item.id === episode ? reason : undefined;
  }

  /** Sends a verdict and waits for it; null where it was refused and dropped. `send` gives the promise. */
  async settle(send) {
    const { room } = this;
    if (room.busy) {
      room.say("Your verdict is being saved; the next episode follows.");
      return null;
    }
    room.marking.close();
    room.setBusy(true);
    const slow = setTimeout(
      () => room.say("Not saved yet: your verdict is kept and sent as soon as the server answers.", "warn"),
      SLOW_MS,
    );
    try {
      return await send();
    } finally {
      clearTimeout(slow);
      room.setBusy(false);
    }
  }

  /** A verdict as it is sent, with the active seconds it took. */
  timed(verdict) {
    return { ...verdict, spent_s: this.room.activity.spent(this.room.item.id) };
  }
}

/** The word that an undo took back, from the history that came with it. */
export function takenBack(document) {
  const line = [...document.history].reverse().find((each) => each.mine && each.undone);
  return line ? `Taken back: you ${line.what}` : "Taken back";
}
