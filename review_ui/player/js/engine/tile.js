const NS_PER_S = 1e9;
const STALE_NS = 0.5e9;

/** The picture of one camera in the page, with its name and what there is to say about it. */
export class Tile {
  note = "";
  /** @type {string} what of the camera's stream the canvas shows: frame and kind of picture */
  #drawn = "";
  /** @type {HTMLParagraphElement} */
  #label;
  /** @type {CanvasRenderingContext2D} */
  #context;

  /** @param {import("./types.js").CameraDoc} camera */
  constructor(camera) {
    this.camera = camera;
    this.element = document.createElement("figure");
    this.element.className = "tl-camera";
    this.element.dataset.camera = camera.name;
    Object.assign(this.element.style, { position: "relative", margin: "0", minWidth: "0", minHeight: "0" });
    this.canvas = document.createElement("canvas");
    this.canvas.width = camera.width;
    this.canvas.height = camera.height;
    Object.assign(this.canvas.style, { display: "block", width: "100%", height: "100%", objectFit: "contain" });
    const name = document.createElement("figcaption");
    name.className = "tl-camera-name";
    name.textContent = camera.name;
    this.#label = document.createElement("p");
    this.#label.className = "tl-camera-note";
    this.#label.hidden = true;
    this.element.append(this.canvas, name, this.#label);
    this.#context = this.canvas.getContext("2d", { alpha: false });
  }

  /** Takes over another stream of pictures of the same size, e.g. the same camera's in the next episode. */
  follow(camera) {
    this.camera = camera;
    this.#drawn = "";
  }

  /**
   * @param {import("./source.js").Picture} picture
   * @param {number} tNs  the time shown
   * @param {string} remark  what else there is to say
   */
  draw({ image, frame, exact }, tNs, remark) {
    const drawn = `${frame} ${exact}`;
    if (drawn !== this.#drawn) {
      this.#context.drawImage(image, 0, 0, this.canvas.width, this.canvas.height);
      this.#drawn = drawn;
    }
    const age = tNs - this.camera.t_ns[frame];
    this.say(age > STALE_NS ? `${(age / NS_PER_S).toFixed(1)} s old` : remark);
  }

  /** Nothing to see, and why. */
  blank(note, fault = false) {
    this.#context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.#drawn = "";
    this.say(note, fault);
  }

  say(note, fault = false) {
    if (note === this.note) return;
    this.note = note;
    this.#label.textContent = note;
    this.#label.hidden = note === "";
    this.element.classList.toggle("tl-camera-fault", fault);
  }

  /** Gives the canvas's memory back. */
  dispose() {
    this.element.remove();
    this.canvas.width = 0;
    this.canvas.height = 0;
  }
}
