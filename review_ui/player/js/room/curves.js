// The curves under the timeline: one canvas a lane, drawn once and after a change; values at the playhead in words.
import { el } from "./element.js";
import { colours } from "./theme.js";
import { row } from "./timeline.js";

const SHOWN_AT_FIRST = 4;
const MARGIN_PX = 3;
/** Series nearer to one another than this share of the lane are read as one figure. */
const TOGETHER = 0.02;

/** Index of the newest sample with t_ns[i] <= t, or -1. */
export function floorIndex(times, tNs) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= tNs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export class Curves {
  #lanes = [];
  #hidden = new Set();
  #known = new Set();
  #duration = 1;
  #tNs = 0;

  /** `holder`: where the lanes go; `toggles`: where their switches go. */
  constructor(holder, toggles, root) {
    Object.assign(this, { holder, toggles, root });
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(holder);
  }

  dispose() {
    this.resized.disconnect();
  }

  /** `lanes`: PlayerDoc.lanes; `others`: those of a second episode, drawn dashed over the lanes of the same name. */
  setEpisode(lanes, durationNs, others = []) {
    this.#duration = Math.max(1, durationNs);
    for (const [i, lane] of lanes.entries()) {
      if (!this.#known.has(lane.name) && i >= SHOWN_AT_FIRST) this.#hidden.add(lane.name);
      this.#known.add(lane.name);
    }
    this.#lanes = lanes.map((lane) => new Lane(lane, others.find((other) => other.name === lane.name)));
    this.#arrange();
  }

  setTime(tNs) {
    this.#tNs = tNs;
    for (const lane of this.#shown()) lane.read(tNs);
  }

  draw() {
    const palette = colours(this.root);
    for (const lane of this.#shown()) lane.draw(this.#duration, palette);
  }

  #shown() {
    return this.#lanes.filter((lane) => !this.#hidden.has(lane.name));
  }

  #arrange() {
    this.holder.replaceChildren(...this.#shown().map((lane) => lane.element));
    this.toggles.replaceChildren(...this.#lanes.map((lane) => this.#toggle(lane.name)));
    this.draw();
    this.setTime(this.#tNs);
  }

  #toggle(name) {
    const shown = !this.#hidden.has(name);
    return el(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-pressed": String(shown),
        title: shown ? `Hide ${name}` : `Show ${name}`,
        onclick: () => {
          this.#hidden[shown ? "add" : "delete"](name);
          this.#arrange();
          [...this.toggles.children].find((each) => each.textContent === name)?.focus();
        },
      },
      name,
    );
  }
}

class Lane {
  constructor(lane, other) {
    this.name = lane.name;
    this.unit = lane.unit;
    this.series = lane.series;
    this.others = other?.series ?? [];
    this.bounds = boundsOf([...this.series, ...this.others]);
    this.digits = digitsFor(this.bounds[1] - this.bounds[0]);
    this.canvas = el("canvas", { role: "img", "aria-label": `${lane.name} over time, in ${lane.unit}` });
    this.values = el("span", { class: "values" });
    const names = lane.series.map((each) => each.name).join(", ");
    this.element = row("", el("div", { class: "track lane", title: names }, this.canvas));
    this.element.classList.add("lane-row");
    this.element.firstChild.append(el("b", { title: names }, lane.name), this.values);
  }

  /** Shows the range of the values at the playhead: one figure, or the lowest and the highest. */
  read(tNs) {
    const now = this.series.map(({ t_ns, values }) => values[floorIndex(t_ns, tNs)]).filter(Number.isFinite);
    const low = Math.min(...now);
    const high = Math.max(...now);
    const span = this.bounds[1] - this.bounds[0];
    const middle = () => inDigits((low + high) / 2, this.digits);
    const both = () => [low, high].map((value) => inDigits(value, this.digits - 1)).join(" … ");
    const shown = now.length === 0 ? "–" : high - low < TOGETHER * span ? middle() : both();
    const words = `${shown} ${this.unit}`;
    if (this.values.textContent !== words) this.values.textContent = words;
  }

  draw(duration, palette) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width === 0 || height === 0) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const [low, high] = this.bounds;
    const x = (tNs) => (tNs / duration) * width;
    const y = (value) => height - MARGIN_PX - ((value - low) / (high - low)) * (height - 2 * MARGIN_PX);
    if (low < 0 && high > 0) {
      pen.strokeStyle = palette.line;
      pen.lineWidth = 1;
      pen.strokeRect(0, Math.round(y(0)) + 0.5, width, 0);
    }
    const stroke = (series, i) => {
      pen.strokeStyle = palette.series[i % palette.series.length];
      trace(pen, series, x, y, width);
    };
    pen.lineWidth = 1.4;
    pen.lineJoin = "round";
    this.series.forEach(stroke);
    pen.setLineDash([3, 3]);
    this.others.forEach(stroke);
  }
}

/** Draws a series; with more samples than pixels, each pixel's column from its lowest to its highest value. */
function trace(pen, { t_ns, values }, x, y, width) {
  pen.beginPath();
  const dense = t_ns.length > width * 2;
  let column = null;
  let span = null;
  let open = false;
  for (let i = 0; i < t_ns.length; i += 1) {
    const value = values[i];
    if (!Number.isFinite(value)) {
      open = false;
      continue;
    }
    const px = x(t_ns[i]);
    const py = y(value);
    if (!dense || !open) {
      if (open) pen.lineTo(px, py);
      else pen.moveTo(px, py);
      open = true;
      column = Math.floor(px);
      span = [py, py];
      continue;
    }
    if (Math.floor(px) === column) {
      span = [Math.min(span[0], py), Math.max(span[1], py)];
      continue;
    }
    pen.lineTo(column, span[0]);
    pen.lineTo(column, span[1]);
    pen.lineTo(px, py);
    column = Math.floor(px);
    span = [py, py];
  }
  pen.stroke();
}

function inDigits(value, digits) {
  return value.toFixed(Math.max(0, digits)).replace(/^-(0\.?0*)$/, "$1");
}

/** Decimals that tell a hundredth of `span` apart. */
function digitsFor(span) {
  return Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(span))));
}

function boundsOf(series) {
  let low = Infinity;
  let high = -Infinity;
  for (const { values } of series) {
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return [0, 1];
  const room = high - low > 1e-9 ? 0 : Math.max(1e-3, Math.abs(high) * 0.1);
  return [low - room, high + room];
}
