"""The aligned steps of an episode: one pure function of its raw streams, at any rate.

Time runs on a regular grid. At a step, each stream shows its newest sample at or before the step's time, so nothing
from the future leaks in. Rows never shift: where a stream has a hole its last sample stays, its age grows, and past
the stream's age limit it is marked as not valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teleloom.clock import NS_PER_S
from teleloom.episode.streams import CAMERA_PREFIX, Columns
from teleloom.messages import ControlMode

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_STEPS = 10_000_000
MAX_AGE_PERIODS = 3
MIN_MAX_AGE_NS = 50_000_000
POSE_NAMES = ("x", "y", "z", "qx", "qy", "qz", "qw")
GRIPPER_NAME = "gripper"
ACTION_NAMES = (*POSE_NAMES, GRIPPER_NAME)


@dataclass(frozen=True, eq=False)
class AlignedStream:
    """What a stream shows at each of T steps.

    index: (T,) row of the newest sample at or before the step, -1 before the first. age_ns: (T,) how old it is then,
    -1 where there is none. valid: (T,) there is one and it is no older than max_age_ns.
    """

    index: Times
    age_ns: Times
    valid: Flags
    max_age_ns: int


@dataclass(frozen=True, eq=False)
class Steps:
    """The step table, T rows for an arm of J joints.

    t_ns: (T,). state: (T, J+1) measured joints, rad, and gripper. ee_pose: (T, 7) measured. action: (T, 8) the tool
    pose and gripper that were commanded during the step, after the safety chain; action_joint: (T, J+1) the same in
    joints. action_human, action_policy: (T, 8) what each pilot asked for, NaN where it asked for nothing.
    control_mode: (T,) ControlMode as uint8. is_intervention: (T,) a person corrected a policy. handover: (T,) the mode
    is not that of the step before. Whatever is not known yet at a step is NaN.
    """

    rate_hz: float
    t_ns: Times
    state: Floats
    ee_pose: Floats
    action: Floats
    action_joint: Floats
    action_human: Floats
    action_policy: Floats
    control_mode: NDArray[np.uint8]
    is_intervention: Flags
    handover: Flags
    streams: dict[str, AlignedStream]
    state_names: tuple[str, ...]
    action_names: tuple[str, ...] = ACTION_NAMES

    def __len__(self) -> int:
        return len(self.t_ns)


def is_required(stream: str) -> bool:
    """Whether steps need this stream: robot, control ticks and every camera."""
    return stream in ("robot", "tick") or stream.startswith(CAMERA_PREFIX)


def span_ns(streams: Mapping[str, Columns]) -> tuple[int, int]:
    """The first and the last time, in ns, of all streams that steps need; (0, 0) when none has rows.

    Their difference is what an episode's duration means everywhere.
    """
    times = [columns["t_ns"] for name, columns in streams.items() if is_required(name) and len(columns["t_ns"])]
    return (min(int(t[0]) for t in times), max(int(t[-1]) for t in times)) if times else (0, 0)


def grid(start_ns: int, end_ns: int, rate_hz: float) -> Times:
    """The times (T,) from `start_ns` on, `rate_hz` to the second, none after `end_ns`; each rounded to whole ns.

    Raises ValueError when that makes more than MAX_STEPS.
    """
    if end_ns < start_ns:
        return np.empty(0, dtype=np.int64)
    count = (end_ns - start_ns) * rate_hz / NS_PER_S
    if count >= MAX_STEPS:
        raise ValueError(f"{count:.3g} steps at {rate_hz} Hz; an episode has at most {MAX_STEPS}")
    offsets = np.rint(np.arange(int(count) + 2) * (NS_PER_S / rate_hz)).astype(np.int64)
    times: Times = start_ns + offsets[offsets <= end_ns - start_ns]
    return times


def align(t_ns: Times, grid_ns: Times, max_age_ns: int) -> AlignedStream:
    """The newest of the samples at `t_ns` (N,), in time order, at or before each time of `grid_ns` (T,)."""
    index = np.searchsorted(t_ns, grid_ns, side="right").astype(np.int64) - 1
    age_ns = np.where(index >= 0, grid_ns - _take(t_ns, index, 0), -1)
    return AlignedStream(index, age_ns, (index >= 0) & (age_ns <= max_age_ns), max_age_ns)


def default_max_age_ns(t_ns: Times) -> int:
    """How old a sample may be and still stand for its stream: 3 of its usual intervals, and never under 50 ms."""
    if len(t_ns) < 2:
        return MIN_MAX_AGE_NS
    return max(MIN_MAX_AGE_NS, MAX_AGE_PERIODS * int(np.median(np.diff(t_ns))))


def build_steps(
    streams: Mapping[str, Columns],
    rate_hz: float,
    joint_names: Sequence[str],
    max_age_ns: Mapping[str, int] | None = None,
) -> Steps:
    """The step table of an episode's streams (rows in time order) at `rate_hz`.

    The grid begins when robot, control ticks and every camera have spoken, and ends when the first of them falls
    silent for good; a stream without rows is not waited for. The action of a step is the newest tick before the next
    step, so it was commanded during the step or still holds from before; the last step lasts one period.
    max_age_ns: age limits by stream, for the others default_max_age_ns.
    """
    times = {name: columns["t_ns"] for name, columns in streams.items() if len(columns["t_ns"])}
    required = [t for name, t in times.items() if is_required(name)]
    bounds = (max(int(t[0]) for t in required), min(int(t[-1]) for t in required)) if required else (0, -1)
    t_ns = grid(*bounds, rate_hz)
    limits = {name: default_max_age_ns(t) for name, t in times.items()} | dict(max_age_ns or {})
    aligned = {name: align(t, t_ns, limits[name]) for name, t in times.items()}
    joints = len(joint_names)
    commanded = _newest_before_next(times.get("tick"), t_ns, rate_hz)
    observed = aligned["robot"].index if "robot" in aligned else np.full(len(t_ns), -1, dtype=np.int64)
    robot, tick = streams.get("robot", {}), streams.get("tick", {})
    gripper_command = _rows(tick, "gripper_command", commanded, 1)
    mode, corrected = _pilot(tick, commanded)
    handover = np.zeros(len(t_ns), dtype=bool)
    handover[1:] = mode[1:] != mode[:-1]
    return Steps(
        rate_hz=rate_hz,
        t_ns=t_ns,
        state=np.hstack([_rows(robot, "q", observed, joints), _rows(robot, "gripper", observed, 1)]),
        ee_pose=_rows(robot, "ee_pose", observed, 7),
        action=np.hstack([_rows(tick, "target_executed", commanded, 7), gripper_command]),
        action_joint=np.hstack([_rows(tick, "q_command", commanded, joints), gripper_command]),
        action_human=_rows(tick, "human_target", commanded, 8),
        action_policy=_rows(tick, "policy_target", commanded, 8),
        control_mode=mode,
        is_intervention=corrected,
        handover=handover,
        streams=aligned,
        state_names=(*joint_names, GRIPPER_NAME),
    )


def camera_state_error_ns(streams: Mapping[str, Columns], steps: Steps, camera: str) -> Times:
    """How far apart in time the frame and the robot state of a step are, for each step where both are valid, ns."""
    frame, robot = steps.streams.get(camera), steps.streams.get("robot")
    if frame is None or robot is None:
        return np.empty(0, dtype=np.int64)
    both = frame.valid & robot.valid
    apart: Times = streams[camera]["t_ns"][frame.index[both]] - streams["robot"]["t_ns"][robot.index[both]]
    return np.abs(apart)


def _newest_before_next(t_ns: Times | None, grid_ns: Times, rate_hz: float) -> Times:
    if t_ns is None or not len(grid_ns):
        return np.full(len(grid_ns), -1, dtype=np.int64)
    following = np.append(grid_ns[1:], grid_ns[-1] + round(NS_PER_S / rate_hz))
    return np.searchsorted(t_ns, following, side="left").astype(np.int64) - 1


def _pilot(tick: Columns, commanded: Times) -> tuple[NDArray[np.uint8], Flags]:
    """Who moved the arm at each step, and whether that was a correction; HOLD and False before the first tick."""
    if not tick:
        return np.full(len(commanded), ControlMode.HOLD, dtype=np.uint8), np.zeros(len(commanded), dtype=bool)
    mode = _take(tick["mode"], commanded, ControlMode.HOLD)
    return mode, _take(tick["is_intervention"], commanded, False)


def _rows(columns: Columns, name: str, index: Times, width: int) -> Floats:
    """Rows `index` of a float column as (T, width), NaN where the index is -1 or the stream is missing."""
    if name not in columns:
        return np.full((len(index), width), np.nan)
    return _take(columns[name].reshape(len(columns[name]), width), index, np.nan)


def _take(values: NDArray, index: Times, missing: float) -> NDArray:
    """`values[index]`, and `missing` where the index is -1."""
    if not len(values):
        return np.full((len(index), *values.shape[1:]), missing, dtype=values.dtype)
    taken = values[np.maximum(index, 0)]
    taken[index < 0] = missing
    return taken
