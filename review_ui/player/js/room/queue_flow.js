// Review and Segments: from one episode of the queue to the next.
import { ApiError } from "./api.js";
import { countedRange } from "./edits.js";
import { Deciding, takenBack } from "./deciding.js";
import { count } from "./format.js";
import { WorkQueue } from "./queue.js";

const LOOK_AGAIN_MS = 10_000;
const FLUSH_MS = 3_000;
const NOTHING = {
  review: "Every episode that is free has its verdict. New ones show up here by themselves.",
  segments: "Every approved episode that is free has its segments.",
};

export class QueueFlow {
  queued = true;
  #done = 0;
  #moving = false;
  #unwarned = null;
  #timer = null;
  #left = () => this.queue.releaseAll();

  constructor(room, { mode, episodeId, tNs, filter, compare }) {
    Object.assign(this, { room, mode, episodeId, tNs, compare });
    this.deciding = new Deciding(room);
    this.queue = new WorkQueue(room.api, {
      queue: mode,
      filter,
      activity: room.activity,
      fetched: (item) => this.#preload(item),
      lost: (error) => room.say(
        `${error.message}; finish with N, or go on: your edits are checked when saved.`,
        "warn",
      ),
    });
    window.addEventListener("pagehide", this.#left);
  }

  dispose() {
    clearTimeout(this.#timer);
    window.removeEventListener("pagehide", this.#left);
    this.queue.dispose();
  }

  get words() {
    return this.#done > 0 ? `${count(this.#done, "episode")} done` : "";
  }

  /** The linked episode first, unless its verdict was on the way when the page was left. */
  async start() {
    const { room, episodeId } = this;
    const decided = episodeId && room.log.pending(episodeId).some(hasVerdict);
    if (room.log.waiting > 0) await room.log.flushed(FLUSH_MS);
    if (episodeId && !decided) await this.goto(episodeId, this.tNs);
    else await this.next();
  }

  /** Takes one episode out of order; without a time it plays. */
  async goto(id, tNs = null, play = tNs === null) {
    try {
      await this.room.show(await this.queue.take(id), { at: tNs, play });
    } catch (error) {
      this.#failed(error, () => this.goto(id, tNs, play));
    }
  }

  /** Shows the next episode, or that there is none. */
  async next() {
    if (this.#moving) return;
    this.#moving = true;
    clearTimeout(this.#timer);
    this.room.deck.pause();
    try {
      const item = await this.queue.advance();
      if (!item) this.#empty();
      else {
        this.room.show(item, { play: true }).catch((error) => this.#failed(error, () => this.next()));
        this.#confirm(item);
      }
    } catch (error) {
      this.#failed(error, () => this.next());
    } finally {
      this.#moving = false;
    }
  }

  /** Does what a key asks for; false where it is nothing of the flow's. */
  act(action) {
    const act = {
      approve: () => this.#approve(),
      reject: () => this.#reject(),
      skip: () => this.#skip(),
      undo: () => this.#undo(),
    }[action];
    if (!act) return false;
    act().catch((error) => this.#failed(error, () => this.next()));
    return true;
  }

  /** Saves a verdict, then shows the next episode; stays where it was not saved. */
  async decide(verdict) {
    const document = await this.deciding.settle(() => this.room.commit([this.deciding.timed(verdict)]));
    if (!document) return;
    this.#done += 1;
    this.room.say(
      verdict.decision === "approve" ? "Approved" : `Rejected: ${verdict.reason}`,
      verdict.decision === "approve" ? "good" : "bad",
    );
    await this.next();
  }

  async #approve() {
    if (!this.room.item) return;
    if (this.mode === "segments") await this.#segmented();
    else if (this.deciding.sawTheEnd()) await this.decide({ kind: "verdict", decision: "approve", reason: "" });
  }

  async #segmented() {
    const { room } = this;
    if (room.view.segments.length === 0 && this.#unwarned !== room.item.id) {
      this.#unwarned = room.item.id;
      room.say("No segments yet: B splits at the playhead. A again saves the whole as one.", "warn");
      return;
    }
    const saved = room.view.segments.length > 0 ? room.log.flushed() : room.marking.wholeAsOne();
    if ((await this.deciding.settle(() => saved)) === null) return;
    this.#done += 1;
    room.say("Segments saved", "good");
    await this.next();
  }

  async #reject() {
    if (!this.room.item || this.room.busy) return;
    const reason = await this.deciding.reason();
    if (reason) await this.decide({ kind: "verdict", decision: "reject", reason });
  }

  async #skip() {
    if (this.room.busy) return;
    this.queue.skip();
    this.room.say("Skipped");
    await this.next();
  }

  async #undo() {
    const { room } = this;
    if (room.busy) return;
    const document = await room.log.add("undo-last", null, null, {});
    if (!document) return;
    room.say(takenBack(document));
    if (document.episode.id === room.item?.id) return;
    this.#done = Math.max(0, this.#done - 1);
    await this.goto(document.episode.id, null, false);
  }

  /** What was fetched ahead may have changed since, or its lease have run out. */
  async #confirm(item) {
    const known = item.assignment.revision;
    try {
      const document = await this.room.api.claim(item.id);
      if (this.room.item !== item) return;
      this.room.take(document);
      const changed = document.history.filter((line) => line.revision > known && !line.mine);
      if (changed.length > 0) this.room.say(
        `${changed.at(-1).author} ${changed.at(-1).what}, just before you came`,
        "warn",
      );
    } catch (error) {
      if (this.room.item === item && error.kind === "held") this.#failed(error, () => this.next());
      else if (!(error instanceof ApiError)) throw error;
    }
  }

  #preload(item) {
    item.player.then((player) => {
      if (!player.fault) this.room.deck.preload(player, { at: countedRange(item.assignment.view, player)[0] });
    });
  }

  #empty() {
    const { room } = this;
    room.leave();
    const skipped = this.queue.skipped;
    const again = [
      `Offer the ${count(skipped, "skipped episode")} again`,
      null,
      () => { this.queue.unskip(); this.next(); },
    ];
    room.screen.say({
      alone: true,
      title: this.#done > 0 ? `Done: ${count(this.#done, "episode")}` : "Nothing waits for you",
      words: NOTHING[this.mode],
      actions: [...(skipped > 0 ? [again] : []), ["Look again", null, () => this.next()]],
    });
    this.#timer = setTimeout(() => this.next(), LOOK_AGAIN_MS);
  }

  #failed(error, again) {
    if (!(error instanceof ApiError)) throw error;
    if (error.kind === "held") {
      this.room.leave();
      this.room.screen.say({
        alone: true,
        title: "Somebody else has this episode",
        words: error.message,
        actions: [["Take the next one", "N", () => this.next()]],
      });
    } else {
      if (error.kind !== "signed-out") this.room.leave();
      this.room.trouble(error, again);
    }
  }
}

function hasVerdict({ action, body }) {
  return action === "annotations" && body.annotations.some((annotation) => annotation.kind === "verdict");
}
