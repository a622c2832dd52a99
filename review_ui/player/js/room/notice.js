// What stands in the stage's place while no episode can be shown: loading, empty, a fault, held, signed out, gone.
import { el } from "./element.js";

/** A notice: {title, words, tone, actions: [[words, key, onclick]], link: [words, href]}. */
export function notice({ title, words = "", tone = "note", actions = [], link = null, busy = false }) {
  return el(
    "div",
    { class: `notice ${tone}`, role: tone === "bad" ? "alert" : "status" },
    busy ? el("div", { class: "pulse", "aria-hidden": "true" }) : null,
    el("h2", {}, title),
    words ? el("p", {}, words) : null,
    el(
      "div",
      { class: "buttons" },
      actions.map(([name, key, onclick], i) =>
        el(
          "button",
          { type: "button", class: `button ${i === 0 ? "primary" : ""}`, onclick },
          name,
          key ? el("kbd", { "aria-hidden": "true" }, key) : null,
        ),
      ),
      link ? el("a", { class: "button primary", href: link[1] }, link[0]) : null,
    ),
  );
}
