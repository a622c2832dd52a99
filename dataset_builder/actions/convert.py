"""From commanded paths to actions, and back: exact inverses of each other in float64.

A path is what the robot was told: for tool poses (T, 8), pose and gripper opening; for joints (T, J+1), joints and
gripper opening. What was measured is the same without the gripper: (T, 7) or (T, J).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.actions.gripper import from_opening, to_opening
from dataset_builder.actions.rotations import ROTATIONS
from dataset_builder.actions.semantics import ActionSemantics
from teleloom import pose

Floats = NDArray[np.float64]


def actions_of(
    commands: ArrayLike,
    measured: ArrayLike,
    semantics: ActionSemantics,
    *,
    seconds: ArrayLike | None = None,
    restarts: ArrayLike | None = None,
) -> Floats:
    """The actions (T, D) of the path `commands`.

    measured: at each step; where a change begins at the command before, its first row and those at `restarts` are
    read. seconds: (T,) since the command before, for velocities. restarts: (T,) where steps before this one were cut
    out, so that nobody commanded the change since the command before. Raises ValueError where velocities lack seconds,
    or measurements rows.
    """
    path = np.asarray(commands, dtype=np.float64)
    return actions_from(path, begins(path, measured, semantics, restarts), semantics, seconds=seconds)


def begins(
    commands: ArrayLike, measured: ArrayLike, semantics: ActionSemantics, restarts: ArrayLike | None = None
) -> Floats:
    """Where the change of each step begins, (T, 7) or (T, J); see `actions_of`. Absolute actions begin nowhere: the
    path itself."""
    path = np.asarray(commands, dtype=np.float64)[:, :-1]
    if not len(path) or semantics.kind == "absolute":
        return path
    afresh = _afresh(len(path), semantics, restarts)
    sensed = _sensed(measured, afresh)
    before = np.concatenate([sensed[:1], path[:-1]])
    before[afresh] = sensed[np.flatnonzero(afresh)]
    return before


def actions_from(
    commands: ArrayLike, start: ArrayLike, semantics: ActionSemantics, *, seconds: ArrayLike | None = None
) -> Floats:
    """The actions (T, D) that lead from `start`, (T, 7) or (T, J), to `commands`."""
    path, before = np.asarray(commands, dtype=np.float64), np.asarray(start, dtype=np.float64)
    gripper = from_opening(path[:, -1:], semantics.gripper)
    if semantics.of == "tool_pose":
        return np.hstack([_tool_motion(path[:, :7], before, semantics), gripper])
    if semantics.kind == "absolute":
        return np.hstack([path[:, :-1], gripper])
    return np.hstack([(path[:, :-1] - before) / _duration(semantics, len(path), seconds), gripper])


def commands_of(
    actions: ArrayLike,
    measured: ArrayLike,
    semantics: ActionSemantics,
    *,
    seconds: ArrayLike | None = None,
    restarts: ArrayLike | None = None,
) -> Floats:
    """The path, (T, 8) or (T, J+1), that `actions_of` made these actions (T, D) from.

    For one action at a time on a robot, give one row: `measured` is then where its change begins.
    """
    steps = np.asarray(actions, dtype=np.float64)
    opening = to_opening(steps[:, -1:], semantics.gripper)
    if semantics.of == "tool_pose":
        motion = np.hstack([steps[:, :3], ROTATIONS[semantics.rotation].to_quats(steps[:, 3:-1])])
    else:
        motion = steps[:, :-1] * _duration(semantics, len(steps), seconds)
    if semantics.kind == "absolute" or not len(steps):
        return np.hstack([motion, opening])
    afresh = _afresh(len(steps), semantics, restarts)
    sensed = _sensed(measured, afresh)
    path = np.empty_like(motion)
    for k in range(len(steps)):
        start = sensed[k] if afresh[k] else path[k - 1]
        path[k] = _moved(start, motion[k], semantics.frame) if semantics.of == "tool_pose" else start + motion[k]
    return np.hstack([path, opening])


def _afresh(count: int, semantics: ActionSemantics, restarts: ArrayLike | None) -> NDArray[np.bool_]:
    """The steps (T,) whose change begins at what is measured."""
    if semantics.reference == "measured":
        return np.ones(count, dtype=bool)
    afresh = np.zeros(count, dtype=bool) if restarts is None else np.array(restarts, dtype=bool)
    afresh[0] = True
    return afresh


def _sensed(measured: ArrayLike, afresh: NDArray[np.bool_]) -> Floats:
    """What was measured, at least as far as it is read."""
    rows = np.atleast_2d(np.asarray(measured, dtype=np.float64))
    if len(rows) != len(afresh) and afresh[1:].any():
        raise ValueError(
            f"changes begin at what is measured at several of {len(afresh)} steps, not at {len(rows)} rows"
        )
    return rows


def _duration(semantics: ActionSemantics, count: int, seconds: ArrayLike | None) -> Floats:
    """What a change is divided by (T, 1): 1 for a position."""
    if semantics.of != "joint_velocity":
        return np.ones((count, 1))
    if seconds is None:
        raise ValueError("joint velocities need the seconds since the command before")
    return np.broadcast_to(np.asarray(seconds, dtype=np.float64), (count,))[:, None]


def _tool_motion(poses: Floats, before: Floats, semantics: ActionSemantics) -> Floats:
    rotation = ROTATIONS[semantics.rotation]
    if semantics.kind == "absolute":
        return np.hstack([poses[:, :3], rotation.from_quats(poses[:, 3:])])
    shift, back = poses[:, :3] - before[:, :3], pose.quats_conjugate(before[:, 3:])
    if semantics.frame == "base":
        return np.hstack([shift, rotation.from_quats(pose.quats_multiply(poses[:, 3:], back))])
    return np.hstack([pose.quats_rotate(back, shift), rotation.from_quats(pose.quats_multiply(back, poses[:, 3:]))])


def _moved(start: Floats, motion: Floats, frame: str) -> Floats:
    """The pose (7,) that a change (7,), translation and unit quaternion, leads to from the pose `start` (7,)."""
    if frame == "base":
        turned = pose.quat_multiply(motion[3:], start[3:])
        return pose.make(start[:3] + motion[:3], pose.quat_normalize(turned))
    turned = pose.quat_multiply(start[3:], motion[3:])
    return pose.make(start[:3] + pose.quat_rotate(start[3:], motion[:3]), pose.quat_normalize(turned))
