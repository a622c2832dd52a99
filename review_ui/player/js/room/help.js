// The overlay that lists the keys, from the table that the listener uses.
import { ask, button } from "./dialog.js";
import { el } from "./element.js";
import { KEYS } from "./keys.js";

export function showHelp(root) {
  const groups = grouped(KEYS);
  return ask(
    root,
    "Keys",
    (close) => [
      el(
        "div",
        { class: "groups", tabIndex: -1, autofocus: true, onkeydown: (event) => event.key === "?" && close() },
        [...groups].map(([name, keys]) => el("section", {}, el("h3", {}, name), el("dl", {}, keys.map(line)))),
      ),
      el(
        "p",
        { class: "soft" },
        "Tab reaches everything else; Enter or Space presses it. Delete takes off the flag or segment with the focus.",
      ),
      el("div", { class: "buttons" }, button("Close", () => close(), "primary", "?")),
    ],
    "help",
  );
}

function line([shown, , , , words]) {
  return el("div", {}, el("dt", {}, el("kbd", {}, shown)), el("dd", {}, words));
}

function grouped(keys) {
  const groups = new Map();
  for (const key of keys) groups.set(key[5], [...(groups.get(key[5]) ?? []), key]);
  return groups;
}
