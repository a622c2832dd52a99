"""The checks of motion: smoothness, economy, rest, jumps, and how the arm follows what it is told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teleloom.quality import motion as motions
from teleloom.quality.checked import Checked
from teleloom.quality.config import QualityConfig
from teleloom.quality.motion import Motion
from teleloom.quality.recording import Columns, Recording, motion_of, sound_rows, usable
from teleloom.quality.spans import Span, busiest, densest, longest, runs, time_spans, without_gaps

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

WINDOW_S = 1.0
"""The stretch of time that is shown for a figure which holds over the whole episode."""


def check_motion(recording: Recording, config: QualityConfig) -> Checked:
    """Smoothness, economy, rest, and whether the arm moved at all."""
    checked = Checked()
    whole = (recording.start_ns, recording.end_ns)
    motion = recording.motion
    if motion is None:
        if recording.robot and not recording.knows(recording.robot, "q"):
            if recording.knows(recording.robot, "ee_pose"):
                checked.measure("tool_reach_m", _tool_reach(recording.robot))
            return checked
        checked.say("no-state", "fault", whole, "the robot's state is missing", "robot")
        return checked
    travel_rad = float(np.linalg.norm(np.diff(motion.q, axis=0), axis=1).sum())
    travel_m = _tool_reach(recording.robot)
    checked.measure("travel_rad", travel_rad)
    checked.measure("tool_reach_m", travel_m)
    slow = motions.low_pass(motion.dq, motion.rate_hz, config.slow_cutoff_hz)
    resting = np.linalg.norm(slow, axis=1) < config.rest_speed_rad_s
    resting &= _tool_speed(recording.robot, motion, config.slow_cutoff_hz) < config.rest_speed_m_s
    resting = without_gaps(resting, round(config.sustained_s * motion.rate_hz))
    _measure_rest(checked, motion, resting)
    if travel_rad < config.min_travel_rad and travel_m < config.min_travel_m:
        checked.say(
            "no-motion", "fault", whole, f"the arm did not move (tool within {1000 * travel_m:.0f} mm)", "robot"
        )
        return checked
    _say_rest(checked, config)
    _measure_smoothness(checked, motion, slow, resting)
    _measure_economy(checked, motion, _grasps(recording.robot, motion))
    return checked


def _tool_reach(robot: Columns) -> float:
    """Diagonal of the box, in m, that the tool stayed in."""
    position = robot["ee_pose"][:, :3]
    position = position[sound_rows(position)]
    return float(np.linalg.norm(np.ptp(position, axis=0))) if len(position) else 0.0


def _tool_speed(robot: Columns, motion: Motion, cutoff_hz: float) -> Array:
    """Speed (N,) of the tool at the motion's times, m/s, low-passed; zero where its pose is not known."""
    rows = usable(robot, "ee_pose")
    if not np.any(rows):
        return np.zeros(len(motion.t_ns))
    position, t_ns = robot["ee_pose"][rows, :3], robot["t_ns"][rows]
    even = np.array([np.interp(motion.t_ns, t_ns, axis) for axis in position.T]).T
    smooth = motions.low_pass(even, motion.rate_hz, cutoff_hz)
    return np.asarray(np.linalg.norm(np.gradient(smooth, 1.0 / motion.rate_hz, axis=0), axis=1))


def _grasps(robot: Columns, motion: Motion) -> NDArray[np.int64]:
    """Indices in the even motion at which the gripper passes half open."""
    changes = np.flatnonzero(np.diff((robot["gripper"] > 0.5).astype(np.int8)))
    return np.searchsorted(motion.t_ns, robot["t_ns"][changes + 1])


def _measure_rest(checked: Checked, motion: Motion, resting: Mask) -> None:
    start, end = int(motion.t_ns[0]), int(motion.t_ns[-1])
    idle, leading, trailing = motions.rest(resting, motion.rate_hz)
    rests = time_spans(resting, motion.t_ns)
    most = longest(rests) if rests else (start, start)
    checked.measure("idle_share", idle, most)
    checked.measure("idle_leading_s", leading, (start, start + int(leading * 1e9)))
    checked.measure("idle_trailing_s", trailing, (end - int(trailing * 1e9), end))
    checked.measure("idle_longest_s", (most[1] - most[0]) / 1e9, most)


def _say_rest(checked: Checked, config: QualityConfig) -> None:
    for end, said in (("leading", "start"), ("trailing", "end")):
        rest_s = checked.metrics[f"idle_{end}_s"]
        if rest_s > config.idle_edge_s:
            span = checked.evidence[f"idle_{end}_s"]
            checked.say(f"idle-{said}", "note", span, f"rests for {rest_s:.1f} s at the {said}", "robot")
    rest_s, most = checked.metrics["idle_longest_s"], checked.evidence["idle_longest_s"]
    edges = checked.evidence["idle_leading_s"][1], checked.evidence["idle_trailing_s"][0]
    if rest_s > config.pause_s and edges[0] < most[0] and most[1] < edges[1]:
        checked.say("pause", "note", most, f"rests for {rest_s:.1f} s on the way", "robot")
    if checked.metrics["idle_share"] > config.idle_share:
        message = f"rests for {checked.metrics['idle_share']:.0%} of the time, longest here"
        checked.say("idle", "warning", most, message, "robot")


