// The rail's upper parts: what was to be done, how it ended, how well, and what of it counts.
import { el, keycap } from "./element.js";
import { clock, length as lengthOf } from "./format.js";
import { inline, section } from "./rail_part.js";

const OUTCOMES = [["success", "Success", "S"], ["partial", "Partial", "P"], ["failure", "Failure", "F"]];
const SCORES = [1, 2, 3, 4, 5];
const PARAPHRASES = 3;

export function instruction(on, view, { episode }) {
  const instructions = view.instructions.length > 0 ? view.instructions : [
    { text: episode.instruction, language: "en", spoken: true },
  ];
  const [first, ...more] = [...instructions].sort((a, b) => Number(b.spoken) - Number(a.spoken));
  const unseen = Math.max(0, more.length - PARAPHRASES);
  return el(
    "button",
    {
      type: "button",
      class: "card instruction",
      title: "Correct it, or add a paraphrase",
      data: { focus: "instruction" },
      onclick: () => on.act("language", null),
    },
    el("span", { class: "kicker" }, "Instruction", keycap("E")),
    el("strong", {}, first.text || "no instruction"),
    unseen > 0 ? el("span", { class: "paraphrase" }, `${unseen} more`) : null,
    more.slice(-PARAPHRASES).map(paraphrase),
  );
}

function paraphrase({ language, text }) {
  return el("span", { class: "paraphrase", title: text }, el("span", { class: "lang" }, language), text);
}

export function outcome(on, view, { episode }) {
  const now = view.outcome ?? episode.outcome;
  const own = view.outcome !== null && view.outcome !== undefined;
  const note = own ? null : el("span", { class: "theirs" }, `the operator's: ${episode.outcome}`);
  const buttons = OUTCOMES.map(
    ([value, words, key]) => choice(on, "outcome", value, words, key, now === value, own ? "" : "prefilled"),
  );
  return section(
    "Outcome",
    note,
    el("div", { class: "choice-row", role: "group", "aria-label": "Outcome" }, buttons),
  );
}

export function score(on, view) {
  const buttons = SCORES.map((score) => choice(on, "score", score, String(score), null, view.score === score, ""));
  return inline(
    "Quality",
    el(
      "div",
      { class: "choice-row", role: "group", "aria-label": "Quality, 5 is best", title: "5 is best" },
      buttons,
    ),
  );
}

export function trim(on, { view, player, range, suggested }) {
  const whole = range[0] === 0 && range[1] === player.duration_ns;
  const words = whole ? "all of it" : `${clock(range[0])} – ${clock(range[1])}`;
  const take = suggested && !whole ? el(
    "button",
    {
      type: "button",
      class: "link",
      data: { focus: "take-trim" },
      title: "Take the suggested trim",
      onclick: () => on.act("trimSuggested", null),
    },
    "Use",
    keycap("T"),
  ) : null;
  const length = whole ? null : el("span", { class: "soft" }, lengthOf(range[1] - range[0]));
  const hints = take ?? el("span", { class: "hints" }, keycap("I"), keycap("O"));
  return inline(
    "Trim",
    el(
      "div",
      { class: "trim", title: suggested && !whole ? "Suggested: without the rest at both ends" : "" },
      el("span", { class: suggested && !whole ? "suggestion" : "" }, words),
      length,
      hints,
    ),
  );
}

function choice(on, action, value, words, key, chosen, extra) {
  return el(
    "button",
    {
      type: "button",
      class: `pick ${action}-${value} ${extra}`,
      "aria-pressed": String(chosen),
      data: { focus: `${action}-${value}` },
      onclick: () => on.act(action, value),
    },
    words,
    key ? keycap(key) : null,
  );
}
