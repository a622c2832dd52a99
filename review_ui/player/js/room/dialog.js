// A dialog of the room: modal, closed by Esc or its own buttons; the focus goes back to where it was.
import { el } from "./element.js";

/** Opens a dialog titled `title` in `root`; `content(close)` gives its children. Resolves to what `close` was given. */
export function ask(root, title, content, className = "") {
  return new Promise((resolve) => {
    const before = root.getRootNode().activeElement;
    // At once and not at the browser's close event: a key pressed before that would reach the room behind.
    const close = (answer) => {
      if (!dialog.isConnected) return;
      dialog.remove();
      (before?.isConnected ? before : root).focus({ preventScroll: true });
      resolve(answer);
    };
    const dialog = el(
      "dialog",
      { class: `dialog ${className}`, "aria-label": title },
      el("h2", {}, title),
      ...content(close),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && close());
    dialog.addEventListener("close", () => close());
    root.append(dialog);
    dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  });
}

export function button(words, onclick, className = "", key = null) {
  const hint = key ? el("kbd", { "aria-hidden": "true" }, key) : null;
  return el("button", { type: "button", class: `button ${className}`, onclick }, words, hint);
}
