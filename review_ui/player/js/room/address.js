// The deep link: ?episode=ID&t=SECONDS in the page's address, without a step in the browser's history.

const EVERY_MS = 400;

export class Address {
  #timer = null;

  /** Shows an episode and a time; calls in quick succession become one. */
  show(episode, tNs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.set(episode, tNs), EVERY_MS);
  }

  /** Shows them at once; null for an episode from its beginning, or for none. */
  set(episode, tNs) {
    clearTimeout(this.#timer);
    const url = new URL(window.location.href);
    const values = { episode, t: episode === null || tNs === null ? null : (tNs / 1e9).toFixed(2) };
    for (const [name, value] of Object.entries(values)) {
      if (value === null) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    window.history.replaceState(window.history.state, "", url);
  }

  dispose() {
    clearTimeout(this.#timer);
  }
}
