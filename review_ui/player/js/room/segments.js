// Segments as lists: sorted, without overlaps. Each function returns a new list. Times in ns.

/** The shortest part that a split or a moved border may leave. */
export const SHORTEST_NS = 0.05e9;

/** The segment that holds `tNs`, or -1. */
export function indexAt(segments, tNs) {
  return segments.findIndex((segment) => segment.start_ns <= tNs && tNs < segment.end_ns);
}

/**
 * `segments` with a border at `tNs`: the part that holds it becomes two. Where no part holds it, the whole `range`
 * (none yet) or the gap around it is split. Returns {segments, index}, index of the part before the border; null where
 * a part would be too short.
 */
export function split(segments, tNs, range, label) {
  const held = indexAt(segments, tNs);
  const part = held >= 0 ? segments[held] : gapAround(segments, tNs, range, label);
  if (tNs - part.start_ns < SHORTEST_NS || part.end_ns - tNs < SHORTEST_NS) return null;
  const others = segments.filter((_, i) => i !== held);
  const parts = [{ ...part, end_ns: tNs }, { ...part, start_ns: tNs }];
  const all = [...others, ...parts].sort((a, b) => a.start_ns - b.start_ns);
  return { segments: all, index: all.indexOf(parts[0]) };
}

function gapAround(segments, tNs, range, label) {
  const before = segments.filter((segment) => segment.end_ns <= tNs).at(-1);
  const after = segments.find((segment) => segment.start_ns > tNs);
  const start_ns = before?.end_ns ?? Math.min(range[0], tNs);
  const end_ns = after?.start_ns ?? Math.max(range[1], tNs);
  return { start_ns, end_ns, label, outcome: null };
}

/** `segments` with the border after part `index` at `tNs`; a neighbour that touches moves along. */
export function moveBorder(segments, index, tNs) {
  const part = segments[index];
  const next = segments[index + 1];
  const touches = next && next.start_ns === part.end_ns;
  const last = touches ? next.end_ns - SHORTEST_NS : (next?.start_ns ?? Number.MAX_SAFE_INTEGER);
  const border = Math.round(Math.min(Math.max(tNs, part.start_ns + SHORTEST_NS), last));
  return segments.map((segment, i) => {
    if (i === index) return { ...segment, end_ns: border };
    return touches && i === index + 1 ? { ...segment, start_ns: border } : segment;
  });
}

/** `segments` with part `index` said anew. */
export function relabel(segments, index, label, outcome = segments[index].outcome) {
  return segments.map((segment, i) => (i === index ? { ...segment, label, outcome } : segment));
}

export function without(segments, index) {
  return segments.filter((_, i) => i !== index);
}
