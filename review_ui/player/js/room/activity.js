// Active seconds: the page is visible and somebody touched it within the last half minute.

const AWAKE_MS = 30_000;
const TICK_MS = 500;
const INPUTS = ["keydown", "pointerdown", "pointermove", "wheel"];

export class Activity {
  #spent = new Map();
  #episode = null;
  #lastInput = performance.now();
  #lastTick = performance.now();
  #touched = () => {
    this.#lastInput = performance.now();
  };

  constructor() {
    for (const name of INPUTS) window.addEventListener(name, this.#touched, { capture: true, passive: true });
    this.timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Seconds count for this episode from now on. */
  on(episode) {
    this.#tick();
    this.#episode = episode;
  }

  /** Active seconds on an episode so far, to a tenth. */
  spent(episode) {
    this.#tick();
    return Math.round((this.#spent.get(episode) ?? 0) / 100) / 10;
  }

  /** Whether somebody was here within the last `ms`. */
  within(ms) {
    return document.visibilityState === "visible" && performance.now() - this.#lastInput <= ms;
  }

  dispose() {
    clearInterval(this.timer);
    for (const name of INPUTS) window.removeEventListener(name, this.#touched, { capture: true });
  }

  #tick() {
    const now = performance.now();
    if (this.#episode !== null && this.within(AWAKE_MS)) {
      this.#spent.set(this.#episode, (this.#spent.get(this.#episode) ?? 0) + now - this.#lastTick);
    }
    this.#lastTick = now;
  }
}
