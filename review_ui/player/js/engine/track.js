import { frameAt } from "./frame_at.js";
import { JpegSource } from "./jpeg_source.js";
import { OvertakenError } from "./source.js";
import { VideoSource } from "./video_source.js";
import { WebCodecsSource } from "./webcodecs_source.js";

/**
 * One camera of an episode: its proxy as long as that works, its recorded JPEGs for everything else.
 *
 * @typedef {import("./source.js").Picture} Picture
 */
export class Track {
  /** Why the proxy is not used, for people; "" where it is or where there is none yet. */
  proxyFault = "";
  /** @type {import("./source.js").FrameSource | null} */
  #proxy = null;
  /** @type {JpegSource} */
  #recorded;

  /**
   * @param {import("./types.js").CameraDoc} camera
   * @param {import("./gate.js").Gate} gate
   */
  constructor(camera, gate) {
    this.camera = camera;
    this.#recorded = new JpegSource(camera, gate);
    this.#openProxy();
  }

  get name() {
    return this.camera.name;
  }

  get kind() {
    return (this.#proxy ?? this.#recorded).kind;
  }

  /** The camera's frame at a time, -1 before its first. */
  frameAt(tNs) {
    return frameAt(this.camera.t_ns, tNs);
  }

  /** Takes up the proxy of a newer document where none is in use. */
  refresh(camera) {
    if (this.#proxy || !camera.proxy) return;
    this.camera = camera;
    this.proxyFault = "";
    this.#openProxy();
  }

  /** @returns {Picture | null} what can be drawn for the frame now */
  picture(frame) {
    return this.#proxy?.picture(frame) ?? this.#recorded.picture(frame);
  }

  /** @returns {Picture | null} the recorded picture, if it is there */
  recorded(frame) {
    return this.#recorded.picture(frame);
  }

  /** @returns {string} why the frame cannot be shown, with the remedy; "" if it can or may come */
  fault(frame) {
    const reason = this.#proxy ? null : this.#recorded.failure(frame);
    return reason ? faultText(this.name, frame, reason) : "";
  }

  /** Resolves when picture(frame) or fault(frame) is there. Rejects with OvertakenError alone. */
  async show(frame) {
    if (this.#proxy) {
      try {
        return await this.#proxy.show(frame);
      } catch (error) {
        if (error instanceof OvertakenError) throw error;
        this.#dropProxy(error);
      }
    }
    await this.showRecorded(frame);
  }

  /** Resolves when recorded(frame) is there or known not to come. Rejects with OvertakenError alone. */
  async showRecorded(frame) {
    try {
      await this.#recorded.show(frame);
    } catch (error) {
      if (error instanceof OvertakenError) throw error;
    }
  }

  /** Playing at this frame: has the next ones ready. */
  run(frame, rate) {
    const broken = this.#proxy?.failure(frame);
    if (broken) this.#dropProxy(broken);
    (this.#proxy ?? this.#recorded).run(frame, rate);
  }

  /** Stepping at this frame. */
  near(frame, direction) {
    (this.#proxy ?? this.#recorded).near(frame, direction);
  }

  rest() {
    this.#proxy?.rest();
  }

  dispose() {
    this.#proxy?.dispose();
    this.#recorded.dispose();
  }

  #openProxy() {
    if (!this.camera.proxy || this.camera.t_ns.length === 0) return;
    const Source = [WebCodecsSource, VideoSource].find((each) => each.supported);
    if (!Source) return;
    try {
      this.#proxy = new Source(this.camera);
    } catch (error) {
      this.#dropProxy(error);
    }
  }

  #dropProxy(error) {
    this.#proxy?.dispose();
    this.#proxy = null;
    const instead = "its recorded pictures are shown, which play more slowly";
    this.proxyFault = `the proxy of camera '${this.name}' cannot be used (${error.message}); ${instead}`;
  }
}

/** @returns {string} */
function faultText(camera, frame, reason) {
  const what = `camera '${camera}' cannot be shown: `;
  if (reason.status === 401) return `${what}you are signed out; sign in again in another tab, then seek`;
  if (reason.status) return `${what}the server answered ${reason.status} for frame ${frame}; see the server's log`;
  if (reason.name === "InvalidStateError" || reason.name === "EncodingError") {
    return `${what}the recorded picture of frame ${frame} is damaged; go to another, or reject with "camera fault"`;
  }
  return `${what}frame ${frame} did not arrive (${reason.message}); check that the server runs, then seek`;
}
