"""The checks that make up the verdict: each reads a recording and gives figures and findings.

A check is a function `(recording, config) -> Checked`. It never raises on strange data; what it cannot measure it
leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from teleloom.quality import motion as motions
from teleloom.quality.config import QualityConfig
from teleloom.quality.recording import Columns, Recording, motion_of, sound_rows, usable
from teleloom.quality.report import Finding, Severity
from teleloom.quality.spans import runs, time_spans
from teleloom.quality.timing import gaps_longer_than, nearest_distance


@dataclass
class Checked:
    """What a check gives: figures by name, and findings."""

    metrics: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def say(self, kind: str, severity: Severity, span: tuple[int, int], message: str, source: str = "") -> None:
        """Add a finding."""
        self.findings.append(
            Finding(kind=kind, severity=severity, start_ns=span[0], end_ns=span[1], message=message, source=source)
        )


def check_duration(recording: Recording, config: QualityConfig) -> Checked:
    """Too short to be an attempt, or long enough to be two; and an operator whom the task's own check contradicts."""
    checked = Checked(metrics={"duration_s": recording.duration_s})
    whole = (recording.start_ns, recording.end_ns)
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
            if name not in columns:
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


def check_motion(recording: Recording, config: QualityConfig) -> Checked:
    """Smoothness, economy, rest at the ends, and whether the arm moved at all."""
    checked = Checked()
    whole = (recording.start_ns, recording.end_ns)
    motion = motion_of(recording.robot, "q", config.motion_rate_hz, config.motion_cutoff_hz)
    if motion is None:
        checked.say("no-state", "fault", whole, "the robot's state is missing", "robot")
        return checked
    travel_rad = float(np.linalg.norm(np.diff(motion.q, axis=0), axis=1).sum())
    travel_m = _tool_reach(recording.robot)
    idle, leading, trailing = motions.rest(motion.speed, motion.rate_hz, config.rest_speed_rad_s)
    checked.metrics |= {
        "travel_rad": travel_rad,
        "tool_reach_m": travel_m,
        "idle_share": idle,
        "idle_leading_s": leading,
        "idle_trailing_s": trailing,
    }
    if travel_rad < config.min_travel_rad and travel_m < config.min_travel_m:
        checked.say(
            "no-motion", "fault", whole, f"the arm did not move (tool within {1000 * travel_m:.0f} mm)", "robot"
        )
        return checked
    smoothness = {
        "sparc": motions.sparc(motion.speed, motion.rate_hz),
        "ldlj": motions.log_dimensionless_jerk(motion.speed, motion.rate_hz),
        "path_efficiency": motions.path_efficiency(motion.q, _grasps(recording.robot, motion)),
    }
    checked.metrics |= {name: value for name, value in smoothness.items() if value is not None}
    start, end = int(motion.t_ns[0]), int(motion.t_ns[-1])
    if leading > config.idle_edge_s:
        span = (start, start + int(leading * 1e9))
        checked.say("idle-start", "note", span, f"rests for {leading:.1f} s at the start", "robot")
    if trailing > config.idle_edge_s:
        span = (end - int(trailing * 1e9), end)
        checked.say("idle-end", "note", span, f"rests for {trailing:.1f} s at the end", "robot")
    if idle > config.idle_share:
        checked.say("idle", "warning", whole, f"rests for {idle:.0%} of the time", "robot")
    return checked


def _tool_reach(robot: Columns) -> float:
    """Diagonal of the box, in m, that the tool stayed in."""
    position = robot["ee_pose"][:, :3]
    position = position[sound_rows(position)]
    return float(np.linalg.norm(np.ptp(position, axis=0))) if len(position) else 0.0


def _grasps(robot: Columns, motion: motions.Motion) -> NDArray[np.int64]:
    """Indices in the even motion at which the gripper passes half open."""
    changes = np.flatnonzero(np.diff((robot["gripper"] > 0.5).astype(np.int8)))
    return np.searchsorted(motion.t_ns, robot["t_ns"][changes + 1])


