// The keys: one table for the listener and for the help, and the listener itself.

/** [key as shown, KeyboardEvent.key values, action, argument, words, group] */
export const KEYS = [
  ["Space", [" "], "toggle", null, "play or pause", "Watch"],
  ["→", ["ArrowRight"], "step", 1, "one frame on", "Watch"],
  ["←", ["ArrowLeft"], "step", -1, "one frame back", "Watch"],
  ["Shift →", ["Shift+ArrowRight"], "leap", 1, "one second on", "Watch"],
  ["Shift ←", ["Shift+ArrowLeft"], "leap", -1, "one second back", "Watch"],
  ["]", ["]"], "speed", 1, "faster", "Watch"],
  ["[", ["["], "speed", -1, "slower", "Watch"],
  ["I", ["i"], "trimIn", null, "the part that counts begins here", "Mark"],
  ["O", ["o"], "trimOut", null, "the part that counts ends here", "Mark"],
  ["T", ["t"], "trimSuggested", null, "take the suggested trim", "Mark"],
  ["B", ["b"], "split", null, "split into segments here, and label", "Mark"],
  ["M", ["m"], "mark", "mistake", "a mistake begins; again where it ends", "Mark"],
  ["X", ["x"], "mark", "intervention", "an intervention begins; again where it ends", "Mark"],
  ["S", ["s"], "outcome", "success", "success", "Judge"],
  ["P", ["p"], "outcome", "partial", "partial success", "Judge"],
  ["F", ["f"], "outcome", "failure", "failure", "Judge"],
  ["1 – 5", ["1", "2", "3", "4", "5"], "score", null, "quality, 5 is best", "Judge"],
  ["E", ["e"], "language", null, "correct the instruction, add a paraphrase", "Judge"],
  ["A", ["a"], "approve", null, "approve, and next", "Decide"],
  ["D", ["d"], "reject", null, "reject with a reason, and next", "Decide"],
  ["N", ["n"], "skip", null, "skip: not offered again in this session", "Decide"],
  ["U", ["u"], "undo", null, "take back your last word", "Decide"],
  ["?", ["?"], "help", null, "these keys", "Decide"],
];

const ACTIONS = new Map(KEYS.flatMap(([, keys, action, argument]) => keys.map((key) => [key, { action, argument }])));
const EDITABLE = "input, textarea, select, [contenteditable]:not([contenteditable='false'])";
const OTHERS = "dialog, [role='dialog'], [role='menu'], [role='listbox'], [data-testid='stDataFrame'], [role='grid']";
const PRESSABLE = "button, a[href], summary, [role='button']";
const STREAMLIT_KEYS = new Set(["r", "c"]);

/** What an event asks for: {action, argument}, or null. Letters of other alphabets count by their place. */
export function actionOf(event) {
  if ((event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph")) return null;
  const arrow = event.key.startsWith("Arrow");
  const key = arrow ? (event.shiftKey ? "Shift+" : "") + event.key : latin(event);
  const found = ACTIONS.get(key);
  if (!found) return null;
  return found.action === "score" ? { action: "score", argument: Number(key) } : found;
}

function latin({ key, code }) {
  const foreign = key.length === 1 && key.charCodeAt(0) > 127;
  return (foreign && code.startsWith("Key") ? code.slice(3) : key).toLowerCase();
}

/**
 * Hands every key of the table to `handle(action, argument, event)`, before the page around sees it; the page's own
 * keys are kept from what is typed inside `root`. Returns the function that takes the listener off again.
 */
export function listen(root, handle) {
  const onKeydown = (event) => {
    const path = event.composedPath();
    const target = path[0] instanceof Element ? path[0] : document.body;
    const inside = path.includes(root);
    if (target.matches(EDITABLE) || path.some((node) => node instanceof Element && node.matches(OTHERS))) {
      if (inside && STREAMLIT_KEYS.has(event.key.toLowerCase()) && !event.ctrlKey && !event.metaKey) {
        event.stopImmediatePropagation();
      }
      return;
    }
    if ((event.key === " " || event.key === "Enter") && target.closest(PRESSABLE)) return;
    if (target.closest("[role='slider']") && event.key.startsWith("Arrow")) return;
    const asked = actionOf(event);
    if (!asked) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    handle(asked.action, asked.argument, event);
  };
  window.addEventListener("keydown", onKeydown, { capture: true });
  return () => window.removeEventListener("keydown", onKeydown, { capture: true });
}
