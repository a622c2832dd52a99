// One episode on the screen: what is known of it, what is said about it, and what the keys do.
import { createDeck } from "../engine/deck.js";
import { publishHook } from "../engine/hook.js";
import { Activity } from "./activity.js";
import { Address } from "./address.js";
import { ApiError } from "./api.js";
import { callbacksOf } from "./callbacks.js";
import { CommitLog } from "./commits.js";
import { Coverage } from "./coverage.js";
import { apply, countedRange } from "./edits.js";
import { clamp } from "./format.js";
import { showHelp } from "./help.js";
import { listen } from "./keys.js";
import { Marking } from "./marking.js";
import { awaitProxies } from "./player_docs.js";
import { settleRefused } from "./refusals.js";
import { Screen } from "./screen.js";
import { keepRate, nextRate, usualRate } from "./speed.js";
import { follow } from "./theme.js";

const SECOND_NS = 1e9;
const ASK_AGAIN_MS = 3_000;
const LONGEST_WAIT_MS = 1_000;
const MARKS_TIME = new Set(["trimIn", "trimOut", "split", "mark"]);

/**
 * mode: "review", "segments", "view" or "adjudicate". The flow decides which episode is shown and what
 * a verdict leads to; the room shows it and takes the edits.
 */
export class Room {
  item = null; // {id, assignment, player: Promise<PlayerDoc>}
  player = null;
  range = [0, 0];
  suggested = true;
  busy = false;
  #coverages = new Map();
  #shown = new AbortController();
  #keys = [];
  #arrival = null;
  #goal = null; // where a seek that is not shown yet leads
  #asked = 0;

  constructor(root, { api, me, mode, flow, emit }) {
    Object.assign(this, { root, api, me, mode, emit });
    this.activity = new Activity();
    this.address = new Address();
    this.log = new CommitLog(api, me.name, {
      change: () => this.#logChanged(),
      saved: (operation, document) => this.#saved(document),
      refused: () => settleRefused(this),
    });
    this.marking = new Marking(this);
    this.flow = flow(this);
    this.screen = new Screen(root, callbacksOf(this));
    this.deck = createDeck({
      main: this.screen.main,
      strip: this.screen.strip,
      onTime: (tNs) => this.#at(tNs),
      onState: (state) => this.screen.setPlaying(state.playing, state.rate),
    });
    this.deck.rate = usualRate();
    this.screen.setPlaying(false, this.deck.rate);
    root.addEventListener("click", this.#clicked);
    this.wake();
    this.unfollow = follow(root, () => this.screen.curves.draw());
    this.#logChanged();
  }

  /** After a click with the mouse the keys are the room's again: Space plays, and does not press the button anew. */
  #clicked = (event) => {
    const pressed = event.detail > 0 && event.target.closest("button") && !event.target.closest("dialog");
    if (pressed) this.root.focus({ preventScroll: true });
  };

  async start() {
    this.log.start();
    await this.flow.start();
    this.takeFocus();
  }

