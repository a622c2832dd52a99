import { FrameCache } from "./frame_cache.js";
import { Gops } from "./gops.js";
import { fetchRange } from "./http.js";

const AHEAD_S = 0.4;
const NEAR = 6;
const NS_PER_S = 1e9;
const COMPRESSED_GOPS = 48;
const CACHED_BYTES = 64e6;
const BYTES_PER_PIXEL = 1.5;
const ATTEMPTS = 2;

/**
 * Decodes the proxy in the page: fetches a group of pictures by byte range and gives its samples to a VideoDecoder,
 * each stamped with its frame number, so that no container time is ever rounded.
 *
 * @implements {import("./source.js").FrameSource}
 */
export class WebCodecsSource {
  kind = /** @type {const} */ ("webcodecs");
  /** @type {import("./types.js").ProxyDoc} */
  #proxy;
  /** @type {Gops} */
  #gops;
  /** @type {number} */
  #framesPerS;
  /** @type {number} */
  #capacity;
  /** @type {FrameCache<VideoFrame>} */
  #cache = new FrameCache();
  /** @type {Map<number, Promise<Uint8Array>>} */
  #compressed = new Map();
  /** @type {VideoDecoder | null} */
  #decoder = null;
  /** @type {number[]} */
  #wanted = [];
  /** @type {unknown} */
  #failed = null;
  #busy = false;
  #closed = new AbortController();

  static get supported() {
    return typeof VideoDecoder === "function";
  }

  /** @param {import("./types.js").CameraDoc & {proxy: import("./types.js").ProxyDoc}} camera */
  constructor(camera) {
    const { proxy, t_ns: times } = camera;
    if (proxy.samples.length !== times.length) {
      throw new Error(`it has ${proxy.samples.length} pictures for ${times.length} frames`);
    }
    this.#proxy = proxy;
    this.#gops = new Gops(proxy.samples);
    this.#framesPerS = (times.length * NS_PER_S) / Math.max(times.at(-1) - times[0], NS_PER_S);
    const affordable = Math.floor(CACHED_BYTES / (camera.width * camera.height * BYTES_PER_PIXEL));
    const longest = this.#gops.longest;
    this.#capacity = Math.max(2 * longest + 2, Math.min(affordable, 6 * longest));
  }

  picture(frame) {
    const image = this.#cache.get(frame);
    return image && { image, frame, exact: false };
  }

  failure() {
    return this.#failed;
  }

  show(frame) {
    if (this.#failed) return Promise.reject(this.#failed);
    const half = this.#capacity >> 1;
    this.#cache.keep(frame - half, frame + half);
    this.#want([this.#gops.of(frame)]);
    return this.#cache.when(frame);
  }

  run(frame, rate) {
    const wished = Math.ceil(rate * this.#framesPerS * AHEAD_S) + 2;
    const ahead = Math.min(wished, this.#capacity - this.#gops.longest);
    this.#cache.keep(frame - (this.#capacity - ahead), frame + ahead);
    this.#want(this.#gops.between(frame, frame + ahead));
  }

  near(frame, direction) {
    this.#want(this.#gops.between(frame, frame + direction * NEAR));
  }

  rest() {}

  dispose(reason) {
    this.#closed.abort();
    this.#wanted = [];
    this.#cache.clear(reason);
    this.#compressed.clear();
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
  }

  /** @param {number[]} gops  the most urgent first */
  #want(gops) {
    if (this.#failed) return;
    this.#wanted = gops;
    this.#pump();
  }

  #nextGop() {
    return this.#wanted.find((gop) => {
      const { first, last } = this.#gops.list[gop];
      for (let frame = first; frame <= last; frame += 1) if (this.#cache.misses(frame)) return true;
      return false;
    });
  }

  async #pump() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let gop = this.#nextGop(); gop !== undefined; gop = this.#nextGop()) await this.#decodeGop(gop);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#busy = false;
    }
  }

  async #decodeGop(gop) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#decodeOnce(gop);
      } catch (error) {
        if (this.#closed.signal.aborted || attempt === ATTEMPTS) throw error;
        this.#compressed.delete(gop);
      }
    }
  }

  async #decodeOnce(number) {
    const gop = this.#gops.list[number];
    for (const later of this.#wanted.slice(0, 3)) this.#bytesOf(later).catch(() => {});
    const bytes = await this.#bytesOf(number);
    const decoder = await this.#openDecoder();
    const missing = new Set();
    this.#onFrame = (image) => {
      missing.delete(image.timestamp);
      this.#cache.put(image.timestamp, image);
    };
    for (let frame = gop.first; frame <= gop.last; frame += 1) {
      const [offset, size, key] = this.#proxy.samples[frame];
      const data = bytes.subarray(offset - gop.offset, offset - gop.offset + size);
      missing.add(frame);
      decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp: frame, data }));
    }
    await decoder.flush();
    if (missing.size > 0) throw new Error(`${missing.size} of frames ${gop.first} to ${gop.last} are missing`);
  }

  /** @type {(image: VideoFrame) => void} */
  #onFrame = (image) => image.close();

  async #openDecoder() {
    if (this.#decoder?.state === "configured") return this.#decoder;
    const config = await supportedConfig(this.#proxy);
    this.#closed.signal.throwIfAborted();
    // A fault is reported by flush() too, which is where it is handled; a decoder taken back while the tab was in the
    // background is opened anew for the next group.
    this.#decoder = new VideoDecoder({ output: (image) => this.#onFrame(image), error: () => {} });
    this.#decoder.configure(config);
    return this.#decoder;
  }

  #bytesOf(number) {
    const known = this.#compressed.get(number);
    if (known) return known;
    const { offset, end } = this.#gops.list[number];
    const bytes = fetchRange(this.#proxy.url, offset, end, this.#closed.signal);
    this.#compressed.set(number, bytes);
    for (const oldest of this.#compressed.keys()) {
      if (this.#compressed.size <= COMPRESSED_GOPS) break;
      this.#compressed.delete(oldest);
    }
    return bytes;
  }

  #fail(error) {
    if (this.#closed.signal.aborted) return;
    this.#failed = error;
    this.dispose(error);
  }
}

/** Software decoding first: hardware decoders lend out few pictures at a time, and the proxies are small. */
async function supportedConfig({ codec, description }) {
  const bytes = Uint8Array.from(atob(description), (character) => character.charCodeAt(0));
  const config = { codec, description: bytes, optimizeForLatency: true };
  for (const hardwareAcceleration of ["prefer-software", "no-preference"]) {
    const { supported } = await VideoDecoder.isConfigSupported({ ...config, hardwareAcceleration });
    if (supported) return { ...config, hardwareAcceleration };
  }
  throw new Error(`this browser does not decode ${codec}`);
}