def check_jumps(recording: Recording, config: QualityConfig) -> Checked:
    """Steps that no joint can make: a glitch of an encoder, a swapped frame, a target that leapt."""
    checked = Checked()
    limit = np.array(recording.meta.robot.dq_max)
    for source, columns, name in (("robot", recording.robot, "q"), ("tick", recording.tick, "q_command")):
        if name not in columns:
            continue
        rows = usable(columns, name)
        t_ns = columns["t_ns"][rows]
        if len(t_ns) < 3:
            continue
        found = motions.jumps(t_ns, columns[name][rows], limit, config.jump_z, config.jump_speed_share)
        checked.metrics[f"jumps_{source}"] = float(np.count_nonzero(found))
        for first, last in runs(found):
            span = (int(t_ns[first]), int(t_ns[last + 1]))
            checked.say("jump", "warning", span, f"{source}.{name} jumps faster than the joints can", source)
    return checked


def check_tracking(recording: Recording, config: QualityConfig) -> Checked:
    """How far and how late the arm follows its command, and how long it runs at its speed limit."""
    checked = Checked()
    robot, tick = recording.robot, recording.tick
    rows, measured_speed = usable(robot, "q"), usable(robot, "dq")
    limit = np.array(recording.meta.robot.dq_max)
    if np.any(measured_speed):
        at_limit = motions.saturated(robot["dq"][measured_speed], limit)
        moving = np.linalg.norm(robot["dq"][measured_speed], axis=1) > config.rest_speed_rad_s
        share = float(np.count_nonzero(at_limit) / np.maximum(1, np.count_nonzero(moving)))
        checked.metrics["saturation_share"] = share
        if share > config.saturation_share:
            where = robot["t_ns"][measured_speed][at_limit]
            message = f"a joint runs at its speed limit for {share:.0%} of the motion"
            checked.say("saturation", "warning", (int(where[0]), int(where[-1])), message, "robot")
    if "q_command" not in tick or not len(limit):
        return checked
    told = usable(tick, "q_command")
    t_ns, error = motions.tracking_error(
        tick["t_ns"][told], tick["q_command"][told], robot["t_ns"][rows], robot["q"][rows]
    )
    if len(error):
        p50, p95, largest = np.percentile(error, (50, 95, 100))
        checked.metrics |= {
            "tracking_error_p50_rad": float(p50),
            "tracking_error_p95_rad": float(p95),
            "tracking_error_max_rad": float(largest),
        }
        for span in time_spans(error > config.tracking_error_rad, t_ns, config.sustained_s):
            message = f"the arm is more than {config.tracking_error_rad:g} rad from its command"
            checked.say("tracking", "warning", span, message, "robot")
    command = motion_of(tick, "q_command", config.motion_rate_hz, config.motion_cutoff_hz)
    measured = motion_of(robot, "q", config.motion_rate_hz, config.motion_cutoff_hz)
    lag = motions.command_lag(command, measured) if command and measured else None
    if lag is not None:
        checked.metrics["command_lag_s"] = lag
    return checked


