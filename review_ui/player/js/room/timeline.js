// The timeline: ticks, segments, marks, modes, the part that counts with its handles, and the playhead over all lanes.
import { el } from "./element.js";
import { clamp, clock, NS_PER_S, tickStep } from "./format.js";
import { marksOf } from "./marks.js";
import { moveBorder } from "./segments.js";

const NUDGE_NS = 0.1e9;
const TICK_PX = 78;

/**
 * One block with a gutter at the left and the same time axis for all its rows; the curves' lanes join it through
 * `lanes`. Calls on.seek(tNs), on.scrub(tNs) while dragging, on.trim([a, b]), on.segments(list), on.pick(index),
 * on.unflag(flag).
 */
export class Timeline {
  #player = null;
  #view = null;
  #range = [0, 0];
  #width = 0;
  #tNs = 0;
  #drawn = null; // what the rows show, so that they stay as they are while that holds
  #started = null;

  constructor(on) {
    this.on = on;
    this.ruler = el("div", { class: "track ruler" });
    this.rows = { segments: track("segments"), look: track("marks"), event: track("marks"), flag: track("marks") };
    this.modes = track("modes");
    this.opinions = el("div", { class: "opinions" });
    this.lanes = el("div", { class: "lanes" });
    this.overlay = this.#overlay();
    this.element = el(
      "section",
      { class: "timeline", "aria-label": "Timeline" },
      row("", this.ruler),
      row("Segments", this.rows.segments),
      row("Look at", this.rows.look),
      row("Events", this.rows.event),
      row("Flags", this.rows.flag),
      row("Control", this.modes),
      this.opinions,
      this.lanes,
      this.overlay,
    );
    this.element.addEventListener("pointerdown", (event) => this.#scrub(event));
    this.resized = new ResizeObserver(() => this.#measure());
    this.resized.observe(this.ruler);
  }

  dispose() {
    this.resized.disconnect();
  }

  /** Another episode. */
  setEpisode(player) {
    this.#player = player;
    this.#drawn = null;
    this.#started = null;
    this.#ticks();
    fill(
      this.modes,
      player.modes.map((mode) => this.#span(mode, `mode ${modeClass(mode.mode)}`, `${mode.mode} in control`)),
    );
    this.setTime(0);
  }

  /** What holds now: view, the counted range and whether it was only suggested, and the reviewers' opinions. */
  render(view, range, suggested) {
    this.#view = view;
    if (!this.#player) return;
    const drawn = JSON.stringify([view.segments, view.flags, view.opinions]);
    if (drawn !== this.#drawn) this.#draw();
    this.#drawn = drawn;
    this.setRange(range, suggested);
  }

  #draw() {
    const view = this.#view;
    const focused = this.element.getRootNode().activeElement?.title;
    const marks = marksOf(this.#player, view);
    for (const name of ["look", "event", "flag"]) this.#marks(name, marks.filter((mark) => mark.row === name));
    this.#segments();
    this.#opinions(
      (view.opinions ?? []).filter((each) => view.reviewers_wanted > 1 && (each.trim || each.segments.length > 0)),
    );
    if (focused) [...this.element.querySelectorAll("button")].find(({ title }) => title === focused)?.focus();
  }

  setRange(range, suggested = false) {
    this.#range = range;
    this.overlay.classList.toggle("suggested", suggested);
    this.before.style.width = this.#at(range[0]);
    this.after.style.left = this.#at(range[1]);
    for (const [i, handle] of this.handles.entries()) {
      handle.style.left = this.#at(range[i]);
      handle.setAttribute("aria-valuenow", (range[i] / NS_PER_S).toFixed(2));
      handle.setAttribute("aria-valuemax", (this.#duration / NS_PER_S).toFixed(2));
      handle.setAttribute("aria-valuetext", clock(range[i]));
    }
  }

  /** A flag that has begun and not ended: {label, start_ns}, or null. */
  setStarted(started) {
    this.#started = started;
    this.open.hidden = started === null;
    this.setTime(this.#tNs);
  }

  setTime(tNs) {
    this.#tNs = tNs;
    const x = (tNs / this.#duration) * this.#width;
    this.playhead.style.transform = `translateX(${x}px)`;
    if (this.#started) {
      const start = Math.min(this.#started.start_ns, tNs);
      this.open.style.left = this.#at(start);
      this.open.style.width = this.#at(Math.abs(tNs - this.#started.start_ns));
    }
  }

  get #duration() {
    return Math.max(1, this.#player?.duration_ns ?? 1);
  }

  #at(ns) {
    return `${((100 * ns) / this.#duration).toFixed(4)}%`;
  }

  #overlay() {
    this.playhead = el("div", { class: "playhead", "aria-hidden": "true" });
    this.before = el("div", { class: "outside before" });
    this.after = el("div", { class: "outside after" });
    this.open = el("div", { class: "open-flag", hidden: true });
    this.handles = ["Trim: start", "Trim: end"].map((name, i) => this.#handle(name, i));
    return el("div", { class: "overlay" }, this.before, this.after, this.open, ...this.handles, this.playhead);
  }

  #handle(name, i) {
    const handle = el("div", {
      class: `handle ${i === 0 ? "in" : "out"}`,
      role: "slider",
      tabIndex: 0,
      "aria-label": name,
      "aria-valuemin": "0",
      title: `${name} (${i === 0 ? "I" : "O"}); arrows move it`,
    });
    handle.addEventListener(
      "pointerdown",
      (event) => this.#drag(event, (tNs) => this.#moved(i, tNs), () => this.on.trim(this.#range)),
    );
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowRight: NUDGE_NS, ArrowUp: NUDGE_NS, ArrowLeft: -NUDGE_NS, ArrowDown: -NUDGE_NS }[event.key];
      if (!step) return;
      event.preventDefault();
      this.#moved(i, this.#range[i] + step);
    });
    handle.addEventListener("keyup", (event) => event.key.startsWith("Arrow") && this.on.trim(this.#range));
    return handle;
  }

  #moved(i, tNs) {
    const range = [...this.#range];
    range[i] = Math.round(
      i === 0 ? clamp(tNs, 0, range[1] - NUDGE_NS) : clamp(tNs, range[0] + NUDGE_NS, this.#duration),
    );
    this.setRange(range);
    this.on.scrub(range[i]);
  }

  #measure() {
    this.#width = this.ruler.clientWidth;
    this.#ticks();
    this.setTime(this.#tNs);
  }

  #ticks() {
    if (!this.#player || this.#width === 0) return;
    const seconds = this.#duration / NS_PER_S;
    const step = tickStep(seconds, this.#width / TICK_PX);
    const marks = [];
    for (let i = 0; i * step <= seconds; i += 1) {
      marks.push(
        el("span", { class: "tick", style: { left: this.#at(i * step * NS_PER_S) } }, tickName(i * step, step)),
      );
    }
    fill(this.ruler, marks);
  }

  #marks(name, marks) {
    const places = stacked(marks, this.#duration);
    fill(this.rows[name], marks.map((mark, i) => this.#mark(mark, places[i])));
  }

  #mark(mark, depth) {
    const point = mark.end_ns === mark.start_ns;
    const when = point ? clock(mark.start_ns) : `${clock(mark.start_ns)} – ${clock(mark.end_ns)}`;
    const title = mark.flag ? `${mark.title}, ${when}; Delete takes it off` : `${mark.title}, ${when}`;
    const node = this.#span(mark, `mark ${mark.tone} ${point ? "point" : ""}`, title);
    node.dataset.depth = depth;
    if (mark.flag) {
      node.addEventListener("keydown", (event) => {
        if (event.key === "Delete" || event.key === "Backspace") this.on.unflag(mark.flag);
      });
    }
    return node;
  }

  #span({ start_ns, end_ns }, className, title) {
    return el("button", {
      class: className,
      type: "button",
      title,
      "aria-label": title,
      style: { left: this.#at(start_ns), width: this.#at(end_ns - start_ns) },
      onclick: () => this.on.seek(start_ns),
    });
  }

  #segments() {
    const { segments } = this.#view;
    const parts = segments.map((segment, i) => {
      const title = `${segment.label}, ${clock(segment.start_ns)} – ${clock(segment.end_ns)}`;
      const node = this.#span(segment, `segment c${i % 6}`, title);
      node.append(el("span", {}, segment.label || "no label"));
      node.addEventListener("dblclick", () => this.on.pick(i));
      node.addEventListener("keydown", (event) => {
        if (event.key === "Delete" || event.key === "Backspace") this.on.unsegment(i);
      });
      return node;
    });
    const borders = segments.map((segment, i) =>
      el("div", {
        class: "border",
        title: "Drag the border",
        style: { left: this.#at(segment.end_ns) },
        onpointerdown: (event) => this.#dragBorder(event, i),
      }),
    );
    fill(
      this.rows.segments,
      segments.length > 0 ? [...parts, ...borders] : [el("span", { class: "soft" }, "none; B splits here")],
    );
  }

  #dragBorder(event, index) {
    const { segments } = this.#view;
    let moved = segments;
    const move = (tNs) => {
      moved = moveBorder(segments, index, tNs);
      this.#view = { ...this.#view, segments: moved };
      this.on.scrub(moved[index].end_ns);
      event.target.style.left = this.#at(moved[index].end_ns);
    };
    this.#drag(event, move, () => this.on.segments(moved));
  }

  #opinions(opinions) {
    fill(
      this.opinions,
      opinions.map((opinion) => {
        const lane = track("segments opinion");
        const parts = opinion.segments.map((segment, i) => {
          const node = this.#span(segment, `segment c${i % 6}`, `${opinion.author}: ${segment.label}`);
          node.append(el("span", {}, segment.label));
          return node;
        });
        if (opinion.trim) parts.push(
          this.#span(
            { start_ns: opinion.trim[0], end_ns: opinion.trim[1] },
            "opinion-trim",
            `${opinion.author}'s trim`,
          ),
        );
        fill(lane, parts);
        return row(opinion.author, lane);
      }),
    );
  }

  #scrub(event) {
    if (event.button !== 0 || event.target.closest("button, .handle, .border, .gutter")) return;
    this.#drag(event, (tNs) => this.on.scrub(tNs), (tNs) => this.on.seek(tNs), true);
  }

  /** Follows the pointer: `move(tNs)` at each move, `done(tNs)` at the end. */
  #drag(event, move, done, atOnce = false) {
    event.preventDefault();
    event.stopPropagation();
    const time = ({ clientX }) => {
      const box = this.ruler.getBoundingClientRect();
      return Math.round(clamp((clientX - box.left) / box.width, 0, 1) * this.#duration);
    };
    const { target } = event;
    target.setPointerCapture(event.pointerId);
    const moved = (each) => move(time(each));
    const ended = (each) => {
      target.removeEventListener("pointermove", moved);
      target.removeEventListener("pointerup", ended);
      target.removeEventListener("pointercancel", ended);
      done(time(each));
    };
    target.addEventListener("pointermove", moved);
    target.addEventListener("pointerup", ended);
    target.addEventListener("pointercancel", ended);
    if (atOnce) moved(event);
  }
}

/** A row of the block: its name in the gutter, its track on the axis. */
export function row(name, content, ...more) {
  return el("div", { class: "row" }, el("div", { class: "gutter", title: name }, name, ...more), content);
}

function track(kind) {
  return el("div", { class: `track ${kind}` });
}

function fill(parent, children) {
  parent.replaceChildren(...children);
}

function tickName(seconds, step) {
  const digits = step < 1 ? 1 : 0;
  if (seconds < 60) return `${seconds.toFixed(digits)} s`;
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(digits).padStart(digits ? 4 : 2, "0")}`;
}

function modeClass(mode) {
  return mode.includes("policy") ? "policy" : mode.includes("human") || mode.includes("teleop") ? "human" : "other";
}

/** For each mark the line, 0 or 1, on which it meets the fewest that came before. */
function stacked(marks, duration) {
  const ends = [-1, -1];
  const near = duration * 0.008;
  const order = marks.map((_, i) => i).sort((a, b) => marks[a].start_ns - marks[b].start_ns);
  const places = [];
  for (const i of order) {
    const { start_ns, end_ns } = marks[i];
    const line = ends[0] <= start_ns || ends[0] <= ends[1] ? 0 : 1;
    ends[line] = Math.max(ends[line], end_ns, start_ns + near);
    places[i] = line;
  }
  return places;
}