  dispose() {
    this.#shown.abort();
    this.root.removeEventListener("click", this.#clicked);
    this.unlisten();
    this.unpublish();
    this.unfollow();
    this.flow.dispose();
    this.activity.dispose();
    this.address.dispose();
    this.log.dispose();
    this.screen.dispose();
    this.deck.dispose();
  }

  /** Lets another listener have the keys, until wake(). */
  rest() {
    this.unlisten();
    this.unpublish();
    this.root.classList.add("resting");
  }

  wake() {
    this.root.classList.remove("resting");
    this.unlisten = listen(this.root, (action, argument) => this.act(action, argument));
    this.unpublish = publishHook(this.deck, this.#facts());
    this.takeFocus();
  }

  /** Whether the page's naming an episode is an echo of what was shown here. */
  knows(id) {
    return this.item?.id === id || (this.flow.queued && this.#coverages.has(id));
  }

  takeFocus() {
    const { activeElement } = document;
    if (!activeElement || activeElement === document.body) this.root.focus({ preventScroll: true });
  }

  // ---- showing an episode

  /** Shows an item of the flow; resolves with its first pictures. at: ns; without it, where the counted part begins. */
  async show(item, { at = null, play = false } = {}) {
    this.#shown.abort();
    const shown = new AbortController();
    this.#shown = shown;
    this.#asked = performance.now();
    this.item = item;
    this.player = null;
    this.marking.forget();
    this.activity.on(item.id);
    this.address.set(item.id, at);
    this.emit(item.id);
    this.screen.say({ title: "Loading", busy: true, over: true });
    this.render();
    const player = await this.#fetched(item, shown.signal);
    if (shown.signal.aborted || !player) return;
    this.player = player;
    this.screen.setCameras(player.cameras);
    this.screen.timeline.setEpisode(player);
    this.screen.curves.setEpisode(player.lanes, player.duration_ns);
    this.render();
    this.coverage.leap();
    await this.deck.load(player, { at: at ?? this.range[0] });
    if (shown.signal.aborted) return;
    this.screen.say(null);
    this.firstFrameMs = performance.now() - this.#asked;
    this.deck.setRange(this.range);
    if (play) this.deck.play();
    else this.address.show(item.id, this.deck.tNs);
    awaitProxies(this.api, player, shown.signal, (doc) => this.deck.refresh(doc));
  }

  /** Shows no episode. */
  leave() {
    this.#shown.abort();
    this.#shown = new AbortController();
    this.deck.pause();
    this.item = null;
    this.player = null;
    this.marking.forget();
    this.activity.on(null);
    this.address.set(null, null);
  }

  async #fetched(item, signal) {
    try {
      const player = await item.player;
      if (!player.fault) return player;
      this.#faulty(player.fault);
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof ApiError)) throw error;
      if (error.kind === "bad-episode") this.#faulty(error.message);
      else this.trouble(
        error,
        () => this.show({ ...item, player: this.api.playerDoc(item.id) }, { play: this.flow.queued }),
      );
    }
    return null;
  }

