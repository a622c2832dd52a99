// The menu of rejection reasons: number keys, arrows and Enter; "other" asks for words.
import { ask, button } from "./dialog.js";
import { el } from "./element.js";

/** Resolves to the reason, or undefined when the reviewer went back. */
export async function askReason(root, reasons) {
  const chosen = await ask(
    root,
    "Why not?",
    (close) => [menu(reasons, close), el("p", { class: "soft" }, "A number, or ↑ ↓ and Enter. Esc goes back.")],
  );
  return chosen === "other" ? askWords(root) : chosen;
}

function menu(reasons, close) {
  const items = reasons.map((reason, i) =>
    el(
      "button",
      { type: "button", role: "menuitem", class: "item", autofocus: i === 0, onclick: () => close(reason) },
      el("kbd", {}, i < 9 ? String(i + 1) : "·"),
      reason,
    ),
  );
  const onkeydown = (event) => {
    const at = items.indexOf(event.target);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items[(at + step + items.length) % items.length].focus();
    else if (/^[1-9]$/.test(event.key) && Number(event.key) <= reasons.length) close(reasons[Number(event.key) - 1]);
    else return;
    event.preventDefault();
  };
  return el("div", { role: "menu", class: "menu", onkeydown }, items);
}

function askWords(root) {
  return ask(root, "Why not, in your words?", (close) => {
    const words = el(
      "input",
      { type: "text", maxlength: 2000, autofocus: true, "aria-label": "Reason", placeholder: "What is wrong with it" },
    );
    const submit = (event) => {
      event.preventDefault();
      if (words.value.trim()) close(words.value.trim());
    };
    return [
      el(
        "form",
        { onsubmit: submit },
        words,
        el(
          "div",
          { class: "buttons" },
          button("Back", () => close()),
          el("button", { class: "button bad", type: "submit" }, "Reject"),
        ),
      ),
    ];
  });
}
