"""What an action of the dataset means, and how it follows from what the robot was told.

An action is the step from one commanded tool pose to the next, in the robot's base frame: translation in metres,
rotation as a rotation vector in rad, and the gripper opening commanded. Differences of COMMANDED poses are taken
because they add up: integrated from the tool pose measured at the first step they return the commanded path, and the
lag of the arm cannot creep in as it does with differences to measured poses.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teleloom import pose
from teleloom.config import Config

ACTION_NAMES = ("dx", "dy", "dz", "drx", "dry", "drz", "gripper")


class ActionSemantics(Config):
    """The meaning of the dataset's actions as data, so that no reader has to guess it."""

    kind: Literal["delta"] = "delta"
    of: Literal["commanded_tool_pose"] = "commanded_tool_pose"
    reference: Literal["previous_commanded_tool_pose"] = "previous_commanded_tool_pose"
    first_reference: Literal["measured_tool_pose"] = "measured_tool_pose"
    frame: Literal["robot_base"] = "robot_base"
    names: tuple[str, ...] = ACTION_NAMES
    units: tuple[str, ...] = ("m", "m", "m", "rad", "rad", "rad", "fraction")
    rotation: Literal["rotation_vector"] = "rotation_vector"
    rotation_applied: Literal["left"] = "left"
    gripper: Literal["absolute_opening_1_is_open"] = "absolute_opening_1_is_open"
    chunk_length: Literal[1] = 1

    def sentence(self) -> str:
        """The same in words, for `features.json`."""
        return (
            "change of the commanded tool pose since the previous step, in the robot's base frame: xyz m, rotation "
            "vector rad applied on the left; the first step starts at the measured tool pose; gripper opening "
            "commanded, absolute, 1 is open"
        )


def deltas(targets: ArrayLike, start: ArrayLike) -> NDArray[np.float64]:
    """Actions (T, 7) of commanded tool poses and gripper openings `targets` (T, 8), the first relative to the tool
    pose `start` (7,)."""
    absolute = np.asarray(targets, dtype=np.float64)
    before = np.concatenate([np.asarray(start, dtype=np.float64)[None], absolute[:-1, :7]])
    turns = pose.quat_multiply(absolute[:, 3:7].T, pose.quat_conjugate(before[:, 3:7].T)).T
    rotations = np.reshape([pose.rotvec_from_quat(turn) for turn in turns.tolist()], (-1, 3))
    return np.concatenate([absolute[:, :3] - before[:, :3], rotations, absolute[:, 7:]], axis=1)


def integrate(actions: ArrayLike, start: ArrayLike) -> NDArray[np.float64]:
    """The commanded tool poses and gripper openings (T, 8) that `deltas` came from: its inverse."""
    steps = np.asarray(actions, dtype=np.float64)
    position, quat = np.asarray(start, dtype=np.float64)[:3], np.asarray(start, dtype=np.float64)[3:]
    targets = np.empty((len(steps), 8))
    for k, step in enumerate(steps):
        position = position + step[:3]
        quat = pose.quat_normalize(pose.quat_multiply(pose.quat_from_rotvec(step[3:6]), quat))
        targets[k] = [*position, *quat, step[6]]
    return targets
