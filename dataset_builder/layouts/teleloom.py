"""teleloom's own layout: LIBERO's names for what LIBERO has, and everything else that an episode knows."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions.semantics import ActionSemantics, deltas
from dataset_builder.layouts.contract import Floats, Images
from dataset_builder.rlds.features import Image, Leaf, Tensor, Text, Tree
from dataset_builder.rlds.records import Values
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory
from teleloom import pose

EPISODE_METADATA: Tree = {
    "episode_id": Text(),
    "file_path": Text("the source episode, relative to the station's root"),
    "task": Text(),
    "operator": Text(),
    "outcome": Text("success, partial, failure or unknown"),
    "instructions": Text("every way the task was said, a JSON list of texts"),
    "weight": Tensor("float32", doc="sampling weight given in review"),
}


class TeleloomLayout:
    """See docs/building.md for the table of keys."""

    name = "teleloom"

    def __init__(self, semantics: ActionSemantics) -> None:
        self.semantics = semantics

    def features(self, shape: Shape) -> Tree:
        observation: dict[str, Leaf | Tree] = {key: Image(height, width) for key, height, width in shape.images}
        observation["state"] = Tensor(
            "float32", (8,), "measured tool position xyz m, rotation vector rad, base frame; both finger positions m"
        )
        observation["joint_state"] = Tensor("float32", (shape.joints,), "measured joint positions, rad")
        step: dict[str, Leaf | Tree] = {
            "observation": observation,
            "action": Tensor("float32", (7,), self.semantics.sentence()),
            "language_instruction": Text(),
            "discount": Tensor("float32"),
            "reward": Tensor("float32", doc="1 at the last step of a success, else 0"),
            "is_first": Tensor("bool"),
            "is_last": Tensor("bool"),
            "is_terminal": Tensor("bool", doc="the last step: a demonstration ends where its operator ended it"),
            "is_intervention": Tensor("bool", doc="a human corrected a policy in this step"),
            "is_valid": Tensor("bool", doc="every observation of this step was fresh when the step was taken"),
        }
        return {"steps": step, "episode_metadata": EPISODE_METADATA}

    def action(self, trajectory: Trajectory) -> Floats:
        return deltas(trajectory.target, trajectory.ee_pose[0]).astype(np.float32)

    def proprio(self, trajectory: Trajectory) -> Floats:
        return libero_state(trajectory).astype(np.float32)

    def example(self, trajectory: Trajectory, images: Images) -> dict[str, Values]:
        count = np.arange(len(trajectory))
        is_last = count == len(trajectory) - 1
        texts = {
            "episode_id": trajectory.candidate.episode_id,
            "file_path": trajectory.candidate.file_path,
            "task": trajectory.task,
            "operator": trajectory.operator,
            "outcome": trajectory.outcome,
            "instructions": json.dumps(trajectory.instructions, ensure_ascii=False),
        }
        return {
            **{f"steps/observation/{key}": frames for key, frames in images.items()},
            "steps/observation/state": self.proprio(trajectory),
            "steps/observation/joint_state": trajectory.joints.astype(np.float32),
            "steps/action": self.action(trajectory),
            "steps/language_instruction": [trajectory.instruction.encode()] * len(trajectory),
            "steps/discount": np.ones(len(trajectory), dtype=np.float32),
            "steps/reward": (is_last & (trajectory.outcome == "success")).astype(np.float32),
            "steps/is_first": count == 0,
            "steps/is_last": is_last,
            "steps/is_terminal": is_last,
            "steps/is_intervention": trajectory.is_intervention,
            "steps/is_valid": trajectory.is_valid,
            **{f"episode_metadata/{key}": [text.encode()] for key, text in texts.items()},
            "episode_metadata/weight": np.array([trajectory.candidate.view.weight], dtype=np.float32),
        }


def libero_state(trajectory: Trajectory) -> NDArray[np.float64]:
    """LIBERO's state (T, 8): tool position, rotation vector, and the positions of both fingers, mirrored."""
    rotations = np.reshape([pose.rotvec_from_quat(quat) for quat in trajectory.ee_pose[:, 3:].tolist()], (-1, 3))
    finger = trajectory.gripper[:, None] * (trajectory.gripper_max_m / 2.0)
    return np.concatenate([trajectory.ee_pose[:, :3], rotations, finger, -finger], axis=1)
