"""LIBERO as OpenVLA and its relatives read it: two images, the tool's state, and a gripper of -1 open, +1 closed.

Their `libero_dataset_transform` clips the action's gripper to [0, 1] and subtracts it from 1, so that the model sees
1 for open. A gripper that is more than half open therefore counts as open.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.layouts import shared
from dataset_builder.layouts.contract import Floats, Images, Record
from dataset_builder.rlds.features import Image, Leaf, Tensor, Tree
from dataset_builder.rlds.records import Values
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory
from teleloom import pose

STATE = Tensor(
    "float32", (8,), "measured tool position xyz m, rotation vector rad, base frame; both finger positions m"
)


class LiberoLayout:
    """`observation/joint_state` is there for an arm whose joints are known."""

    name = "libero"

    def __init__(self, semantics: ActionSemantics) -> None:
        self.semantics = semantics

    def features(self, shape: Shape) -> Tree:
        observation: dict[str, Leaf | Tree] = {key: Image(height, width) for key, height, width in shape.images}
        observation["state"] = STATE
        if shape.joints:
            observation["joint_state"] = Tensor("float32", (shape.joints,), "measured joint positions, rad")
        action = Tensor("float32", (self.semantics.width(shape.joints),), self.semantics.sentence())
        return {
            "steps": {**shared.STEP, "observation": observation, "action": action},
            "episode_metadata": shared.EPISODE_METADATA,
        }

    def action(self, trajectory: Trajectory) -> Floats:
        return shared.actions(trajectory, self.semantics).astype(np.float32)

    def proprio(self, trajectory: Trajectory) -> Floats:
        if trajectory.shape.joints:
            trajectory.require_joints(commanded=False)
        return state(trajectory).astype(np.float32)

    def example(self, trajectory: Trajectory, images: Images) -> dict[str, Values]:
        record: dict[str, Values] = {
            **{f"steps/observation/{key}": frames for key, frames in images.items()},
            **shared.step_values(trajectory),
            **shared.metadata_values(trajectory),
            "steps/observation/state": self.proprio(trajectory),
            "steps/action": self.action(trajectory),
        }
        if trajectory.shape.joints:
            record["steps/observation/joint_state"] = trajectory.joints.astype(np.float32)
        return record

    def recorded_action(self, record: Record) -> Floats:
        return shared.rows(record, "steps/action")

    def recorded_proprio(self, record: Record) -> Floats:
        return shared.rows(record, "steps/observation/state")


def state(trajectory: Trajectory) -> NDArray[np.float64]:
    """LIBERO's state (T, 8): tool position, rotation vector, and the positions of both fingers, mirrored."""
    rotations = pose.rotvecs_from_quats(trajectory.ee_pose[:, 3:])
    finger = trajectory.gripper[:, None] * (trajectory.gripper_max_m / 2.0)
    return np.hstack([trajectory.ee_pose[:, :3], rotations, finger, -finger])
