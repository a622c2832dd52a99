"""What can speak against an episode in its group: findings, outlying figures, duration, final pose, near-duplicates.

Each function takes a group and gives (index of the member, reason). Figures count on their bad side alone, and a
reason seeks to the time that shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from teleloom.quality.corpus import robust
from teleloom.quality.corpus.group import Array, Group
from teleloom.quality.corpus.risk import RiskReason
from teleloom.quality.corpus.robust import OUTLIER_Z, weight_of
from teleloom.quality.corpus.rules import Rule
from teleloom.quality.corpus.twins import nearest

Reasons = Iterator[tuple[int, RiskReason]]

FAULT_WEIGHT, WARNING_WEIGHT = 0.9, 0.5
CAUTION = 4.0
"""How many further episodes without the warning are imagined in each group, so that few prove nothing."""

DURATION_FLOOR_SHARE = 0.1
POSE_FLOOR_M = 0.02
POSE_TRUST = 0.6
TWIN_M = 0.02
TWIN_FLOOR = 0.35
SAME_M = 1e-4
FIRST_TWIN_SHARE = 0.5


def from_findings(group: Group) -> Reasons:
    """What the instant verdict said: faults, and warnings by how few others of the group have the same."""
    spread = Counter(kind for member in group.members for kind in {finding.kind for finding in member.findings})
    for index, member in enumerate(group.members):
        for finding in member.findings:
            if finding.severity == "note":
                continue
            weight = FAULT_WEIGHT
            if finding.severity == "warning":
                weight = WARNING_WEIGHT * (1.0 - (spread[finding.kind] - 1) / (len(group) - 1 + CAUTION))
            span = finding.start_ns, finding.end_ns
            yield index, _reason(finding.kind, weight, finding.message, span, finding.source)


def from_metrics(group: Group) -> Reasons:
    """Figures that lie far on the bad side of what is usual in the group."""
    for name, rule, source, values in group.columns:
        scaled = np.log(np.maximum(values, 1e-9)) if rule.logarithmic else values
        z = robust.badness(scaled, rule.side, rule.floor)
        usual = float(np.nanmedian(values))
        for index in np.flatnonzero(z >= OUTLIER_Z).tolist():
            member = group.members[index]
            weight = rule.trust * weight_of(z[index])
            message = _compared(group, rule, source, values, z, index, usual)
            span = member.evidence.get(name, (member.start_ns, member.end_ns))
            yield index, _reason(rule.kind, weight, message, span, source)


def _compared(group: Group, rule: Rule, source: str, values: Array, z: Array, index: int, usual: float) -> str:
    others = int(np.count_nonzero(np.isfinite(z))) - 1
    milder = int(np.count_nonzero(z < z[index]))
    those = "all others" if milder >= others else f"{milder / others:.0%}"
    return f"{rule.said.format(source=source)} {those} of {group.name}: {rule.compared(values[index], usual)}"


def from_duration(group: Group) -> Reasons:
    """Beyond Tukey's fences of the group's durations."""
    durations = group.durations_s
    known = durations[np.isfinite(durations)]
    if not len(known):
        return
    low, high, spread = robust.fences(known, DURATION_FLOOR_SHARE)
    usual = float(np.median(known))
    for index in np.flatnonzero((durations < low) | (durations > high)).tolist():
        member, lasts = group.members[index], float(durations[index])
        short = lasts < low
        beyond = (low - lasts if short else lasts - high) / spread
        message = (
            f"lasts {lasts:.1f} s, {'shorter' if short else 'longer'} than is usual for {group.name}: {usual:.1f} s"
        )
        start_ns = member.start_ns if short else min(member.end_ns, member.start_ns + round(high * 1e9))
        # Tukey's fence of a normal distribution lies at 2.7 standard deviations, an IQR is 1.35 of them.
        weight = weight_of(2.7 + 1.35 * beyond)
        yield index, _reason("too-short" if short else "too-long", weight, message, (start_ns, member.end_ns))


def from_final_pose(group: Group) -> Reasons:
    """A tool that ends far from where the others of the group end."""
    if len(group.signed) < 2:
        return
    last = group.ways[:, -1, :3]
    away_m = np.linalg.norm(last - np.median(last, axis=0), axis=1)
    z = robust.badness(away_m, "high", POSE_FLOOR_M)
    usual = float(np.median(away_m))
    for row in np.flatnonzero(z >= OUTLIER_Z).tolist():
        member = group.members[group.signed[row]]
        message = f"ends {away_m[row]:.2f} m from where {group.name} usually ends; others {usual:.2f} m"
        span = max(member.start_ns, member.end_ns - 1_000_000_000), member.end_ns
        yield int(group.signed[row]), _reason("final-pose", POSE_TRUST * weight_of(z[row]), message, span, "robot")


def from_twins(group: Group) -> Reasons:
    """An episode that is nearly the same as another: the later of the two in full, the earlier by half."""
    if len(group.signed) < 2:
        return
    durations = np.nan_to_num(group.durations_s[group.signed], nan=1.0)
    apart_m, other = nearest(group.ways, durations)
    likeness = -np.log(np.maximum(apart_m, SAME_M))
    z = robust.badness(likeness, "high", TWIN_FLOOR)
    usual = float(np.median(apart_m))
    for row in np.flatnonzero((z >= OUTLIER_Z) & (apart_m <= TWIN_M)).tolist():
        member, twin = (group.members[group.signed[i]] for i in (row, int(other[row])))
        share = 1.0 if member.episode_id > twin.episode_id else FIRST_TWIN_SHARE
        message = (
            f"nearly the same as {twin.episode_id}: {1000 * apart_m[row]:.0f} mm apart, "
            f"usual for {group.name} {1000 * usual:.0f} mm"
        )
        span = member.start_ns, member.end_ns
        reason = _reason("near-duplicate", share * weight_of(z[row]), message, span, "", twin.episode_id)
        yield int(group.signed[row]), reason


def _reason(
    kind: str, weight: float, message: str, span: tuple[int, int], source: str = "", other: str | None = None
) -> RiskReason:
    return RiskReason(
        kind=kind,
        weight=round(weight, 4),
        message=message,
        start_ns=span[0],
        end_ns=span[1],
        source=source,
        other=other,
    )
