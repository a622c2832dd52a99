// Which parts of an episode were seen. Times in ns.

/** The furthest that playing shows without a hole: the engine's longest tick at four times the speed. */
const PLAYED_NS = 0.45e9;
/** The furthest that stepping or dragging shows without a hole. */
const STEPPED_NS = 0.15e9;
/** Gaps this small in total do not count: the last frame's own length, rounding. */
const SLACK_NS = 0.1e9;

export class Coverage {
  #spans = [];
  #last = null;

  /** The playhead is at `tNs`. What lies between the last call and this one was shown, unless it is a leap. */
  at(tNs, playing) {
    if (this.#last !== null && tNs !== this.#last && Math.abs(tNs - this.#last) <= (playing ? PLAYED_NS : STEPPED_NS)) {
      this.#add(Math.min(this.#last, tNs), Math.max(this.#last, tNs));
    }
    this.#last = tNs;
  }

  /** The next time comes from a leap. */
  leap() {
    this.#last = null;
  }

  /** How much of [startNs, endNs] was not seen, ns; 0 within a small slack. */
  missing(startNs, endNs) {
    const seen = this.#spans.reduce((sum, [a, b]) => sum + Math.max(0, Math.min(b, endNs) - Math.max(a, startNs)), 0);
    const missing = endNs - startNs - seen;
    return missing <= SLACK_NS ? 0 : missing;
  }

  /** The share of [startNs, endNs] that was seen, 0..1. */
  share(startNs, endNs) {
    return endNs > startNs ? 1 - this.missing(startNs, endNs) / (endNs - startNs) : 1;
  }

  #add(start, end) {
    const apart = this.#spans.filter(([a, b]) => b < start || a > end);
    const joined = this.#spans.filter(([a, b]) => b >= start && a <= end);
    const span = [Math.min(start, ...joined.map(([a]) => a)), Math.max(end, ...joined.map(([, b]) => b))];
    this.#spans = [...apart, span].sort((a, b) => a[0] - b[0]);
  }
}
