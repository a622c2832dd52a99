import { OvertakenError } from "./source.js";

/**
 * Pictures by frame within a window that moves with the playhead; closes what falls out of it.
 *
 * @template {{close(): void}} Image
 */
export class FrameCache {
  /** @type {Map<number, Image>} */
  #images = new Map();
  /** @type {Map<number, unknown>} */
  #failures = new Map();
  /** @type {Map<number, {promise: Promise<void>, resolve: () => void, reject: (reason: unknown) => void}>} */
  #waiting = new Map();
  #low = 0;
  #high = -1;

  /** Keeps the frames low..high and lets go of all others; whoever waits for one of those is given the reason. */
  keep(low, high, reason = new OvertakenError()) {
    this.#low = low;
    this.#high = high;
    for (const [frame, image] of this.#images) {
      if (this.holds(frame)) continue;
      image.close();
      this.#images.delete(frame);
    }
    for (const [frame, waiter] of this.#waiting) {
      if (this.holds(frame)) continue;
      waiter.reject(reason);
      this.#waiting.delete(frame);
    }
    for (const frame of this.#failures.keys()) if (!this.holds(frame)) this.#failures.delete(frame);
  }

  /** @returns {boolean} whether the frame lies within the window */
  holds(frame) {
    return frame >= this.#low && frame <= this.#high;
  }

  /** @returns {boolean} whether the frame is wanted and neither there nor known to fail */
  misses(frame) {
    return this.holds(frame) && !this.#images.has(frame) && !this.#failures.has(frame);
  }

  /** @returns {Image | null} */
  get(frame) {
    return this.#images.get(frame) ?? null;
  }

  /** @returns {unknown} why the frame cannot be had, or null */
  failure(frame) {
    return this.#failures.get(frame) ?? null;
  }

  /** Takes the image over; closes it at once where its frame is not wanted. */
  put(frame, image) {
    if (!this.holds(frame) || this.#images.has(frame)) {
      image.close();
      return;
    }
    this.#images.set(frame, image);
    this.#settle(frame, (waiter) => waiter.resolve());
  }

  /** Notes why a frame cannot be had. */
  fail(frame, reason) {
    if (this.holds(frame)) this.#failures.set(frame, reason);
    this.#settle(frame, (waiter) => waiter.reject(reason));
  }

  /** Forgets that a frame could not be had, so that it is tried again. */
  retry(frame) {
    this.#failures.delete(frame);
  }

  /** @returns {Promise<void>} resolves once the frame, which must lie within the window, is there */
  when(frame) {
    if (this.#images.has(frame)) return Promise.resolve();
    let waiter = this.#waiting.get(frame);
    if (!waiter) {
      waiter = Promise.withResolvers();
      waiter.promise.catch(() => {});
      this.#waiting.set(frame, waiter);
    }
    return waiter.promise;
  }

  /** Closes everything. */
  clear(reason) {
    this.keep(0, -1, reason);
  }

  get size() {
    return this.#images.size;
  }

  #settle(frame, how) {
    const waiter = this.#waiting.get(frame);
    if (!waiter) return;
    this.#waiting.delete(frame);
    how(waiter);
  }
}
