const NS_PER_MS = 1e6;

/** After a stall (a hidden tab, a busy machine) the playhead goes on from where it was, and does not leap. */
export const LONGEST_TICK_MS = 100;

/**
 * Where the playhead is after some wall time.
 *
 * @param {number} tNs
 * @param {number} elapsedMs  wall time since the last tick
 * @param {number} rate  recorded time per wall time
 * @param {[number, number]} range  it starts again at the range's start when outside of it
 * @returns {{tNs: number, ended: boolean}}
 */
export function advance(tNs, elapsedMs, rate, [start, end]) {
  if (tNs < start || tNs > end) return { tNs: start, ended: false };
  const next = tNs + Math.round(Math.min(Math.max(elapsedMs, 0), LONGEST_TICK_MS) * NS_PER_MS * rate);
  return next >= end ? { tNs: end, ended: true } : { tNs: next, ended: false };
}
