"""What changed that a person or the recording should know: interventions, mode and clutch, without flicker."""

from __future__ import annotations

from dataclasses import dataclass, field

from teleloom.clock import NS_PER_S
from teleloom.messages import ControlMode
from teleop.operator import HapticPattern, Hud
from teleop.supervisor import INTERVENTIONS

# An intervention that pauses for less than this is still the same one.
QUIET_S = 0.25


@dataclass(frozen=True)
class Notice:
    """One change: kind 'intervention' (reason: its name), 'intervention_end', 'mode' or 'clutch'."""

    kind: str
    reason: str
    explanation: str = ""


@dataclass(frozen=True)
class Announced:
    """What was last said. seen: the interventions that stand, and when each was last active, ns."""

    mode: ControlMode = ControlMode.HOLD
    engaged: bool = False
    seen: dict[str, int] = field(default_factory=dict)


def announce(
    now_ns: int, mode: ControlMode, engaged: bool, interventions: tuple[str, ...], before: Announced
) -> tuple[list[Notice], Announced]:
    """The changes since `before`. An intervention begins at once and ends after QUIET_S without it."""
    if not interventions and not before.seen and mode == before.mode and engaged == before.engaged:
        return [], before
    notices = [
        Notice("intervention", name, INTERVENTIONS[name].explanation)
        for name in interventions
        if name not in before.seen
    ]
    quiet_ns = QUIET_S * NS_PER_S
    ended = [name for name, last in before.seen.items() if name not in interventions and now_ns - last > quiet_ns]
    notices += [Notice("intervention_end", name) for name in ended]
    if mode != before.mode:
        notices.append(Notice("mode", mode.name.lower()))
    if engaged != before.engaged:
        notices.append(Notice("clutch", "engaged" if engaged else "released"))
    seen = {name: last for name, last in before.seen.items() if name not in ended}
    seen.update(dict.fromkeys(interventions, now_ns))
    return notices, Announced(mode, engaged, seen)


def feedback(notices: list[Notice], announced: Announced, recording: str) -> tuple[HapticPattern, Hud]:
    """What the operator feels and sees: the strongest of the changes, and why the arm refuses while it does."""
    patterns = [INTERVENTIONS[notice.reason].haptic for notice in notices if notice.kind == "intervention"]
    if any(notice.kind == "clutch" for notice in notices):
        patterns.append(HapticPattern.ENGAGED if announced.engaged else HapticPattern.RELEASED)
    strongest = max(patterns, key=lambda pattern: pattern.value[0] * pattern.value[2], default=HapticPattern.NONE)
    standing = sorted(announced.seen, key=lambda name: not INTERVENTIONS[name].fault)
    refusal = "; ".join(INTERVENTIONS[name].explanation for name in standing)
    return strongest, Hud(mode=announced.mode.name.lower(), refusal=refusal, recording=recording)
