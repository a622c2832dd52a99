"""Bridge V2 from its own site, as OpenVLA (`bridge_orig`) and Octo (`bridge_dataset`) read it.

Their transforms keep the gripper of `action` alone, made 0 or 1: its other six dimensions become the differences of
`observation/state` from step to step. So angles of the state run on without jumps. OpenVLA leaves out the first step of
every episode and both leave out the last one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.layouts import shared
from dataset_builder.layouts.contract import Floats, Images, Record
from dataset_builder.rlds.features import Image, Leaf, Tensor, Tree
from dataset_builder.rlds.images import black_jpeg
from dataset_builder.rlds.records import Values
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory

IMAGES = ("image_0", "image_1", "image_2", "image_3")


class BridgeLayout:
    """An image that no camera is mapped to is black, of the size of `image_0`, and its `has_image_N` is false, which
    is how Bridge itself marks them.
    """

    name = "bridge"

    def __init__(self, semantics: ActionSemantics) -> None:
        self.semantics = semantics

    def features(self, shape: Shape) -> Tree:
        observation: dict[str, Leaf | Tree] = {
            key: Image(height, width) for key, (height, width) in _sizes(shape).items()
        }
        observation["state"] = Tensor(
            "float32",
            (7,),
            "measured tool position xyz m, roll, pitch, yaw rad, base frame; gripper opening, 1 is open",
        )
        action = Tensor("float32", (self.semantics.width(shape.joints),), self.semantics.sentence())
        flags: dict[str, Leaf | Tree] = {
            f"has_{key}": Tensor("bool", doc=f"a camera took {key}; it is black otherwise") for key in IMAGES
        }
        return {
            "steps": {**shared.STEP, "observation": observation, "action": action},
            "episode_metadata": {**shared.EPISODE_METADATA, **flags, "has_language": Tensor("bool")},
        }

    def action(self, trajectory: Trajectory) -> Floats:
        return shared.actions(trajectory, self.semantics).astype(np.float32)

    def proprio(self, trajectory: Trajectory) -> Floats:
        return state(trajectory).astype(np.float32)

    def example(self, trajectory: Trajectory, images: Images) -> dict[str, Values]:
        missing = {
            key: [black_jpeg(*size)] * len(trajectory)
            for key, size in _sizes(trajectory.shape).items()
            if key not in images
        }
        flags = {f"has_{key}": key in images for key in IMAGES} | {"has_language": bool(trajectory.instruction)}
        return {
            **{f"steps/observation/{key}": frames for key, frames in {**images, **missing}.items()},
            **shared.step_values(trajectory),
            **shared.metadata_values(trajectory),
            **{f"episode_metadata/{key}": np.array([flag], dtype=np.int64) for key, flag in flags.items()},
            "steps/observation/state": self.proprio(trajectory),
            "steps/action": self.action(trajectory),
        }

    def recorded_action(self, record: Record) -> Floats:
        return shared.rows(record, "steps/action")

    def recorded_proprio(self, record: Record) -> Floats:
        return shared.rows(record, "steps/observation/state")


def state(trajectory: Trajectory) -> NDArray[np.float64]:
    """Bridge's state (T, 7): tool position, roll, pitch and yaw without jumps, and the gripper's opening."""
    angles = shared.roll_pitch_yaw(trajectory.ee_pose[:, 3:])
    return np.hstack([trajectory.ee_pose[:, :3], angles, trajectory.gripper[:, None]])


def _sizes(shape: Shape) -> dict[str, tuple[int, int]]:
    taken = {key: (height, width) for key, height, width in shape.images}
    return {key: taken.get(key, taken["image_0"]) for key in IMAGES}
