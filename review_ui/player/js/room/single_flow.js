// View and Adjudicate: one given episode, without the queue.
import { ApiError } from "./api.js";
import { Deciding, takenBack } from "./deciding.js";

export class SingleFlow {
  queued = false;
  words = "";

  constructor(room, { mode, episodeId, tNs, compare }) {
    Object.assign(this, { room, mode, episodeId, tNs, compare });
    this.deciding = new Deciding(room);
  }

  dispose() {}

  async start() {
    if (this.episodeId) await this.goto(this.episodeId, this.tNs);
    else this.room.screen.say({ alone: true, title: "No episode is chosen", words: "Choose one from the list." });
  }

  async goto(id, tNs = null) {
    const { room } = this;
    try {
      const assignment = await room.api.episode(id);
      await room.show({ id, assignment, player: room.api.playerDoc(id) }, { at: tNs, play: false });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      room.trouble(error, () => this.goto(id, tNs));
    }
  }

  act(action) {
    const act = {
      approve: () => this.#approve(),
      reject: () => this.#reject(),
      undo: () => this.#undo(),
      skip: () => {},
    }[action];
    if (!act) return false;
    if (this.room.item) act();
    return true;
  }

  async decide(verdict) {
    const { room } = this;
    const document = await this.deciding.settle(
      () => (this.mode === "adjudicate" ? this.#adjudicate(verdict) : room.commit([this.deciding.timed(verdict)])),
    );
    if (document) room.say(
      verdict.decision === "approve" ? "Approved" : `Rejected: ${verdict.reason}`,
      verdict.decision === "approve" ? "good" : "bad",
    );
  }

  #adjudicate({ decision, reason }) {
    const { room } = this;
    const { adopt } = room.screen.rail;
    return room.log.add(
      "adjudicate",
      room.item.id,
      room.assignment.revision,
      { decision, reason, ...(adopt ? { adopt } : {}) },
    );
  }

  async #approve() {
    if (this.deciding.sawTheEnd()) await this.decide({ kind: "verdict", decision: "approve", reason: "" });
  }

  async #reject() {
    const reason = await this.deciding.reason();
    if (reason) await this.decide({ kind: "verdict", decision: "reject", reason });
  }

  async #undo() {
    const { room } = this;
    const document = await room.log.add("undo", room.item.id, room.assignment.revision, {});
    if (document) room.say(takenBack(document));
  }
}
