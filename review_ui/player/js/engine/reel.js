import { Gate } from "./gate.js";
import { Track } from "./track.js";

const REQUESTS = 4;

/** One episode with all its cameras, loaded to be shown. */
export class Reel {
  #gate = new Gate(REQUESTS);

  /** @param {import("./types.js").PlayerDoc} doc */
  constructor(doc) {
    this.doc = doc;
    /** @type {Track[]} */
    this.tracks = doc.cameras.map((camera) => new Track(camera, this.#gate));
  }

  /** @returns {number[]} the frame of each camera at a time, -1 before its first */
  framesAt(tNs) {
    return this.tracks.map((track) => track.frameAt(tNs));
  }

  /** Resolves when every camera has its picture, or the reason why not. Rejects with OvertakenError alone. */
  async show(frames) {
    await this.#each(frames, (track, frame) => track.show(frame));
  }

  /** The same of the recorded pictures. */
  async showRecorded(frames) {
    await this.#each(frames, (track, frame) => track.showRecorded(frame));
  }

  /** Playing at these frames: has the next ones ready. */
  run(frames, rate) {
    this.#whereFilmed(frames, (track, frame) => track.run(frame, rate));
  }

  /** Stepping at these frames. */
  near(frames, direction) {
    this.#whereFilmed(frames, (track, frame) => track.near(frame, direction));
  }

  rest() {
    for (const track of this.tracks) track.rest();
  }

  /** @returns {boolean} whether every camera's picture at these frames is there now */
  complete(frames) {
    return this.tracks.every((track, place) => frames[place] < 0 || track.picture(frames[place]) !== null);
  }

  /** @returns {boolean} whether nothing more can be had at these frames for now: pictures, or reasons why not */
  ready(frames) {
    return this.tracks.every((track, place) => {
      const frame = frames[place];
      return frame < 0 || track.picture(frame) !== null || track.fault(frame) !== "";
    });
  }

  /** Takes up the proxies of a newer document of the same episode. */
  refresh(doc) {
    this.doc = doc;
    for (const track of this.tracks) {
      const camera = doc.cameras.find(({ name }) => name === track.name);
      if (camera) track.refresh(camera);
    }
  }

  dispose() {
    for (const track of this.tracks) track.dispose();
  }

  #whereFilmed(frames, then) {
    this.tracks.forEach((track, place) => {
      if (track.camera.t_ns.length > 0) then(track, Math.max(frames[place], 0));
    });
  }

  async #each(frames, show) {
    const shown = await Promise.allSettled(
      this.tracks.map((track, place) => (frames[place] < 0 ? undefined : show(track, frames[place]))),
    );
    for (const { reason } of shown) if (reason) throw reason;
  }
}