  #faulty(fault) {
    const reject = [
      "Reject as data fault",
      null,
      () => this.flow.decide({ kind: "verdict", decision: "reject", reason: "data fault" }),
    ];
    const skip = ["Skip", "N", () => this.act("skip", null)];
    this.screen.say({
      title: "This episode cannot be shown",
      words: fault,
      tone: "bad",
      actions: this.flow.queued ? [reject, skip] : [reject],
    });
  }

  /** Nothing to show, and what to do about it. */
  trouble(error, again) {
    const alone = this.item === null;
    if (error.kind === "signed-out") {
      this.screen.say({
        alone,
        title: "You are signed out",
        words: "What you said and is not saved yet is kept in this browser.",
        tone: "bad",
        link: ["Sign in", window.location.href],
      });
    } else if (error.kind === "gone") {
      this.screen.say({
        alone,
        title: "The server does not answer",
        words: "What you said is kept in this browser and sent as soon as it answers. Trying again.",
        tone: "bad",
        actions: [["Try now", null, again]],
      });
      this.#later(again);
    } else {
      this.screen.say({
        alone,
        title: "That did not work",
        words: error.message,
        tone: "bad",
        actions: [["Try again", null, again]],
      });
    }
  }

  #later(again) {
    const { signal } = this.#shown;
    setTimeout(() => signal.aborted || again(), ASK_AGAIN_MS);
  }

  // ---- what holds now

  get assignment() {
    return this.item?.assignment ?? null;
  }

  /** The server's view with what waits to be saved on top. */
  get view() {
    const waiting = this.log.pending(this.item.id).filter((operation) => operation.action === "annotations");
    return waiting.flatMap((operation) => operation.body.annotations).reduce(apply, this.assignment.view);
  }

  /** What of the episode at hand was seen. */
  get coverage() {
    if (!this.#coverages.has(this.item.id)) this.#coverages.set(this.item.id, new Coverage());
    return this.#coverages.get(this.item.id);
  }

  render() {
    if (!this.item) return;
    const { view } = this;
    this.range = countedRange(view, this.player);
    this.suggested = view.trim === null;
    this.deck.setRange(this.player ? this.range : null);
    this.screen.setFacts({ episode: this.assignment.episode, view }, this.flow.words);
    this.screen.timeline.render(view, this.range, this.suggested);
    this.screen.rail.render({
      assignment: this.assignment,
      view,
      player: this.player,
      range: this.range,
      suggested: this.suggested,
      mode: this.mode,
      queue: this.flow.queued,
      busy: this.busy,
      started: this.marking.started,
    });
  }

  setBusy(busy) {
    this.busy = busy;
    this.render();
  }

  /** A document from the server takes the place of an older one. */
  take(document) {
    if (this.item?.id !== document.episode.id || document.revision < this.assignment.revision) return;
    this.item.assignment = document;
    this.render();
  }

  // ---- saying something

  /** Sends annotations; resolves to the document that acknowledged them, or null where they were dropped. */
  commit(annotations) {
    return this.log.add("annotations", this.item.id, this.assignment.revision, { annotations });
  }

  say(words, tone) {
    this.screen.toasts.say(words, tone);
  }

  #saved(document) {
    if (document) this.take(document);
  }

  #logChanged() {
    if (!this.screen) return;
    const { waiting, trouble, refused, foreign } = this.log;
    this.screen.saved.render({ waiting, trouble, refused: refused.length, foreign });
    this.render();
  }

  // ---- the keys and buttons

  /** Does what a key asks for, in the order of the keys; one that marks a time waits until the pictures are there. */
  async act(action, argument) {
    this.#keys.push([action, argument]);
    if (this.#keys.length > 1) return;
    while (this.#keys.length > 0) {
      const [next, its] = this.#keys[0];
      if (MARKS_TIME.has(next) && this.deck.pending && !this.deck.playing) await this.#arrival;
      this.#keys.shift();
      this.#do(next, its);
    }
  }

  #do(action, argument) {
    if (action === "help") return showHelp(this.root);
    if (this.flow.act(action, argument)) return undefined;
    if (!this.item) return undefined;
    if (this.marking.act(action, argument)) return undefined;
    return this.player ? this.#transport(action, argument) : undefined;
  }

  #transport(action, argument) {
    switch (action) {
      case "toggle":
        return this.deck.playing ? this.deck.pause() : this.deck.play();
      case "step":
        return this.#arriving(this.deck.step(argument));
      case "leap":
        return this.seek((this.#goal ?? this.deck.tNs) + argument * SECOND_NS);
      case "speed":
        return this.#speed(argument);
      default:
        return undefined;
    }
  }

  seek(tNs) {
    this.coverage.leap();
    const goal = clamp(tNs, 0, this.player.duration_ns);
    this.#goal = goal;
    return this.#arriving(this.deck.seek(goal)).finally(() => {
      if (this.#goal === goal) this.#goal = null;
    });
  }

  #arriving(shown) {
    this.#arrival = Promise.race([shown, new Promise((resolve) => setTimeout(resolve, LONGEST_WAIT_MS))]);
    return shown;
  }

  #speed(direction) {
    this.deck.rate = nextRate(this.deck.rate, direction);
    this.screen.setPlaying(this.deck.playing, this.deck.rate);
    keepRate(this.deck.rate);
  }

  #at(tNs) {
    if (!this.player) return;
    this.coverage.at(tNs, this.deck.playing);
    this.screen.setTime(tNs, this.player.duration_ns);
    if (!this.deck.playing) this.address.show(this.item.id, tNs);
  }

  /** What the test hook tells on top of the deck's own. */
  #facts() {
    const room = this;
    return {
      get episode() { return room.item?.id ?? null; },
      get revision() { return room.assignment?.revision ?? 0; },
      get ready() { return room.player !== null && !room.deck.pending; },
      get waiting() { return room.log.waiting; },
      get range() { return [...room.range]; },
      get firstFrameMs() { return room.firstFrameMs ?? null; },
    };
  }
}
