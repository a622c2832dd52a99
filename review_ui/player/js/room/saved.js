// Whether everything that was said is with the server.
import { el } from "./element.js";
import { count } from "./format.js";

export class SavedState {
  constructor(retry) {
    this.words = el("span");
    this.button = el(
      "button",
      { type: "button", class: "saved", onclick: retry, title: "Try again now" },
      el("i", { class: "dot" }),
      this.words,
    );
    this.link = el("a", { class: "button", href: window.location.href, hidden: true }, "Sign in");
    this.element = el("div", { class: "saving", role: "status" }, this.button, this.link);
  }

  render({ waiting, trouble, refused, foreign }) {
    const [state, words] = describe(waiting, trouble, refused, foreign);
    this.button.dataset.state = state;
    this.link.hidden = trouble !== "signed-out";
    if (this.words.textContent !== words) this.words.textContent = words;
    this.button.disabled = !trouble;
  }
}

function describe(waiting, trouble, refused, foreign) {
  if (refused > 0) return ["bad", `Not saved: ${count(waiting, "edit")} refused or waiting`];
  const others = `Saved; ${count(foreign, "edit")} of another reviewer wait here`;
  if (waiting === 0) return foreign > 0 ? ["warn", others] : ["good", "Saved"];
  if (trouble === "signed-out") return ["bad", `Not saved: signed out (${waiting} waiting)`];
  if (trouble === "gone") return ["bad", `Not saved: no answer (${waiting} waiting)`];
  return ["busy", waiting === 1 ? "Saving" : `Saving (${waiting} waiting)`];
}
