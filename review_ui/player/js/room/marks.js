// What lies on the timeline, as one list: findings, risks, supervisor events, interventions, flags. Times in ns.

const TONES = ["bad", "warn", "violet", "note"]; // the gravest first
/** Marks whose ends are this near to one another become one. */
const SAME_NS = 0.06e9;

/** Marks {row, tone, start_ns, end_ns, title, flag?} of an episode; `flag` where a reviewer set it. */
export function marksOf(player, view) {
  return [...merged(looks(player)), ...merged(happenings(player)), ...flags(view)];
}

/** One mark for all that lie at the same place, the gravest in the lead. */
function merged(marks) {
  const found = [];
  for (const mark of [...marks].sort((a, b) => TONES.indexOf(a.tone) - TONES.indexOf(b.tone))) {
    const near = found.find(
      (each) => Math.abs(each.start_ns - mark.start_ns) <= SAME_NS && Math.abs(each.end_ns - mark.end_ns) <= SAME_NS,
    );
    if (!near) found.push({ ...mark });
    else if (!near.title.includes(mark.title)) near.title += `\n${mark.title}`;
  }
  return found.sort((a, b) => b.end_ns - b.start_ns - (a.end_ns - a.start_ns));
}

function looks({ findings, risks }) {
  const found = findings.map((finding) => ({
    row: "look",
    tone: { fault: "bad", warning: "warn" }[finding.severity] ?? "note",
    start_ns: finding.start_ns,
    end_ns: finding.end_ns,
    title: `${finding.severity}: ${finding.message}`,
  }));
  const known = new Set(found.map((mark) => `${mark.start_ns}/${mark.end_ns}`));
  const risky = risks
    .filter((risk) => !known.has(`${risk.start_ns}/${risk.end_ns}`))
    .map((risk) => ({ row: "look", tone: "warn", ...spanOf(risk), title: `why look: ${risk.message}` }));
  return [...found, ...risky];
}

function happenings({ events, interventions }) {
  const acted = interventions.map(
    (each) => ({ row: "event", tone: "violet", ...spanOf(each), title: `safety chain: ${each.name}` }),
  );
  const said = events.map((each) => ({
    row: "event",
    tone: "note",
    start_ns: each.t_ns,
    end_ns: each.t_ns,
    title: each.reason ? `${each.kind}: ${each.reason}` : each.kind,
  }));
  return [...acted, ...said];
}

function flags({ flags: set }) {
  return set.map((flag) => ({
    row: "flag",
    tone: flag.label === "mistake" ? "bad" : flag.label === "intervention" ? "violet" : "note",
    ...spanOf(flag),
    title: flag.note ? `${flag.label}: ${flag.note}` : flag.label,
    flag,
  }));
}

function spanOf({ start_ns, end_ns }) {
  return { start_ns, end_ns };
}
