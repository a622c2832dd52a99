import { advance } from "./clock.js";
import { Reel } from "./reel.js";
import { OvertakenError } from "./source.js";
import { Stage } from "./stage.js";
import { stepFrom } from "./step.js";

const EXACT_AFTER_MS = 80;
const PRELOADED = 2;
const STEP_WITHOUT_CAMERA_NS = 1e9 / 30;
const RATES = [0.25, 4];

/**
 * The deck: shows all cameras of one episode at one recorded time; plays, seeks and steps.
 *
 * A camera's frame at t is the newest one with t_ns[i] <= t. All cameras are drawn together from the same t; while
 * playing, the playhead waits rather than show one camera behind another.
 *
 * @typedef {import("./types.js").PlayerDoc} PlayerDoc
 * @typedef {import("./types.js").Shown} Shown
 * @typedef {import("./types.js").DeckState} DeckState
 *
 * @typedef {object} DeckOptions
 * @property {HTMLElement} main  receives the large camera's tile
 * @property {HTMLElement} strip  receives the other cameras' tiles
 * @property {(tNs: number) => void} [onTime]  after every draw
 * @property {(shown: Shown) => void} [onShown]  after every draw
 * @property {(state: DeckState) => void} [onState]  on every change of state
 *
 * @typedef {object} Deck
 * @property {(doc: PlayerDoc, options?: {at?: number, main?: string}) => Promise<void>} load  resolves when every
 *     camera shows its frame at `at` (default 0), paused, with the range at its whole; a load that a newer one
 *     overtakes resolves too
 * @property {(doc: PlayerDoc, options?: {at?: number}) => Promise<void>} preload  decodes the group of pictures at
 *     `at`, so that load() with the same `at` shows it at once; the two newest are kept
 * @property {(doc: PlayerDoc) => void} refresh  a newer document of the episode on the deck: takes up proxies that have
 *     been made meanwhile, without moving
 * @property {(tNs: number) => Promise<void>} seek  resolves when every camera shows its frame at tNs, or at a newer
 *     target; keeps playing or pausing as it was; clamped to the episode
 * @property {(frames: number) => Promise<void>} step  moves the main camera by exactly so many frames and pauses;
 *     further steps add to those not shown yet
 * @property {(rate?: number) => void} play  0.25 to 4; at the range's end or outside of it starts at the range's start
 * @property {() => void} pause
 * @property {(camera: string) => void} setMain
 * @property {(range: [number, number] | null) => void} setRange  play inside; null: the whole episode
 * @property {() => void} dispose  releases decoders, pictures, tiles and listeners
 * @property {number} rate  settable, also while playing
 * @property {boolean} playing  read-only
 * @property {boolean} exact  read-only: every picture is the recorded JPEG
 * @property {boolean} pending  read-only: a load, seek or step is not shown yet
 * @property {number} tNs  read-only: the time shown
 * @property {Shown} shown  read-only
 * @property {string} main  read-only: the large camera's name
 * @property {string[]} cameras  read-only, in the document's order
 * @property {Record<string, string>} notes  read-only: per camera what it says over or instead of its picture, e.g.
 *     "no frame yet"
 * @property {Record<string, string>} sources  read-only: per camera "webcodecs", "video" or "jpeg"
 */

/**
 * Tiles are `<figure class="tl-camera" data-camera=NAME>` holding `<canvas>`, `<figcaption class="tl-camera-name">` and
 * `<p class="tl-camera-note" hidden>`; the figure gets class `tl-camera-main` in the main place, `tl-camera-fault` with
 * a fault. A click on a tile in the strip makes it the main one.
 *
 * @param {DeckOptions} options
 * @returns {Deck}
 */
export function createDeck(options) {
  return new ReelDeck(options);
}

/** @implements {Deck} */
class ReelDeck {
  playing = false;
  exact = false;
  tNs = 0;
  /** @type {Shown} */
  shown = {};
  #options;
  #stage;
  /** @type {Reel | null} */
  #reel = null;
  /** @type {Map<string, Reel>} the oldest first */
  #preloaded = new Map();
  /** @type {[number, number] | null} */
  #range = null;
  #rate = 1;
  #waiting = false;
  /** @type {number | null} the newest time asked for that is not shown yet */
  #goal = null;
  /** @type {1 | -1 | 0} which way the last step went */
  #direction = 0;
  /** @type {Promise<void> | null} */
  #moving = null;
  #idle = 0;
  #animation = 0;
  #ticked = 0;
  #told = "";

