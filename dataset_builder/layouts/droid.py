"""DROID, as openpi's `DroidRldsDataset` reads it.

It takes the episodes whose `file_path` says success, one of the two outside cameras at random, one of three ways of
saying the task at random, and as the action `action_dict`'s joints and gripper. DROID's gripper is 1 closed. Its
velocities are fractions of what its controller moves at most in one step of 1/15 s, from where the robot was measured
(`RobotIKSolver`: 0.075 m, 0.15 rad, 0.2 rad of a joint, a quarter of the gripper).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions.convert import actions_from
from dataset_builder.actions.gripper import from_opening
from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.layouts import shared
from dataset_builder.layouts.contract import Floats, Images, LayoutError, Record
from dataset_builder.rlds.features import Image, Leaf, Tensor, Text, Tree
from dataset_builder.rlds.records import Values
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory

CONTROL_HZ = 15.0
MOST_PER_STEP_M, MOST_PER_STEP_RAD, MOST_PER_STEP_JOINT_RAD, MOST_PER_STEP_GRIPPER = 0.075, 0.15, 0.2, 0.25
JOINTS = 7
OUTSIDE, OUTSIDE_2 = "exterior_image_1_left", "exterior_image_2_left"

_TOOL = ActionSemantics(kind="absolute", rotation="euler_xyz", gripper="closing")
_TOOL_CHANGE = ActionSemantics(reference="measured", rotation="euler_xyz", gripper="closing")
_OBSERVATION = {
    "cartesian_position": "measured tool position xyz m, roll, pitch, yaw rad, base frame",
    "gripper_position": "measured, 1 is closed",
    "joint_position": "measured, rad",
}
_ACTIONS = {
    "cartesian_position": "commanded tool position xyz m, roll, pitch, yaw rad, base frame",
    "cartesian_velocity": "change from the measured pose, fraction of 0.075 m and 0.15 rad in 1/15 s",
    "gripper_position": "commanded, 1 is closed",
    "gripper_velocity": "change from the measured gripper, fraction of 0.25 in 1/15 s",
    "joint_position": "commanded, rad",
    "joint_velocity": "change from the measured joints, fraction of 0.2 rad in 1/15 s",
}


class DroidLayout:
    """With one camera outside, the second outside image is the first one again: the loader picks either, and a black
    one would be half of what it trains on.
    """

    name = "droid"

    def __init__(self, semantics: ActionSemantics) -> None:
        self.semantics = semantics

    def features(self, shape: Shape) -> Tree:
        if shape.joints != JOINTS:
            raise LayoutError(
                f"DROID's loader reads {JOINTS} joints, and this robot has {shape.joints}: use another preset"
            )
        sizes = {key: Image(height, width) for key, height, width in shape.images}
        observation: dict[str, Leaf | Tree] = {**sizes, OUTSIDE_2: sizes.get(OUTSIDE_2, sizes[OUTSIDE])}
        observation |= {key: Tensor("float64", (_width(key),), doc) for key, doc in _OBSERVATION.items()}
        action_dict = {key: Tensor("float64", (_width(key),), doc) for key, doc in _ACTIONS.items()}
        steps: Tree = {
            **shared.STEP,
            "observation": observation,
            "action_dict": action_dict,
            "action": Tensor("float64", (JOINTS,), "action_dict's cartesian_position and gripper_position"),
            "language_instruction_2": Text("another way of saying it, or the same"),
            "language_instruction_3": Text("another way of saying it, or the same"),
        }
        metadata: Tree = {
            **shared.EPISODE_METADATA,
            "file_path": Text("outcome, and the source episode, relative to the station's root"),
            "recording_folderpath": Text("the folder of the source episode, relative to the station's root"),
            "has_exterior_image_2": Tensor("bool", doc="a camera took it; it is exterior_image_1_left otherwise"),
        }
        return {"steps": steps, "episode_metadata": metadata}

    def action(self, trajectory: Trajectory) -> Floats:
        return shared.actions(trajectory, self.semantics).astype(np.float32)

    def proprio(self, trajectory: Trajectory) -> Floats:
        return np.hstack([trajectory.joints, _closing(trajectory.gripper)]).astype(np.float32)

    def example(self, trajectory: Trajectory, images: Images) -> dict[str, Values]:
        measured, commanded = _observed(trajectory), _commanded(trajectory)
        second, third = _other_instructions(trajectory)
        candidate = trajectory.candidate
        shown = {OUTSIDE_2: images[OUTSIDE], **images}
        written = {
            # The outcome leads, as openpi keeps the episodes whose path says success.
            "file_path": f"{trajectory.outcome}/{candidate.file_path}",
            "recording_folderpath": candidate.file_path.rpartition("/")[0],
        }
        return {
            **{f"steps/observation/{key}": frames for key, frames in shown.items()},
            **{f"steps/observation/{key}": values.astype(np.float32) for key, values in measured.items()},
            **{f"steps/action_dict/{key}": values.astype(np.float32) for key, values in commanded.items()},
            **shared.step_values(trajectory),
            **shared.metadata_values(trajectory),
            "steps/action": np.hstack([commanded["cartesian_position"], commanded["gripper_position"]]).astype(
                np.float32
            ),
            "steps/language_instruction_2": shared.texts(second, len(trajectory)),
            "steps/language_instruction_3": shared.texts(third, len(trajectory)),
            **{f"episode_metadata/{key}": [text.encode()] for key, text in written.items()},
            "episode_metadata/has_exterior_image_2": np.array([OUTSIDE_2 in images], dtype=np.int64),
        }

    def recorded_action(self, record: Record) -> Floats:
        return np.hstack(
            [shared.rows(record, f"steps/action_dict/{key}") for key in ("joint_position", "gripper_position")]
        )

    def recorded_proprio(self, record: Record) -> Floats:
        return np.hstack(
            [shared.rows(record, f"steps/observation/{key}") for key in ("joint_position", "gripper_position")]
        )


def _observed(trajectory: Trajectory) -> dict[str, NDArray[np.float64]]:
    measured = np.hstack([trajectory.ee_pose, trajectory.gripper[:, None]])
    cartesian = actions_from(measured, trajectory.ee_pose, _TOOL)
    return {
        "cartesian_position": cartesian[:, :-1],
        "gripper_position": cartesian[:, -1:],
        "joint_position": trajectory.joints,
    }


def _commanded(trajectory: Trajectory) -> dict[str, NDArray[np.float64]]:
    cartesian = actions_from(trajectory.target, trajectory.ee_pose, _TOOL)
    change = actions_from(trajectory.target, trajectory.ee_pose, _TOOL_CHANGE)[:, :-1]
    joints, gripper = trajectory.joint_target[:, :-1], cartesian[:, -1:]
    # A step of another length than DROID's is as if its change had been given at the same speed for 1/15 s.
    steps = trajectory.rate_hz / CONTROL_HZ
    most = np.array([MOST_PER_STEP_M] * 3 + [MOST_PER_STEP_RAD] * 3)
    return {
        "cartesian_position": cartesian[:, :-1],
        "cartesian_velocity": change * steps / most,
        "gripper_position": gripper,
        "gripper_velocity": (gripper - _closing(trajectory.gripper)) * steps / MOST_PER_STEP_GRIPPER,
        "joint_position": joints,
        "joint_velocity": (joints - trajectory.joints) * steps / MOST_PER_STEP_JOINT_RAD,
    }


def _closing(opening: NDArray[np.float64]) -> NDArray[np.float64]:
    return from_opening(opening[:, None], "closing")


def _other_instructions(trajectory: Trajectory) -> tuple[str, str]:
    """Two more ways of saying the task; one of those there are where there are not enough, as none may be empty."""
    others = [text for text in trajectory.instructions if text != trajectory.instruction] or [trajectory.instruction]
    return others[0], others[1] if len(others) > 1 else trajectory.instruction


def _width(key: str) -> int:
    return {"cartesian": 6, "gripper": 1, "joint": JOINTS}[key.split("_")[0]]
