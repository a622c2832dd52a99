// The room's parts in their places: facts above, cameras, transport, timeline with curves, rail, notices, toasts.
import { place } from "./cameras.js";
import { Curves } from "./curves.js";
import { el, keycap } from "./element.js";
import { clock, length } from "./format.js";
import { notice } from "./notice.js";
import { Rail } from "./rail.js";
import { SavedState } from "./saved.js";
import { Timeline } from "./timeline.js";
import { Toasts } from "./toast.js";

const BOTTOM_GAP_PX = 10;

export class Screen {
  /** `on`: what Rail and Timeline call, and on.retry(). */
  constructor(root, on) {
    this.root = root;
    this.main = el("div", { class: "main-camera" });
    this.strip = el("div", { class: "strip" });
    this.facts = el("div", { class: "facts" });
    this.saved = new SavedState(() => on.retry());
    this.clock = el("output", { class: "clock", "aria-label": "Time" });
    this.play = el(
      "button",
      {
        type: "button",
        class: "round",
        title: "Play or pause (Space)",
        "aria-label": "Play",
        onclick: () => on.act("toggle", null),
      },
      icon("play"),
    );
    this.rate = el(
      "button",
      { type: "button", class: "chip rate", title: "Speed: [ slower, ] faster", onclick: () => on.act("speed", 1) },
    );
    this.toggles = el("div", { class: "toggles", role: "group", "aria-label": "Curves shown" });
    this.timeline = new Timeline(on);
    this.curves = new Curves(this.timeline.lanes, this.toggles, root);
    this.rail = new Rail(on);
    this.toasts = new Toasts();
    this.message = el("div", { class: "message", hidden: true });
    const transport = el(
      "div",
      { class: "transport" },
      this.play,
      this.clock,
      this.rate,
      el("span", { class: "grow" }),
      this.toggles,
    );
    this.stage = el("div", { class: "stage" }, this.main, this.strip, this.message, this.toasts.element);
    const left = el("div", { class: "left" }, this.stage, transport, this.timeline.element);
    root.append(
      el("header", { class: "top" }, this.facts, this.saved.element),
      el("div", { class: "columns" }, left, this.rail.element),
    );
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(root);
    this.resized.observe(this.stage);
    this.turned = new MutationObserver(() => this.fit());
    this.turned.observe(this.main, { childList: true });
    window.addEventListener("resize", this.#fitted);
    this.fit();
  }

  #fitted = () => this.fit();
  #cameras = [];

  setCameras(cameras) {
    this.#cameras = cameras;
    this.fit();
  }

  /** Takes the height that the page leaves, and lays the cameras out in it. */
  fit() {
    const top = Math.max(0, this.root.getBoundingClientRect().top + window.scrollY);
    this.root.style.setProperty("--room-top", `${Math.round(top + BOTTOM_GAP_PX)}px`);
    place(this.stage, this.#cameras, this.main.querySelector(".tl-camera")?.dataset.camera);
  }

  dispose() {
    window.removeEventListener("resize", this.#fitted);
    this.resized.disconnect();
    this.turned.disconnect();
    this.timeline.dispose();
    this.curves.dispose();
  }

  /** What stands over the stage, or null to show the cameras. `over`: the timeline stays; `alone`: all else goes. */
  say(content) {
    this.message.hidden = content === null;
    this.message.replaceChildren(...(content ? [notice(content)] : []));
    this.root.classList.toggle("without-pictures", content !== null && !content.over);
    this.root.classList.toggle("alone", Boolean(content?.alone));
  }

  setFacts({ episode, view }, extra) {
    const facts = [
      el("strong", { title: episode.task }, episode.task),
      fact("Episode", episode.short, episode.id),
      fact("Length", length(episode.duration_ns)),
      fact("Robot", episode.robot),
      fact("Operator", episode.operator),
      episode.risk === null || episode.risk === undefined ? null : fact(
        "Risk",
        `${Math.round(episode.risk * 100)}%`,
        "How much this episode differs from its task's others",
      ),
      el("span", { class: `pill ${view.status}` }, view.status),
      extra ? el("span", { class: "soft" }, extra) : null,
    ];
    this.facts.replaceChildren(...facts.filter(Boolean));
  }

  setTime(tNs, durationNs) {
    this.timeline.setTime(tNs);
    this.curves.setTime(tNs);
    this.clock.textContent = `${clock(tNs)} / ${clock(durationNs)}`;
  }

  setPlaying(playing, rate) {
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    this.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.rate.replaceChildren(`${rate}×`, keycap("["), keycap("]"));
    this.rate.setAttribute("aria-label", `Speed ${rate}`);
  }
}

function fact(name, value, title = "") {
  return value ? el("span", { class: "fact", title }, el("i", {}, name), value) : null;
}

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = { play: "M4 2.5v11l9-5.5z", pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z" };

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}
