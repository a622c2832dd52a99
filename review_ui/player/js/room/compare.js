// Two episodes side by side on the same elapsed time, their curves over each other.
import { createDeck } from "../engine/deck.js";
import { publishHook } from "../engine/hook.js";
import { place } from "./cameras.js";
import { Curves } from "./curves.js";
import { countedRange } from "./edits.js";
import { el, keycap } from "./element.js";
import { clamp, clock, length } from "./format.js";
import { showHelp } from "./help.js";
import { listen } from "./keys.js";
import { notice } from "./notice.js";
import { nextRate } from "./speed.js";
import { follow } from "./theme.js";
import { Timeline } from "./timeline.js";

const SECOND_NS = 1e9;
const FIRST_RATE = 1;
const LINES = ["solid curves", "dashed curves"];

export class Compare {
  #goal = null; // where a seek that is not shown yet leads

  /** tNs: where to begin; `back`: what the Back button does, none without. */
  constructor(root, { api, ids, tNs = 0, back = null }) {
    Object.assign(this, { root, api, ids, tNs, back });
    this.sides = [this.#side("first"), this.#side("second")];
    this.clock = el("output", { class: "clock", "aria-label": "Time" });
    this.toggles = el("div", { class: "toggles", role: "group", "aria-label": "Curves shown" });
    const seek = (tNs) => this.seek(tNs);
    this.timeline = new Timeline({
      seek,
      scrub: seek,
      trim() {},
      segments() {},
      unsegment() {},
      pick() {},
      unflag() {},
    });
    this.timeline.element.classList.add("read-only");
    this.curves = new Curves(this.timeline.lanes, this.toggles, root);
    this.play = el("button", { type: "button", class: "chip", onclick: () => this.#toggle() }, "Play", keycap("Space"));
    const bar = el(
      "div",
      { class: "transport" },
      this.play,
      this.clock,
      el("span", { class: "grow" }),
      this.toggles,
      back ? el("button", { type: "button", class: "button", onclick: back }, "Back") : null,
    );
    this.message = el("div", { class: "message" }, notice({ title: "Loading both episodes", busy: true }));
    this.element = el(
      "div",
      { class: "compare" },
      el("div", { class: "sides" }, this.sides.map((side) => side.element)),
      bar,
      this.timeline.element,
      this.message,
    );
    root.append(this.element);
    this.decks = this.sides.map(
      (side, i) => createDeck({
        main: side.main,
        strip: side.strip,
        onTime: i === 0 ? (tNs) => this.#at(tNs) : undefined,
        onState: i === 0 ? (state) => this.#state(state) : undefined,
      }),
    );
    for (const deck of this.decks) deck.rate = FIRST_RATE;
    this.resized = new ResizeObserver(() => this.#fit());
    this.resized.observe(this.element);
    this.unpublish = publishHook(this.decks[0], this.#facts());
    this.unlisten = listen(root, (action, argument) => this.#act(action, argument));
    this.unfollow = follow(root, () => this.curves.draw());
  }

  async start() {
    try {
      const both = await Promise.all(
        this.ids.map(async (id) => Promise.all([this.api.episode(id), this.api.playerDoc(id)])),
      );
      const [[, a], [, b]] = both;
      this.duration = Math.max(a.duration_ns, b.duration_ns);
      both.forEach(
        ([assignment, player], i) => this.sides[i].facts.replaceChildren(
          ...factsOf(assignment, player, LINES[i], (tNs) => this.seek(tNs)),
        ),
      );
      const longest = { ...a, duration_ns: this.duration };
      this.timeline.setEpisode(longest);
      this.timeline.render(both[0][0].view, countedRange(both[0][0].view, a), both[0][0].view.trim === null);
      this.curves.setEpisode(a.lanes, this.duration, b.lanes);
      const begin = Math.max(this.tNs, firstPicture(a), firstPicture(b));
      await Promise.all(this.decks.map((deck, i) => deck.load(both[i][1], { at: begin })));
      this.players = [a, b];
      this.#fit();
      this.message.hidden = true;
      this.#at(begin);
    } catch (error) {
      this.message.replaceChildren(
        notice({
          title: "These two cannot be compared",
          words: error.message,
          tone: "bad",
          actions: this.back ? [["Back", null, this.back]] : [],
        }),
      );
    }
  }

  dispose() {
    this.unlisten();
    this.unpublish();
    this.resized.disconnect();
    this.unfollow();
    this.curves.dispose();
    this.timeline.dispose();
    for (const deck of this.decks) deck.dispose();
    this.element.remove();
  }

  #fit() {
    this.sides.forEach(
      (side, i) => this.players && place(
        side.stage,
        this.players[i].cameras,
        side.main.querySelector(".tl-camera")?.dataset.camera,
      ),
    );
  }

  #facts() {
    const compare = this;
    return {
      get episode() { return compare.ids[0]; },
      get other() { return { id: compare.ids[1], shown: compare.decks[1].shown, tNs: compare.decks[1].tNs }; },
      get ready() { return compare.message.hidden; },
    };
  }

  seek(tNs) {
    this.#goal = clamp(tNs, 0, this.duration);
    const goal = this.#goal;
    return Promise.all(this.decks.map((deck) => deck.seek(goal))).then(() => {
      if (this.#goal === goal) this.#goal = null;
    });
  }

  #side(name) {
    const main = el("div", { class: "main-camera" });
    const strip = el("div", { class: "strip" });
    const facts = el("div", { class: "side-facts" });
    const stage = el("div", { class: "stage" }, main, strip);
    return {
      main,
      strip,
      stage,
      facts,
      element: el("section", { class: "side", "aria-label": `The ${name} episode` }, stage, facts),
    };
  }

  #act(action, argument) {
    const [deck] = this.decks;
    const act = {
      toggle: () => this.#toggle(),
      step: async () => {
        await deck.step(argument);
        this.decks[1].pause();
        await this.decks[1].seek(deck.tNs);
      },
      leap: () => this.seek((this.#goal ?? deck.tNs) + argument * SECOND_NS),
      speed: () => this.#speed(argument),
      help: () => showHelp(this.root),
    }[action];
    act?.();
  }

  async #toggle() {
    const [a, b] = this.decks;
    if (a.playing) {
      for (const deck of this.decks) deck.pause();
      await b.seek(a.tNs);
      return;
    }
    await b.seek(a.tNs);
    for (const deck of this.decks) deck.play(a.rate);
  }

  #speed(direction) {
    const rate = nextRate(this.decks[0].rate, direction);
    for (const deck of this.decks) deck.rate = rate;
  }

  #at(tNs) {
    if (!this.duration) return;
    this.timeline.setTime(tNs);
    this.curves.setTime(tNs);
    this.clock.textContent = `${clock(tNs)} / ${clock(this.duration)}`;
  }

  #state({ playing, rate }) {
    this.play.replaceChildren(playing ? "Pause" : "Play", keycap("Space"), ` ${rate}×`);
  }
}

/** When every camera has shown something. */
function firstPicture({ cameras }) {
  return Math.max(0, ...cameras.map((camera) => camera.t_ns[0] ?? 0));
}

function factsOf({ episode, view }, { risks }, line, seek) {
  return [
    el(
      "p",
      {},
      el("strong", {}, episode.short),
      ` ${episode.task} · ${length(episode.duration_ns)} · ${episode.operator} `,
      el("span", { class: `pill ${view.status}` }, view.status),
      el("span", { class: "soft" }, ` ${line}`),
    ),
    el(
      "ul",
      { class: "reasons" },
      risks.slice(0, 3).map(
        (risk) => el(
          "li",
          {},
          el(
            "button",
            { type: "button", class: "reason", onclick: () => seek(risk.start_ns) },
            el("time", {}, clock(risk.start_ns)),
            risk.message,
          ),
        ),
      ),
    ),
  ];
}
