import { frameAt } from "./frame_at.js";
import { FrameCache } from "./frame_cache.js";

const NS_PER_S = 1e9;
const TICKS_PER_S = 90000;
const LONGEST_SEEK_MS = 4000;
const SEEK_AGAIN_MS = 60;
const INTO_LAST_FRAME_S = 0.002;
const AHEAD = 12;
const BEHIND = 12;

/**
 * The proxy in a `<video>` element, for pages without WebCodecs (those that are not a secure context).
 *
 * The element never plays: while it does, nobody can tell for sure which frame a copy of it holds. It is sent from
 * frame to frame, each is copied once it is presented, and while playing fast a neighbour stands in for those left out.
 *
 * @implements {import("./source.js").FrameSource}
 */
export class VideoSource {
  kind = /** @type {const} */ ("video");
  /** @type {Float64Array} */
  #seconds;
  /** @type {FrameCache<ImageBitmap>} */
  #cache = new FrameCache();
  /** @type {OffscreenCanvas} */
  #canvas;
  #video = document.createElement("video");
  #callback = 0;
  #overdue = 0;
  #again = 0;
  /** @type {number | null} the frame the element was sent to */
  #goal = null;
  #playing = false;
  /** @type {unknown} */
  #failed = null;

  static get supported() {
    return "requestVideoFrameCallback" in HTMLVideoElement.prototype && typeof OffscreenCanvas === "function";
  }

  /** @param {import("./types.js").CameraDoc & {proxy: import("./types.js").ProxyDoc}} camera */
  constructor(camera) {
    this.#seconds = mediaSeconds(camera.t_ns);
    this.#canvas = new OffscreenCanvas(camera.width, camera.height);
    const video = this.#video;
    video.muted = true;
    video.playsInline = true;
    video.preload = "auto";
    video.addEventListener("error", () => this.#fail(new Error(video.error?.message || "the browser cannot play it")));
    video.addEventListener("seeked", () => this.#expectGoal());
    video.src = camera.proxy.url;
    this.#listen();
  }

  picture(frame) {
    const found = this.#playing ? [frame, frame - 1, frame + 1] : [frame];
    const there = found.find((each) => this.#cache.get(each));
    return there === undefined ? null : { image: this.#cache.get(there), frame: there, exact: false };
  }

  failure() {
    return this.#failed;
  }

  show(frame) {
    if (this.#failed) return Promise.reject(this.#failed);
    this.#playing = false;
    this.#cache.keep(frame - BEHIND, frame + AHEAD);
    if (!this.#cache.get(frame)) this.#seek(frame);
    return this.#cache.when(frame);
  }

  run(frame, rate) {
    this.#playing = true;
    this.#cache.keep(frame - 1, frame + AHEAD);
    if (this.#failed || this.#goal !== null) return;
    const spread = rate > 1.5 ? 1 : 0;
    const skipped = rate > 3 ? 1 : 0;
    const last = Math.min(frame + AHEAD, this.#seconds.length - 1);
    for (let next = frame; next <= last; next += 1) {
      if (this.#covers(next, spread)) continue;
      this.#seek(Math.min(next + skipped, last));
      return;
    }
  }

  near() {}

  rest() {
    this.#playing = false;
  }

  dispose(reason) {
    this.#reached();
    this.#cache.clear(reason);
    this.#video.cancelVideoFrameCallback(this.#callback);
    this.#video.removeAttribute("src");
    this.#video.load();
    this.#failed ??= reason ?? new Error("it was let go of");
  }

  #covers(frame, spread) {
    return [0, -spread, spread].some((offset) => this.#cache.get(frame + offset));
  }

  #seek(frame) {
    this.#reached();
    this.#goal = frame;
    const late = () => this.#fail(new Error(`frame ${frame} did not come within ${LONGEST_SEEK_MS / 1000} s`));
    this.#overdue = window.setTimeout(late, LONGEST_SEEK_MS);
    this.#moveToMiddle(frame);
  }

  /** A frame's edges are rounded by the container's clock. */
  #moveToMiddle(frame) {
    const start = this.#seconds[frame];
    const next = this.#seconds[frame + 1] ?? start + 2 * INTO_LAST_FRAME_S;
    this.#video.currentTime = (start + next) / 2;
  }

  /** A browser may skip the callback of a frame that follows another too closely; a second seek brings it. */
  #expectGoal() {
    window.clearTimeout(this.#again);
    this.#again = window.setTimeout(() => {
      if (this.#goal !== null) this.#moveToMiddle(this.#goal);
    }, SEEK_AGAIN_MS);
  }

  #reached() {
    this.#goal = null;
    window.clearTimeout(this.#overdue);
    window.clearTimeout(this.#again);
  }

  #listen() {
    this.#callback = this.#video.requestVideoFrameCallback((_, { mediaTime }) => {
      const frame = frameAt(this.#seconds, mediaTime + 0.5 / TICKS_PER_S);
      this.#listen();
      if (frame !== this.#goal) return;
      this.#reached();
      const { width, height } = this.#canvas;
      this.#canvas.getContext("2d", { alpha: false }).drawImage(this.#video, 0, 0, width, height);
      this.#cache.put(frame, this.#canvas.transferToImageBitmap());
    });
  }

  #fail(error) {
    if (this.#failed) return;
    this.#failed = error;
    this.dispose(error);
  }
}

/** When the proxy's own clock, which begins at the first frame and never stands still, shows each frame. */
function mediaSeconds(times) {
  let last = -1;
  return Float64Array.from(times, (tNs) => {
    last = Math.max(Math.round(((tNs - times[0]) * TICKS_PER_S) / NS_PER_S), last + 1);
    return last / TICKS_PER_S;
  });
}
