"""The build manifest: everything that decides what a dataset holds, in one YAML file."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from dataset_builder.actions import ActionSemantics
from teleloom.config import Config

GroupKey = Literal["task", "scene", "seed", "operator", "station", "episode"]


class CodecChoice(Config):
    """The action codec and its options, as `dataset_builder.codecs.get_codec` takes them."""

    name: str = "openvla"
    options: dict[str, JsonValue] = Field(default={"vocab_size": 32000})


class Splits(Config):
    """How episodes are parted into train and val.

    group_by: episodes that share all of these stay in one split. Where an episode has no seed (a real robot), the
    episode itself stands in for it.
    val_fraction: the share of groups held out; a group's side depends on its key alone and never changes when data
    is added, except that a dataset always keeps one group to train on.
    """

    val_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    group_by: tuple[GroupKey, ...] = Field(default=("task", "scene", "seed"), min_length=1)


class BuildManifest(Config):
    """One dataset version.

    cameras: names of the station's cameras mapped to image keys of the dataset. step_rate_hz: None keeps the rate at
    which each episode's steps were stored. robot: only episodes of this robot; None takes the robot of most episodes.
    max_shard_bytes: a shard is closed before the episode files behind it weigh more than this together.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)
    version: str = Field(default="1.0.0", pattern=r"^\d+\.\d+\.\d+$")
    description: str = "Teleoperated robot episodes."
    license: str = ""
    cameras: dict[str, str] = Field(default={"front": "image", "wrist": "wrist_image"}, min_length=1)
    robot: str | None = None
    step_rate_hz: float | None = Field(default=None, gt=0)
    action: ActionSemantics = ActionSemantics()
    codec: CodecChoice = CodecChoice()
    splits: Splits = Splits()
    max_shard_bytes: int = Field(default=256 * 1024 * 1024, gt=0)
    max_episodes_per_shard: int = Field(default=1000, gt=0)

    @model_validator(mode="after")
    def _distinct_image_keys(self) -> Self:
        keys = sorted(self.cameras.values())
        for key in keys:
            if not key.isidentifier() or key in ("state", "joint_state"):
                raise ValueError(f"cameras: '{key}' cannot be an image key; use a name like image or wrist_image")
        if len(set(keys)) != len(keys):
            raise ValueError(f"cameras: two cameras share an image key: {', '.join(keys)}")
        return self