  constructor(options) {
    this.#options = options;
    this.#stage = new Stage(options.main, options.strip);
  }

  async load(doc, { at = 0, main } = {}) {
    this.pause();
    const known = this.#preloaded.get(doc.episode_id);
    this.#preloaded.delete(doc.episode_id);
    this.#reel?.dispose();
    this.#reel = known ?? new Reel(doc);
    this.#reel.refresh(doc);
    this.#range = null;
    this.#direction = 0;
    this.shown = {};
    this.exact = false;
    this.#stage.setCameras(doc.cameras, main);
    const frames = this.#reel.framesAt(this.#clamped(at));
    if (!this.#reel.complete(frames)) this.#stage.blank(doc.fault ?? "loading…");
    await this.#move(this.#clamped(at));
  }

  async preload(doc, { at = 0 } = {}) {
    if (this.#reel?.doc.episode_id === doc.episode_id || this.#preloaded.has(doc.episode_id)) return;
    const reel = new Reel(doc);
    this.#preloaded.set(doc.episode_id, reel);
    for (const [id, oldest] of this.#preloaded) {
      if (this.#preloaded.size <= PRELOADED) break;
      oldest.dispose();
      this.#preloaded.delete(id);
    }
    await unlessOvertaken(reel.show(reel.framesAt(at)));
  }

  refresh(doc) {
    if (this.#reel?.doc.episode_id === doc.episode_id) this.#reel.refresh(doc);
  }

  async seek(tNs) {
    this.#direction = 0;
    await this.#move(this.#clamped(tNs));
  }

  async step(frames) {
    if (!this.#reel) return;
    if (this.playing) this.#halt();
    const from = this.#goal ?? this.tNs;
    const track = this.#reel.tracks.find(({ name }) => name === this.main);
    this.#direction = frames < 0 ? -1 : 1;
    if (!track?.camera.t_ns.length) return this.#move(this.#clamped(from + frames * STEP_WITHOUT_CAMERA_NS));
    const times = track.camera.t_ns;
    const to = stepFrom(times, track.frameAt(from), frames, this.#reel.doc.duration_ns);
    return this.#move(Math.max(times[to], 0));
  }

  play(rate = this.#rate) {
    this.rate = rate;
    if (this.playing || !this.#reel) return;
    const [start, end] = this.#bounds;
    const from = this.#goal ?? this.tNs;
    this.playing = true;
    this.#direction = 0;
    window.clearTimeout(this.#idle);
    if (from < start || from >= end) this.#move(start);
    this.#ticked = performance.now();
    this.#animation = requestAnimationFrame(this.#tick);
    this.#tell();
  }

  pause() {
    if (!this.playing) return;
    this.#halt();
    this.#move(this.#goal ?? this.tNs);
  }

  setMain(camera) {
    this.#stage.setMain(camera);
  }

  setRange(range) {
    this.#range = range && [this.#clamped(range[0]), this.#clamped(range[1])];
  }

  dispose() {
    this.#halt();
    window.clearTimeout(this.#idle);
    for (const reel of this.#preloaded.values()) reel.dispose();
    this.#preloaded.clear();
    this.#reel?.dispose();
    this.#reel = null;
    this.#goal = null;
    this.#stage.dispose();
    this.#options = {};
  }

  get rate() {
    return this.#rate;
  }

  set rate(rate) {
    this.#rate = Math.min(Math.max(rate, RATES[0]), RATES[1]);
    this.#tell();
  }

  get pending() {
    return this.#moving !== null;
  }

  get main() {
    return this.#stage.main;
  }

  get cameras() {
    return this.#reel?.doc.cameras.map(({ name }) => name) ?? [];
  }

  get notes() {
    return Object.fromEntries([...this.#stage.tiles].map(([name, { note }]) => [name, note]));
  }

  get sources() {
    return Object.fromEntries(this.#reel?.tracks.map(({ name, kind }) => [name, kind]) ?? []);
  }

  get #bounds() {
    return this.#range ?? /** @type {[number, number]} */ ([0, this.#reel?.doc.duration_ns ?? 0]);
  }

  #clamped(tNs) {
    return Math.round(Math.min(Math.max(tNs, 0), this.#reel?.doc.duration_ns ?? 0));
  }

  /**
   * Shows a time, or a newer one asked for meanwhile: one is fetched at once, then the newest, each in a turn of its own
   * of the page's event loop, so that whatever is asked for again and again cannot freeze the tab.
   */
  #move(tNs) {
    window.clearTimeout(this.#idle);
    this.#goal = tNs;
    this.#moving ??= Promise.resolve().then(() => this.#reachGoal());
    this.#tell();
    return this.#moving;
  }

  async #reachGoal() {
    try {
      while (this.#goal !== null && this.#reel) {
        await this.#approach(this.#reel, this.#goal);
        if (this.#goal !== null) await nextTurn();
      }
    } finally {
      this.#moving = null;
    }
    this.#tell();
    if (!this.playing && this.#reel && !this.exact) {
      this.#idle = window.setTimeout(() => this.#showRecorded(), EXACT_AFTER_MS);
    }
  }

  async #approach(reel, tNs) {
    const frames = reel.framesAt(tNs);
    const shown = reel.complete(frames) || (await unlessOvertaken(reel.show(frames)));
    if (reel !== this.#reel || !shown) return;
    if (this.#goal === tNs) this.#goal = null;
    this.#draw(frames, tNs);
    if (this.#direction !== 0) reel.near(frames, this.#direction);
  }

  /** Puts the recorded pictures in the place of the proxies', once nobody moves. */
  async #showRecorded() {
    const reel = this.#reel;
    const tNs = this.tNs;
    const frames = reel.framesAt(tNs);
    const shown = await unlessOvertaken(reel.showRecorded(frames));
    if (shown && reel === this.#reel && tNs === this.tNs && !this.playing && !this.pending) this.#draw(frames, tNs);
  }

  #tick = (now) => {
    if (!this.playing || !this.#reel) return;
    this.#animation = requestAnimationFrame(this.#tick);
    const elapsedMs = now - this.#ticked;
    this.#ticked = now;
    if (this.pending) return;
    const { tNs, ended } = advance(this.tNs, elapsedMs, this.#rate, this.#bounds);
    const frames = this.#reel.framesAt(tNs);
    this.#reel.run(frames, this.#rate);
    this.#waiting = !this.#reel.ready(frames);
    if (this.#waiting) return this.#tell();
    this.#draw(frames, tNs);
    if (ended) this.pause();
  };

  #halt() {
    this.playing = false;
    this.#waiting = false;
    cancelAnimationFrame(this.#animation);
    this.#reel?.rest();
    this.#tell();
  }

  #draw(frames, tNs) {
    this.tNs = tNs;
    this.exact = true;
    this.#reel.tracks.forEach((track, place) => {
      const frame = frames[place];
      const tile = this.#stage.tiles.get(track.name);
      const recorded = this.playing ? null : track.recorded(frame);
      const picture = recorded ?? track.picture(frame);
      this.shown[track.name] = picture?.frame ?? frame;
      if (picture) {
        tile.draw(picture, tNs, track.proxyFault);
        this.exact &&= picture.exact;
      } else if (frame < 0) tile.blank(track.camera.t_ns.length ? "no frame yet" : "no frame was recorded");
      else tile.blank(track.fault(frame), true);
    });
    this.#options.onTime?.(tNs);
    this.#options.onShown?.({ ...this.shown });
    this.#tell();
  }

  #tell() {
    const faults = [...this.#stage.tiles.values()].filter(({ element }) => element.matches(".tl-camera-fault"));
    /** @type {DeckState} */
    const state = {
      playing: this.playing,
      rate: this.#rate,
      ready: this.#reel !== null && !this.pending && !this.#waiting,
      waiting: this.#waiting,
      exact: this.exact,
      fault: this.#reel?.doc.fault ?? faults[0]?.note ?? null,
    };
    const told = JSON.stringify(state);
    if (told === this.#told) return;
    this.#told = told;
    this.#options.onState?.(state);
  }
}

/** Resolves once the page had its chance to do everything else that is due. */
function nextTurn() {
  return new Promise((resolve) => setTimeout(resolve));
}

/** @returns {Promise<boolean>} false if other frames were asked for meanwhile */
async function unlessOvertaken(shown) {
  try {
    await shown;
    return true;
  } catch (error) {
    if (error instanceof OvertakenError) return false;
    throw error;
  }
}
