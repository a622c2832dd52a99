"""The checks of an episode as a whole: its length, its numbers, its steps, and what the safety chain did."""

from __future__ import annotations

import numpy as np

from teleloom.quality.checked import Checked
from teleloom.quality.config import QualityConfig
from teleloom.quality.recording import Recording, sound_rows
from teleloom.quality.report import Severity
from teleloom.quality.spans import Span, densest, longest, time_spans


def check_duration(recording: Recording, config: QualityConfig) -> Checked:
    """Too short to be an attempt, or long enough to be two; and an operator whom the task's own check contradicts."""
    checked = Checked()
    whole = (recording.start_ns, recording.end_ns)
    checked.measure("duration_s", recording.duration_s, whole)
    if recording.duration_s < config.min_duration_s:
        checked.say("short", "fault", whole, f"lasts {recording.duration_s:.1f} s, under {config.min_duration_s:g} s")
    if recording.duration_s > config.max_duration_s:
        checked.say("long", "warning", whole, f"lasts {recording.duration_s:.0f} s, over {config.max_duration_s:g} s")
    meta = recording.meta
    if meta.outcome == "success" and meta.success_check is False:
        checked.say("outcome", "warning", whole, "the operator said success, the task's own check says otherwise")
    return checked


def check_finite(recording: Recording, config: QualityConfig) -> Checked:
    """NaN or infinity in what the robot measured or was told: a policy would learn from it."""
    checked = Checked()
    for source, columns, names in (
        ("robot", recording.robot, ("q", "dq", "ee_pose", "gripper")),
        ("tick", recording.tick, ("q_command", "target_executed", "gripper_command")),
    ):
        for name in names:
            if not recording.knows(columns, name):
                continue
            broken = ~sound_rows(columns[name])
            count = int(np.count_nonzero(broken))
            if count and not (name == "dq" and np.all(broken)):  # an arm that does not measure its speed says NaN
                where = np.flatnonzero(broken)
                span = (int(columns["t_ns"][where[0]]), int(columns["t_ns"][where[-1]]))
                checked.say(
                    "not-finite",
                    "fault",
                    span,
                    f"{source}.{name}: {count} samples are no numbers that it can have",
                    source,
                )
    return checked


def check_steps(recording: Recording, config: QualityConfig) -> Checked:
    """Aligned steps whose state or picture was too old to hold."""
    checked = Checked()
    t_ns = recording.step_t_ns
    for source, valid in recording.step_valid.items():
        if not len(valid) or not (source == "robot" or source.startswith("cameras/")):
            continue
        share = 1.0 - np.count_nonzero(valid) / len(valid)
        where = t_ns[~valid]
        span = densest(where, where, np.ones(len(where)), config.apart_s) if len(where) else None
        checked.measure(f"{source}.invalid_share", share, span)
        if span is not None and share > config.invalid_warning_share:
            severity: Severity = "fault" if share > config.invalid_fault_share else "warning"
            message = f"{source}: {share:.0%} of the steps have no sample young enough"
            checked.say("invalid-steps", severity, span, message, source)
    return checked


def check_interventions(recording: Recording, config: QualityConfig) -> Checked:
    """What the safety chain did, and whether anyone drove at all."""
    checked = Checked()
    everything: list[Span] = []
    for name, active in recording.interventions.items():
        spans = time_spans(active, recording.tick["t_ns"])
        if spans:
            checked.metrics[f"intervention.{name}"] = float(len(spans))
            shown = longest(spans)
            checked.say("intervention", "note", shown, f"{name}: {len(spans)}×, the longest shown", "tick")
            everything += spans
    if "interventions" in recording.tick:
        checked.measure("interventions", float(len(everything)), _thickest(everything, config.apart_s))
    if "engaged" in recording.tick and "mode" in recording.tick and len(recording.tick["t_ns"]):
        driven = recording.tick["engaged"].astype(bool) | (recording.tick["mode"] > 0)
        checked.metrics["driven_share"] = float(np.mean(driven))
        if not np.any(driven):
            span = (recording.start_ns, recording.end_ns)
            checked.say("never-engaged", "warning", span, "nobody drove the arm: the clutch was never closed", "tick")
    return checked


def _thickest(spans: list[Span], apart_s: float) -> Span | None:
    """Where most of the spans lie, None where there are none."""
    if not spans:
        return None
    start_ns, end_ns = np.array(sorted(spans), dtype=np.int64).T
    return densest(start_ns, np.maximum.accumulate(end_ns), np.ones(len(spans)), apart_s)
