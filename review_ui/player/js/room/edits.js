// What an edit does to what is shown, and what it is in words. The server's own derivation replaces it when it answers.
import { clock } from "./format.js";

const STATUS = { approve: "approved", reject: "rejected", reset: "unreviewed" };

/** `view` with one annotation's effect: what the server will answer, shown at once. */
export function apply(view, annotation) {
  switch (annotation.kind) {
    case "verdict":
      return { ...view, status: STATUS[annotation.decision], reason: annotation.reason ?? "" };
    case "outcome":
      return { ...view, outcome: annotation.outcome };
    case "score":
      return { ...view, score: annotation.score };
    case "trim":
      return { ...view, trim: [annotation.start_ns, annotation.end_ns] };
    case "segments":
      return { ...view, segments: annotation.segments };
    case "flag":
      return { ...view, flags: withFlag(view.flags, annotation) };
    case "tag":
      return { ...view, tags: withTag(view.tags, annotation) };
    case "note":
      return { ...view, notes: [...view.notes, annotation.text] };
    case "instruction":
      return withInstruction(view, annotation);
    default:
      return view;
  }
}

function withFlag(flags, { label, start_ns, end_ns, action = "add", note = "" }) {
  const others = flags.filter(
    (flag) => !(flag.label === label && flag.start_ns === start_ns && flag.end_ns === end_ns),
  );
  if (action === "remove") return others;
  return [...others, { label, start_ns, end_ns, note }].sort((a, b) => a.start_ns - b.start_ns);
}

function withTag(tags, { tag, action = "add" }) {
  const others = tags.filter((each) => each !== tag);
  return action === "remove" ? others : [...others, tag].sort();
}

function withInstruction(view, { action, text, language }) {
  if (action === "replace") {
    const spoken = { text, language, spoken: true };
    return { ...view, instruction: { text, language }, instructions: [spoken], paraphrases: [] };
  }
  if (view.instructions.some((each) => each.text === text)) return view;
  const added = { text, language, spoken: false };
  return {
    ...view,
    instructions: [...view.instructions, added],
    paraphrases: [...view.paraphrases, { text, language }],
  };
}

/** An annotation in a few words: "trim to 0:01.20 – 0:08.00". */
export function inWords(annotation) {
  switch (annotation.kind) {
    case "verdict":
      return {
        approve: "approve",
        reject: `reject (${annotation.reason})`,
        reset: "make it unreviewed",
      }[annotation.decision];
    case "outcome":
      return `outcome: ${annotation.outcome}`;
    case "score":
      return `quality ${annotation.score}`;
    case "trim":
      return `trim to ${clock(annotation.start_ns)} – ${clock(annotation.end_ns)}`;
    case "segments":
      return annotation.segments.length === 0 ? "no segments" : `${annotation.segments.length} segments`;
    case "flag":
      return `${removes(annotation) ? "take off" : "flag"} ${annotation.label} at ${clock(annotation.start_ns)}`;
    case "tag":
      return `${removes(annotation) ? "take off the tag" : "tag"} ${annotation.tag}`;
    case "note":
      return `note: ${annotation.text}`;
    case "instruction":
      return `${annotation.action === "replace" ? "instruction" : "paraphrase"}: ${annotation.text}`;
    default:
      return annotation.kind;
  }
}

function removes({ action }) {
  return action === "remove";
}

/** An operation of the log in words. */
export function operationInWords({ action, body }) {
  if (action === "annotations") return body.annotations.map(inWords).join(", ");
  if (action === "adjudicate") return `${body.decision} as the last word`;
  return "undo";
}

/** The part that counts: the trim in force, else the suggested one, else all of it. */
export function countedRange(view, player) {
  return view.trim ?? player?.suggested_trim ?? [0, player?.duration_ns ?? 0];
}