def check_timing(recording: Recording, config: QualityConfig) -> Checked:
    """Rate, jitter, losses and silences of the robot, the control loop and every camera."""
    checked = Checked()
    control = {
        name: columns["t_ns"] for name, columns in {"robot": recording.robot, "tick": recording.tick}.items() if columns
    }
    cameras = {f"cameras/{name}": t_ns for name, t_ns in recording.cameras.items()}
    for source, t_ns in (control | cameras).items():
        timing = recording.timing[source]
        checked.metrics |= {
            f"{source}.rate_hz": timing.rate_hz,
            f"{source}.jitter": timing.jitter,
            f"{source}.drops": float(timing.drops),
        }
        warning_s, fault_s = config.gap_warning_s, config.gap_fault_s
        if source in cameras:
            periods = config.camera_gap_periods / timing.rate_hz if timing.rate_hz else 0.0
            warning_s = max(config.camera_gap_warning_s, periods)
            fault_s = max(config.camera_gap_fault_s, periods)
        bounded = np.concatenate(([recording.start_ns], t_ns, [recording.end_ns]))
        for start, end in gaps_longer_than(bounded, warning_s):
            silence = (end - start) / 1e9
            severity: Severity = "fault" if silence > fault_s else "warning"
            checked.say("gap", severity, (start, end), f"{source} is silent for {silence:.2f} s", source)
        if timing.drop_share > config.drop_warning_share:
            severity = "fault" if timing.drop_share > config.drop_fault_share else "warning"
            message = f"{source} lost {timing.drops} samples of {timing.samples + timing.drops}"
            checked.say("drops", severity, (int(t_ns[0]), int(t_ns[-1])), message, source)
    return checked


def check_cameras(recording: Recording, config: QualityConfig) -> Checked:
    """Cameras that the episode promises and does not have, and frames far from any robot state."""
    checked = Checked()
    whole = (recording.start_ns, recording.end_ns)
    for spec in recording.meta.cameras:
        if spec.codec == "jpeg" and not len(recording.cameras.get(spec.name, ())):
            checked.say("no-camera", "fault", whole, f"camera '{spec.name}' has no frame", f"cameras/{spec.name}")
    reference = recording.robot.get("t_ns", np.empty(0, dtype=np.int64))
    if not len(reference):
        return checked
    reference = np.sort(reference)
    for name, t_ns in recording.cameras.items():
        if not len(t_ns):
            continue
        skew = nearest_distance(t_ns, reference) / 1e9
        checked.metrics[f"cameras/{name}.skew_p99_s"] = float(np.percentile(skew, 99))
        far = skew > config.skew_warning_s
        for span in time_spans(far, t_ns, at_least_s=config.sustained_s):
            message = f"camera '{name}': frames lie up to {1000 * skew.max():.0f} ms from the robot's state"
            checked.say("skew", "warning", span, message, f"cameras/{name}")
    return checked


def check_steps(recording: Recording, config: QualityConfig) -> Checked:
    """Aligned steps whose state or picture was too old to hold."""
    checked = Checked()
    t_ns = recording.step_t_ns
    for source, valid in recording.step_valid.items():
        if not len(valid) or not (source == "robot" or source.startswith("cameras/")):
            continue
        share = 1.0 - np.count_nonzero(valid) / len(valid)
        checked.metrics[f"{source}.invalid_share"] = share
        if share > config.invalid_warning_share:
            where = t_ns[~valid]
            severity: Severity = "fault" if share > config.invalid_fault_share else "warning"
            message = f"{source}: {share:.0%} of the steps have no sample young enough"
            checked.say("invalid-steps", severity, (int(where[0]), int(where[-1])), message, source)
    return checked


def check_interventions(recording: Recording, config: QualityConfig) -> Checked:
    """What the safety chain did, and whether anyone drove at all."""
    checked = Checked()
    for name, active in recording.interventions.items():
        spans = time_spans(active, recording.tick["t_ns"])
        if spans:
            checked.metrics[f"intervention.{name}"] = float(len(spans))
            longest = max(spans, key=lambda span: span[1] - span[0])
            checked.say("intervention", "note", longest, f"{name}: {len(spans)}×, the longest shown", "tick")
    if "engaged" in recording.tick and "mode" in recording.tick and len(recording.tick["t_ns"]):
        driven = recording.tick["engaged"].astype(bool) | (recording.tick["mode"] > 0)
        checked.metrics["driven_share"] = float(np.mean(driven))
        if not np.any(driven):
            span = (recording.start_ns, recording.end_ns)
            checked.say("never-engaged", "warning", span, "nobody drove the arm: the clutch was never closed", "tick")
    return checked
