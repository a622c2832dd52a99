// One part of the rail: a title, and what it holds.
import { el } from "./element.js";

export function section(title, aside, ...content) {
  return el("section", { class: "part" }, el("h3", {}, title, aside), ...content.filter(Boolean));
}

/** A part on one line. */
export function inline(title, content) {
  return el("section", { class: "part inline" }, el("h3", {}, title), content);
}
