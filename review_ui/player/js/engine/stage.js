import { Tile } from "./tile.js";

/** The tiles of all cameras: one in the main place, the others in the strip. */
export class Stage {
  /** @type {Map<string, Tile>} */
  tiles = new Map();
  main = "";

  /**
   * @param {HTMLElement} main
   * @param {HTMLElement} strip
   */
  constructor(main, strip) {
    this.places = { main, strip };
    strip.addEventListener("click", this.#onClick);
    strip.addEventListener("mousedown", keepFocus);
  }

  /**
   * Tiles for these cameras; those of cameras that look the same stay where they are.
   *
   * @param {import("./types.js").CameraDoc[]} cameras
   * @param {string} [main]
   */
  setCameras(cameras, main) {
    const tiles = new Map();
    for (const camera of cameras) {
      const old = this.tiles.get(camera.name);
      const fits = old && old.camera.width === camera.width && old.camera.height === camera.height;
      if (fits) {
        old.follow(camera);
        this.tiles.delete(camera.name);
      }
      tiles.set(camera.name, fits ? old : new Tile(camera));
    }
    for (const tile of this.tiles.values()) tile.dispose();
    this.tiles = tiles;
    const wanted = [main, this.main].find((name) => name !== undefined && tiles.has(name));
    this.setMain(wanted ?? cameras[0]?.name ?? "");
  }

  /** @param {string} name */
  setMain(name) {
    if (name !== "" && !this.tiles.has(name)) {
      throw new RangeError(`there is no camera '${name}'; there are: ${[...this.tiles.keys()].join(", ")}`);
    }
    this.main = name;
    for (const [camera, { element }] of this.tiles) {
      element.classList.toggle("tl-camera-main", camera === name);
      (camera === name ? this.places.main : this.places.strip).append(element);
    }
  }

  blank(note) {
    for (const tile of this.tiles.values()) tile.blank(note);
  }

  dispose() {
    this.places.strip.removeEventListener("click", this.#onClick);
    this.places.strip.removeEventListener("mousedown", keepFocus);
    for (const tile of this.tiles.values()) tile.dispose();
    this.tiles.clear();
  }

  #onClick = (event) => {
    const tile = event.target.closest?.(".tl-camera");
    if (tile) this.setMain(tile.dataset.camera);
  };
}

/** Keys go on to whoever had them. */
function keepFocus(event) {
  event.preventDefault();
}
