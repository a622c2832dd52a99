// The rail's lists of what was marked: segments and flags.
import { el, keycap } from "./element.js";
import { clock } from "./format.js";
import { section } from "./rail_part.js";

export function segments(on, view) {
  if (view.segments.length === 0) return null;
  const lines = view.segments.map((segment, i) =>
    el(
      "li",
      {},
      el("i", { class: `swatch c${i % 6}` }),
      el(
        "button",
        {
          type: "button",
          class: "reason",
          title: "Label this part",
          data: { focus: `segment-${i}` },
          onclick: () => on.label(i),
        },
        el("time", {}, clock(segment.start_ns)),
        segment.label || "no label",
        segment.outcome ? el("i", {}, ` ${segment.outcome}`) : null,
      ),
    ),
  );
  return section("Segments", keycap("B"), el("ul", { class: "reasons" }, lines));
}

export function flags(on, view, started) {
  if (view.flags.length === 0 && !started) return null;
  const chips = view.flags.map((flag) =>
    el(
      "span",
      { class: `flag ${flag.label === "mistake" ? "bad" : "violet"}` },
      el(
        "button",
        { type: "button", title: flag.note || "Go there", onclick: () => on.seek(flag.start_ns) },
        `${flag.label} ${clock(flag.start_ns)}`,
      ),
      el(
        "button",
        {
          type: "button",
          class: "x",
          title: `Take the flag ${flag.label} off`,
          "aria-label": `Take the flag ${flag.label} at ${clock(flag.start_ns)} off`,
          onclick: () => on.unflag(flag),
        },
        "×",
      ),
    ),
  );
  const open = started ? el(
    "span",
    { class: "flag open" },
    `${started.label} from ${clock(started.start_ns)} …`,
  ) : null;
  return section(
    "Flags",
    el("span", { class: "hints" }, keycap("M"), keycap("X")),
    el("div", { class: "chips" }, chips, open),
  );
}
