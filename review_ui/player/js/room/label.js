// What is done in one part of an episode, and how that part ended.
import { ask, button } from "./dialog.js";
import { el } from "./element.js";
import { clock } from "./format.js";

const OUTCOMES = [["", "no outcome"], ["success", "success"], ["partial", "partial success"], ["failure", "failure"]];

/** Resolves to {label, outcome}, {remove: true}, or undefined. `earlier`: labels to choose from. */
export function askLabel(root, segment, earlier) {
  const title = `What is done from ${clock(segment.start_ns)} to ${clock(segment.end_ns)}?`;
  return ask(
    root,
    title,
    (close) => {
      const label = el(
        "input",
        { type: "text", maxlength: 500, list: "labels", autofocus: true, value: segment.label, "aria-label": "Label" },
      );
      const outcome = el(
        "select",
        { "aria-label": "How this part ended" },
        OUTCOMES.map(([value, words]) => el("option", { value }, words)),
      );
      outcome.value = segment.outcome ?? "";
      const submit = (event) => {
        event.preventDefault();
        if (label.value.trim()) close({ label: label.value.trim(), outcome: outcome.value || null });
      };
      label.addEventListener("focus", () => label.select());
      return [
        el(
          "form",
          { onsubmit: submit },
          el(
            "div",
            { class: "line" },
            label,
            outcome,
            el("datalist", { id: "labels" }, earlier.map((each) => el("option", { value: each }))),
          ),
          el(
            "div",
            { class: "buttons" },
            button("Delete this part", () => close({ remove: true }), "quiet"),
            button("Back", () => close()),
            el(
              "button",
              { class: "button primary", type: "submit" },
              "Save",
              el("kbd", { "aria-hidden": "true" }, "Enter"),
            ),
          ),
        ),
      ];
    },
    "wide",
  );
}
