import { FrameCache } from "./frame_cache.js";
import { fetchBlob } from "./http.js";
import { OvertakenError } from "./source.js";

const AHEAD = 12;
const NEAR = 3;

/**
 * The recorded JPEGs themselves, one request each: exact, and dear while playing.
 *
 * @implements {import("./source.js").FrameSource}
 */
export class JpegSource {
  kind = /** @type {const} */ ("jpeg");
  /** @type {FrameCache<ImageBitmap>} */
  #cache = new FrameCache();
  /** @type {Map<number, AbortController>} */
  #fetching = new Map();

  /**
   * @param {import("./types.js").CameraDoc} camera
   * @param {import("./gate.js").Gate} gate
   */
  constructor(camera, gate) {
    this.camera = camera;
    this.gate = gate;
  }

  picture(frame) {
    const image = this.#cache.get(frame);
    return image && { image, frame, exact: true };
  }

  failure(frame) {
    return this.#cache.failure(frame);
  }

  show(frame) {
    this.#keep(frame - NEAR, frame + NEAR);
    this.#cache.retry(frame);
    this.#want(frame, true);
    return this.#cache.when(frame);
  }

  run(frame) {
    this.#prefetch(frame, 1, AHEAD);
  }

  near(frame, direction) {
    this.#prefetch(frame, direction, NEAR);
  }

  rest() {}

  dispose() {
    this.#keep(0, -1);
  }

  #prefetch(frame, direction, count) {
    this.#keep(frame - (direction < 0 ? count : NEAR), frame + (direction < 0 ? NEAR : count));
    for (let ahead = 0; ahead <= count; ahead += 1) this.#want(frame + direction * ahead, ahead === 0);
  }

  #keep(low, high) {
    this.#cache.keep(low, high);
    for (const [frame, controller] of this.#fetching) {
      if (this.#cache.holds(frame)) continue;
      controller.abort();
      this.#fetching.delete(frame);
    }
  }

  #want(frame, first) {
    if (frame < 0 || frame >= this.camera.t_ns.length) return;
    if (!this.#cache.misses(frame) || this.#fetching.has(frame)) return;
    const controller = new AbortController();
    this.#fetching.set(frame, controller);
    this.gate.run(() => this.#fetch(frame, controller), first);
  }

  /** Never rejects: what went wrong is kept with the frame. */
  async #fetch(frame, controller) {
    try {
      if (controller.signal.aborted) throw new OvertakenError();
      const blob = await fetchBlob(this.camera.jpeg.replace("{i}", String(frame)), controller.signal);
      this.#cache.put(frame, await createImageBitmap(blob));
    } catch (error) {
      if (!controller.signal.aborted) this.#cache.fail(frame, error);
    } finally {
      if (this.#fetching.get(frame) === controller) this.#fetching.delete(frame);
    }
  }
}
