/**
 * Where a camera's pictures come from. Each way of getting them has a file of its own: webcodecs_source.js,
 * video_source.js, jpeg_source.js.
 *
 * @typedef {object} Picture
 * @property {CanvasImageSource} image
 * @property {number} frame  the frame it truly is
 * @property {boolean} exact  it is the recorded picture, not the proxy's
 *
 * @typedef {object} FrameSource
 * @property {"webcodecs" | "video" | "jpeg"} kind
 * @property {(frame: number) => Picture | null} picture  what can be drawn for the frame now; valid until the next call
 *     of any other method
 * @property {(frame: number) => Promise<void>} show  resolves once picture(frame) is there; rejects with the reason why
 *     not, or with OvertakenError once other frames were asked for
 * @property {(frame: number) => unknown} failure  why a frame that run() asked for cannot be had; null if it may come
 * @property {(frame: number, rate: number) => void} run  called in every animation frame while playing: has the frames
 *     that come next ready
 * @property {(frame: number, direction: 1 | -1) => void} near  after a step: the neighbours that way come next, perhaps
 * @property {() => void} rest  playing has ended
 * @property {() => void} dispose  closes every picture and connection
 */

/** Other frames were asked for meanwhile, or the source is gone: nobody waits for this one any more. */
export class OvertakenError extends Error {
  constructor() {
    super("other frames were asked for meanwhile");
    this.name = "OvertakenError";
  }
}