def _measure_smoothness(checked: Checked, motion: Motion, slow: Array, resting: Mask) -> None:
    """Smoothness of the motion without its rests: a pause is no jerk, and has figures of its own."""
    window = round(WINDOW_S * motion.rate_hz)
    quick = np.sum((motion.dq - slow) ** 2, axis=1)
    where, power = busiest(quick, motion.t_ns, window)
    checked.measure("shake_rad_s", float(np.sqrt(power)), where)
    speed = motion.speed[~resting]
    for name, value in (
        ("sparc", motions.sparc(speed, motion.rate_hz)),
        ("ldlj", motions.log_dimensionless_jerk(speed, motion.rate_hz)),
    ):
        if value is not None:
            checked.measure(name, value, where)


def _measure_economy(checked: Checked, motion: Motion, grasps: NDArray[np.int64]) -> None:
    efficiency = motions.path_efficiency(motion.q, grasps)
    if efficiency is not None:
        first, last = motions.longest_detour(motion.q, grasps)
        checked.measure("path_efficiency", efficiency, (int(motion.t_ns[first]), int(motion.t_ns[last])))


def check_jumps(recording: Recording, config: QualityConfig) -> Checked:
    """Steps that no joint can make: a glitch of an encoder, a swapped frame, a target that leapt."""
    checked = Checked()
    limit = np.array(recording.meta.robot.dq_max)
    for who, source, columns, name in (
        ("the arm", "robot", recording.robot, "q"),
        ("the command", "tick", recording.tick, "q_command"),
    ):
        if not recording.knows(columns, name):
            continue
        rows = usable(columns, name)
        t_ns = columns["t_ns"][rows]
        if len(t_ns) < 3:
            continue
        found = motions.jumps(t_ns, columns[name][rows], limit, config.jump_z, config.jump_speed_share)
        spans = [(int(t_ns[first]), int(t_ns[last + 1])) for first, last in runs(found)]
        checked.measure(f"jumps_{source}", float(np.count_nonzero(found)), longest(spans) if spans else None)
        for span in spans:
            checked.say("jump", "warning", span, f"{who} jumps faster than the joints can", source)
    return checked


def check_saturation(recording: Recording, config: QualityConfig) -> Checked:
    """How long a joint runs at its speed limit."""
    checked = Checked()
    robot, limit = recording.robot, np.array(recording.meta.robot.dq_max)
    rows = usable(robot, "dq") if "dq" in robot else np.empty(0, dtype=np.bool_)
    if not np.any(rows) or not len(limit):
        return checked
    t_ns, dq = robot["t_ns"][rows], robot["dq"][rows]
    at_limit = motions.saturated(dq, limit)
    moving = np.linalg.norm(dq, axis=1) > config.rest_speed_rad_s
    share = float(np.count_nonzero(at_limit)) / max(1, int(np.count_nonzero(moving)))
    span = _mostly(at_limit, t_ns, config.apart_s)
    checked.measure("saturation_share", share, span)
    if span is not None and share > config.saturation_share:
        message = f"a joint runs at its speed limit for {share:.0%} of the motion"
        checked.say("saturation", "warning", span, message, "robot")
    return checked


def _mostly(mask: Mask, t_ns: NDArray[np.int64], apart_s: float) -> Span | None:
    """Where most of what is true in `mask` (N,) lies, None where nothing is."""
    where = t_ns[mask]
    return densest(where, where, np.ones(len(where)), apart_s) if len(where) else None


def check_tracking(recording: Recording, config: QualityConfig) -> Checked:
    """How far and how late the arm follows its command."""
    checked = Checked()
    robot, tick = recording.robot, recording.tick
    if not recording.knows(tick, "q_command") or not recording.knows(robot, "q"):
        return checked
    rows, told = usable(robot, "q"), usable(tick, "q_command")
    t_ns, error = motions.tracking_error(
        tick["t_ns"][told], tick["q_command"][told], robot["t_ns"][rows], robot["q"][rows]
    )
    if len(error):
        span, _ = busiest(error, t_ns, round(WINDOW_S * recording.timing["robot"].rate_hz))
        for name, value in zip(("p50", "p95", "max"), np.percentile(error, (50, 95, 100)), strict=True):
            checked.measure(f"tracking_error_{name}_rad", float(value), span)
        for far in time_spans(error > config.tracking_error_rad, t_ns, config.sustained_s):
            message = f"the arm is more than {config.tracking_error_rad:g} rad from its command"
            checked.say("tracking", "warning", far, message, "robot")
    command = motion_of(tick, "q_command", config.motion_rate_hz, config.motion_cutoff_hz)
    lag = motions.command_lag(command, recording.motion) if command and recording.motion else None
    if lag is not None:
        checked.measure("command_lag_s", lag)
    return checked
