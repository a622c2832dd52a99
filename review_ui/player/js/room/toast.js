// Short messages above the room, also for a screen reader.
import { el } from "./element.js";

const STAYS_MS = 4_000;
const MOST = 2;

export class Toasts {
  constructor() {
    this.element = el("div", { class: "toasts", role: "status", "aria-live": "polite" });
  }

  /** tone: "note", "good", "warn" or "bad". A message takes the place of an earlier note, and of its own words. */
  say(words, tone = "note", staysMs = STAYS_MS) {
    for (const other of [...this.element.children]) {
      if (other.textContent === words || other.classList.contains("note")) other.remove();
    }
    const toast = el("div", { class: `toast ${tone}` }, words);
    this.element.append(toast);
    while (this.element.children.length > MOST) this.element.firstChild.remove();
    setTimeout(() => toast.remove(), staysMs);
  }
}
