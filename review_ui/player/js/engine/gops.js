/**
 * The groups of pictures of a proxy: each begins at a key frame and decodes by itself.
 *
 * @typedef {object} Gop
 * @property {number} first  its first frame
 * @property {number} last  its last frame
 * @property {number} offset  where its bytes begin in the file
 * @property {number} end  one past its last byte
 */
export class Gops {
  /** @type {Gop[]} */
  list = [];
  /** @type {Int32Array} */
  #byFrame;

  /** @param {import("./types.js").ProxyDoc["samples"]} samples */
  constructor(samples) {
    this.samples = samples;
    this.#byFrame = new Int32Array(samples.length);
    samples.forEach(([offset, size, key], frame) => {
      if (key) this.list.push({ first: frame, last: frame, offset, end: offset + size });
      const gop = this.list.at(-1);
      if (!gop) throw new Error("its first sample is no key frame");
      gop.last = frame;
      gop.offset = Math.min(gop.offset, offset);
      gop.end = Math.max(gop.end, offset + size);
      this.#byFrame[frame] = this.list.length - 1;
    });
  }

  /** @returns {number} the group's place in `list` that holds the frame */
  of(frame) {
    return this.#byFrame[frame];
  }

  /** @returns {number[]} the groups from one frame's to the other's, which may be the earlier one */
  between(from, to) {
    const start = this.of(from);
    const end = this.of(Math.min(Math.max(to, 0), this.samples.length - 1));
    const step = end < start ? -1 : 1;
    return Array.from({ length: Math.abs(end - start) + 1 }, (_, count) => start + step * count);
  }

  /** @returns {number} how many frames the longest group has */
  get longest() {
    return this.list.reduce((most, gop) => Math.max(most, gop.last - gop.first + 1), 0);
  }
}
