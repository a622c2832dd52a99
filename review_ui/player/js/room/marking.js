// Edits that say something about the episode at hand: outcome, quality, trim, segments, flags, instruction.
import { clock } from "./format.js";
import { askLabel } from "./label.js";
import { askInstruction } from "./language.js";
import { relabel, split, without } from "./segments.js";

/** A flag that was begun and ended at the same place still marks this much. */
const SHORTEST_FLAG_NS = 0.4e9;
const SHORTEST_TRIM_NS = 0.1e9;

export class Marking {
  started = null; // {label, start_ns}: a flag that waits for its end
  #labels = new Set();

  constructor(room) {
    this.room = room;
  }

  /** Another episode is shown. */
  forget() {
    this.started = null;
    this.room.screen?.timeline.setStarted(null);
  }

  /** Does what a key asks for; false where it is none of these edits. */
  act(action, argument) {
    const { room } = this;
    const act = {
      outcome: () => room.view.outcome === argument || room.commit([{ kind: "outcome", outcome: argument }]),
      score: () => room.view.score === argument || room.commit([{ kind: "score", score: argument }]),
      language: () => this.#instruction(),
      trimIn: () => this.trim([room.deck.tNs, room.range[1]]),
      trimOut: () => this.trim([room.range[0], room.deck.tNs]),
      trimSuggested: () => this.trim(room.player.suggested_trim),
      split: () => this.#split(),
      mark: () => this.#mark(argument),
    }[action];
    if (!act) return false;
    if (room.player || ["outcome", "score", "language"].includes(action)) act();
    return true;
  }

  trim(range) {
    const [start_ns, end_ns] = range.map(Math.round);
    const { trim } = this.room.view;
    if (trim && trim[0] === start_ns && trim[1] === end_ns) return;
    if (end_ns - start_ns < SHORTEST_TRIM_NS) {
      const span = `${clock(start_ns)} – ${clock(end_ns)}`;
      this.room.say(`The part that counts would end before it begins (${span}).`, "warn");
      this.room.render();
      return;
    }
    this.room.commit([{ kind: "trim", start_ns, end_ns }]);
  }

  unflag({ label, start_ns, end_ns }) {
    this.room.commit([{ kind: "flag", label, start_ns, end_ns, action: "remove" }]);
  }

  setSegments(segments) {
    if (JSON.stringify(segments) === JSON.stringify(this.room.view.segments)) return Promise.resolve(null);
    for (const { label } of segments) this.#labels.add(label);
    return this.room.commit([{ kind: "segments", segments }]);
  }

  removeSegment(index) {
    this.setSegments(without(this.room.view.segments, index));
  }

  /** Asks what is done in part `index`. */
  async label(index) {
    const { room } = this;
    const episode = room.item.id;
    room.deck.pause();
    const segment = room.view.segments[index];
    const answer = await askLabel(room.root, segment, [...this.#labels]);
    if (!answer || room.item.id !== episode) return;
    const at = room.view.segments.findIndex((each) => each.start_ns === segment.start_ns);
    if (at < 0) return;
    if (answer.remove) this.removeSegment(at);
    else if (answer.label !== segment.label || answer.outcome !== segment.outcome) {
      this.setSegments(relabel(room.view.segments, at, answer.label, answer.outcome));
    }
  }

  /** The whole counted part as one segment. */
  wholeAsOne() {
    const [start_ns, end_ns] = this.room.range;
    return this.setSegments([{ start_ns, end_ns, label: this.#usualLabel(), outcome: null }]);
  }

  /** Ends a flag that is still open where the playhead is. */
  close() {
    if (this.started) this.#mark(this.started.label);
  }

  #split() {
    const { room } = this;
    const done = split(room.view.segments, room.deck.tNs, room.range, this.#usualLabel());
    if (!done) {
      room.say("There is a border here already, or the part would be too short.", "warn");
      return;
    }
    this.setSegments(done.segments);
    this.label(done.index);
  }

  #usualLabel() {
    const { room } = this;
    const spoken = room.view.instructions.find((each) => each.spoken) ?? room.view.instructions[0];
    return spoken?.text ?? room.assignment.episode.instruction ?? room.assignment.episode.task;
  }

  #mark(label) {
    const { room } = this;
    const { tNs } = room.deck;
    if (this.started && this.started.label !== label) this.#mark(this.started.label);
    if (!this.started) {
      this.started = { label, start_ns: tNs };
      room.say(`A ${label} begins at ${clock(tNs)}; the same key again where it ends.`);
    } else {
      room.commit([{ kind: "flag", label, ...this.#flagSpan(this.started.start_ns, tNs), action: "add" }]);
      this.started = null;
    }
    room.screen.timeline.setStarted(this.started);
    room.render();
  }

  #flagSpan(from, to) {
    const [start, end] = from <= to ? [from, to] : [to, from];
    const missing = Math.max(0, SHORTEST_FLAG_NS - (end - start));
    const last = this.room.player.duration_ns;
    const end_ns = Math.min(last, Math.round(end + missing / 2));
    return { start_ns: Math.max(0, Math.min(Math.round(start - missing / 2), end_ns - 1)), end_ns };
  }

  async #instruction() {
    const { room } = this;
    room.deck.pause();
    const episode = room.item.id;
    const annotation = await askInstruction(room.root, room.view.instructions);
    if (annotation && room.item.id === episode) room.commit([annotation]);
  }
}
