"""What the curves of an episode show: who drove, what stepped in, joints, tool and gripper, asked for and measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recorder.inspection.curves import Array, Band, Lane, Piece, Series
from teleloom.messages import ControlMode
from teleloom.quality import Finding
from teleloom.quality.motion import tracking_error
from teleloom.quality.recording import Columns, Recording, usable
from teleloom.quality.spans import time_spans

MODE_STYLES = {mode: f"mode-{mode.name.lower()}" for mode in ControlMode}
AXES = ("x", "y", "z")
HUES = 7
MAX_DRAWN = 1e6


def episode_lanes(recording: Recording, findings: Sequence[Finding], events: Sequence[Piece]) -> list[Lane | Band]:
    """The lanes of an episode's figure, those without data left out."""
    start = recording.start_ns
    bands = [
        Band("mode", mode_pieces(recording)),
        Band("interventions", intervention_pieces(recording, "band-intervention")),
        Band("events", events),
        Band("findings", finding_pieces(findings, start, "band-")),
    ]
    lanes: list[Lane | Band] = [band for band in bands if band.pieces]
    if len(recording.robot.get("t_ns", ())):
        lanes += [_joints(recording), _tracking(recording), tool_lane(recording), gripper_lane(recording)]
    return [lane for lane in lanes if isinstance(lane, Band) or lane.series]


def mode_pieces(recording: Recording) -> list[Piece]:
    """Who moved the arm, as stretches of time; holding is drawn too."""
    tick = recording.tick
    if not len(tick.get("t_ns", ())) or "mode" not in tick:
        return []
    t_ns, mode = tick["t_ns"], tick["mode"]
    pieces = []
    starts = np.concatenate(([0], np.flatnonzero(np.diff(mode)) + 1))
    ends = np.concatenate((starts[1:], [len(mode) - 1]))
    for first, last in zip(starts, ends, strict=True):
        known = int(mode[first]) in set(ControlMode)
        name = ControlMode(int(mode[first])).name.lower() if known else f"mode {mode[first]}"
        style = f"mode-{name}" if known else "mode-hold"
        pieces.append(Piece(_seconds(t_ns[first], recording), _seconds(t_ns[last], recording), style, name))
    return pieces


def intervention_pieces(recording: Recording, style: str) -> list[Piece]:
    """When the safety chain changed or refused what was asked, by name."""
    return [
        Piece(_seconds(start, recording), _seconds(end, recording), style, name)
        for name, active in recording.interventions.items()
        for start, end in time_spans(active, recording.tick["t_ns"])
    ]


def finding_pieces(findings: Sequence[Finding], start_ns: int, prefix: str) -> list[Piece]:
    """The findings as stretches of time; the style is the prefix and the severity."""
    return [
        Piece((f.start_ns - start_ns) / 1e9, (f.end_ns - start_ns) / 1e9, f"{prefix}{f.severity}", f.message)
        for f in findings
    ]


def tool_lane(recording: Recording) -> Lane:
    """Measured and commanded tool position."""
    robot, tick = recording.robot, recording.tick
    series = []
    for axis, name in enumerate(AXES):
        series.append(_curve(name, recording, robot, robot["ee_pose"][:, axis], f"s{axis}"))
        if "target_executed" in tick:
            series.append(_curve("", recording, tick, tick["target_executed"][:, axis], f"s{axis} asked"))
    return Lane("tool position (commanded dashed)", "m", series, height=104)


def gripper_lane(recording: Recording) -> Lane:
    """Measured and commanded opening of the gripper."""
    robot, tick = recording.robot, recording.tick
    series = [_curve("measured", recording, robot, robot["gripper"], "s0")]
    if "gripper_command" in tick:
        series.append(_curve("commanded", recording, tick, tick["gripper_command"], "s1 asked"))
    return Lane("gripper", "0 closed, 1 open", series, height=52, limits=(-0.08, 1.08))


def _joints(recording: Recording) -> Lane:
    robot, tick = recording.robot, recording.tick
    series = []
    for joint, name in enumerate(recording.meta.robot.joint_names):
        style = f"s{joint % HUES}"
        if "q_command" in tick:
            series.append(_curve("", recording, tick, tick["q_command"][:, joint], f"{style} asked"))
        series.append(_curve(name, recording, robot, robot["q"][:, joint], style))
    return Lane("joints (commanded dashed)", "rad", series, height=150)


def _tracking(recording: Recording) -> Lane:
    robot, tick = recording.robot, recording.tick
    title = "largest distance of a joint from its command"
    if "q_command" not in tick or not robot["q"].shape[1]:
        return Lane(title, "rad", [])
    told, known = usable(tick, "q_command"), usable(robot, "q")
    t_ns, error = tracking_error(tick["t_ns"][told], tick["q_command"][told], robot["t_ns"][known], robot["q"][known])
    if not len(error):
        return Lane(title, "rad", [])
    curve = Series("tracking error", (t_ns - recording.start_ns) / 1e9, error, "s1")
    return Lane(title, "rad", [curve], height=52, limits=(0.0, 1.08 * max(1e-3, float(error.max()))))


def _curve(label: str, recording: Recording, columns: Columns, values: Array, style: str) -> Series:
    drawable = np.where(np.abs(values) < MAX_DRAWN, values, np.nan)
    return Series(label, (columns["t_ns"] - recording.start_ns) / 1e9, drawable, style)


def _seconds(t_ns: int, recording: Recording) -> float:
    return (int(t_ns) - recording.start_ns) / 1e9
