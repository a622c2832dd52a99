// An edit that was refused, and what the reviewer wants done with it.
import { ask, button } from "./dialog.js";
import { operationInWords } from "./edits.js";
import { el } from "./element.js";
import { ago } from "./format.js";

/** Resolves to "repeat" or "drop". `refusal`: the server's answer; `operations`: all that wait behind it. */
export async function askRefused(root, { refusal, operations, short }) {
  const stale = refusal.kind === "stale";
  const title = stale ? `Somebody spoke about ${short} since you looked` : `Not saved, on ${short}`;
  const answer = await ask(
    root,
    title,
    (close) => [
      stale ? changes(refusal.changed ?? []) : el("p", {}, refusal.message ?? "The server refused it."),
      el("h3", {}, operations.length === 1 ? "Your edit" : "Your edits"),
      el("ul", { class: "known" }, operations.map((operation) => el("li", {}, operationInWords(operation)))),
      el(
        "div",
        { class: "buttons" },
        button(operations.length === 1 ? "Drop it" : "Drop them", () => close("drop")),
        el(
          "button",
          { type: "button", class: "button primary", autofocus: true, onclick: () => close("repeat") },
          stale ? "Say it all the same" : "Try again",
          el("kbd", { "aria-hidden": "true" }, "Enter"),
        ),
      ),
    ],
    "wide",
  );
  return answer;
}

function changes(changed) {
  return el(
    "ul",
    { class: "known changes" },
    changed.map(
      (each) => el(
        "li",
        {},
        el("b", {}, each.author),
        ` ${each.what ?? "said something; it stays hidden until you have decided"}`,
        el("span", { class: "soft" }, ` ${ago(each.when)}`),
      ),
    ),
  );
}
