"""The curves below the pictures: a few lanes of series, thinned so that no peak is lost."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from teleloom.quality.motion import tracking_error
from teleloom.quality.recording import Columns, Recording, usable

Times = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_POINTS = 1500
POINTS_OF_MANY = 600
"""For each series where a lane has more than two; seven joints at full detail would be most of the document."""

MAX_JOINTS = 32
DECIMALS = 5
"""10 µm, 10 µrad: finer than any screen shows."""


class Series(msgspec.Struct, frozen=True):
    """One curve. t_ns: ns from the episode's start; values: not a number where nothing was measured (null in JSON)."""

    name: str
    t_ns: list[int]
    values: list[float]


class Lane(msgspec.Struct, frozen=True):
    """Curves that share an axis, with its unit ("" for a share from 0 to 1)."""

    name: str
    unit: str
    series: list[Series]


def lanes_of(recording: Recording) -> list[Lane]:
    """What the arm did: joints, speed, gripper, tool height and speed, tracking error, force; each where measured."""
    with np.errstate(all="ignore"):  # absurd numbers give an absurd curve, and no warning
        lanes = [
            *_joint_lanes(recording),
            _gripper_lane(recording),
            *_tool_lanes(recording),
            _tracking_lane(recording),
            _force_lane(recording.robot, recording.start_ns),
        ]
    return [lane for lane in lanes if lane is not None and lane.series]


def thin(t_ns: Times, values: Floats, most: int = MAX_POINTS) -> tuple[Times, Floats]:
    """At most `most` of the samples `values` (N,) at `t_ns` (N,), with the first, the last and every extreme.

    The samples are cut into buckets of equal count, and of each the lowest and the highest stay. What is not finite
    is passed over where its bucket has something better, and stays as NaN where it has not: a hole stays a hole.
    """
    if len(values) <= most:
        return t_ns, np.where(np.isfinite(values), values, np.nan)
    width = -(-len(values) // ((most - 2) // 2))
    padded = np.full(-(-len(values) // width) * width, np.nan)
    padded[: len(values)] = values
    buckets = padded.reshape(-1, width)
    known = np.isfinite(buckets)
    lowest = np.where(known, buckets, np.inf).argmin(axis=1)
    highest = np.where(known, buckets, -np.inf).argmax(axis=1)
    starts = np.arange(len(buckets)) * width
    kept = np.unique(np.concatenate([starts + lowest, starts + highest, [0, len(values) - 1]]))
    return t_ns[kept], np.where(np.isfinite(values[kept]), values[kept], np.nan)


def _series(name: str, t_ns: Times, values: Floats, start_ns: int, most: int = MAX_POINTS) -> list[Series]:
    """The thinned series as a list of one; of none where there is nothing to draw."""
    if not np.any(np.isfinite(values)):
        return []
    times, thinned = thin(t_ns, values, most)
    return [Series(name, (times - start_ns).tolist(), np.round(thinned, DECIMALS).tolist())]


def _joint_lanes(recording: Recording) -> list[Lane]:
    robot, start_ns = recording.robot, recording.start_ns
    if not _rows(robot):
        return []
    t_ns, names = robot["t_ns"], recording.meta.robot.joint_names
    most = MAX_POINTS if len(names) <= 2 else POINTS_OF_MANY
    position = [
        series
        for name, values in zip(names[:MAX_JOINTS], robot["q"].T, strict=False)
        for series in _series(name, t_ns, values, start_ns, most)
    ]
    has_joints = robot["dq"].shape[1] > 0  # an imported episode of tool poses has none
    speed = _series("all joints", t_ns, np.linalg.norm(robot["dq"], axis=1), start_ns) if has_joints else []
    return [Lane("Joints", "rad", position), Lane("Joint speed", "rad/s", speed)]


def _gripper_lane(recording: Recording) -> Lane:
    return Lane(
        "Gripper",
        "",
        [
            *_column("measured", recording.robot, "gripper", recording.start_ns),
            *_column("commanded", recording.tick, "gripper_command", recording.start_ns),
        ],
    )


def _tool_lanes(recording: Recording) -> Sequence[Lane]:
    robot, tick, start_ns = recording.robot, recording.tick, recording.start_ns
    height = [
        *_pose_height("measured", robot, "ee_pose", start_ns),
        *_pose_height("commanded", tick, "target_executed", start_ns),
    ]
    speed: list[Series] = []
    rows = usable(robot, "ee_pose") if _rows(robot) else np.empty(0, dtype=np.bool_)
    if np.count_nonzero(rows) >= 2:
        t_ns = robot["t_ns"][rows]
        velocity = np.gradient(robot["ee_pose"][rows, :3], (t_ns - t_ns[0]) / 1e9, axis=0)
        speed = _series("tool", t_ns, np.linalg.norm(velocity, axis=1), start_ns)
    return Lane("Tool height", "m", height), Lane("Tool speed", "m/s", speed)


def _tracking_lane(recording: Recording) -> Lane | None:
    robot, tick = recording.robot, recording.tick
    if not (_rows(robot) and _rows(tick) and robot["q"].shape[1]):
        return None
    told, measured = usable(tick, "q_command"), usable(robot, "q")
    t_ns, error = tracking_error(
        tick["t_ns"][told], tick["q_command"][told], robot["t_ns"][measured], robot["q"][measured]
    )
    return Lane("Tracking error", "rad", _series("worst joint", t_ns, error, recording.start_ns))


def _force_lane(robot: Columns, start_ns: int) -> Lane | None:
    if not _rows(robot):
        return None
    force = np.linalg.norm(robot["wrench"][:, :3], axis=1)
    return Lane("Force", "N", _series("at the tool", robot["t_ns"], force, start_ns))


def _column(name: str, columns: Columns, column: str, start_ns: int) -> list[Series]:
    return _series(name, columns["t_ns"], columns[column], start_ns) if _rows(columns) else []


def _pose_height(name: str, columns: Columns, column: str, start_ns: int) -> list[Series]:
    return _series(name, columns["t_ns"], columns[column][:, 2], start_ns) if _rows(columns) else []


def _rows(columns: Columns) -> int:
    return len(columns["t_ns"]) if columns else 0
