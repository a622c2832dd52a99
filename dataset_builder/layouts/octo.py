"""Octo's own form, which `make_dataset_from_rlds` reads without a transform.

image_obs_keys={"primary": "image_primary", "wrist": "image_wrist"}, proprio_obs_key="proprio",
language_key="language_instruction", action_normalization_mask=[True] * 6 + [False].
"""

from __future__ import annotations

import numpy as np

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.layouts import bridge, shared
from dataset_builder.layouts.contract import Floats, Images, Record
from dataset_builder.rlds.features import Image, Leaf, Tensor, Tree
from dataset_builder.rlds.records import Values
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory


class OctoLayout:
    """`proprio` is Octo's POS_EULER: position, roll, pitch, yaw, one dimension of padding, gripper."""

    name = "octo"

    def __init__(self, semantics: ActionSemantics) -> None:
        self.semantics = semantics

    def features(self, shape: Shape) -> Tree:
        observation: dict[str, Leaf | Tree] = {key: Image(height, width) for key, height, width in shape.images}
        observation["proprio"] = Tensor(
            "float32",
            (8,),
            "measured tool position xyz m, roll, pitch, yaw rad, base frame; 0; gripper opening, 1 is open",
        )
        action = Tensor("float32", (self.semantics.width(shape.joints),), self.semantics.sentence())
        return {
            "steps": {**shared.STEP, "observation": observation, "action": action},
            "episode_metadata": shared.EPISODE_METADATA,
        }

    def action(self, trajectory: Trajectory) -> Floats:
        return shared.actions(trajectory, self.semantics).astype(np.float32)

    def proprio(self, trajectory: Trajectory) -> Floats:
        return np.insert(bridge.state(trajectory), 6, 0.0, axis=1).astype(np.float32)

    def example(self, trajectory: Trajectory, images: Images) -> dict[str, Values]:
        return {
            **{f"steps/observation/{key}": frames for key, frames in images.items()},
            **shared.step_values(trajectory),
            **shared.metadata_values(trajectory),
            "steps/observation/proprio": self.proprio(trajectory),
            "steps/action": self.action(trajectory),
        }

    def recorded_action(self, record: Record) -> Floats:
        return shared.rows(record, "steps/action")

    def recorded_proprio(self, record: Record) -> Floats:
        return shared.rows(record, "steps/observation/proprio")
