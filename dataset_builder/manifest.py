"""The build manifest: everything that decides what a dataset holds, in one YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.codecs.choice import CodecChoice
from dataset_builder.normalisation.choice import NormalisationChoice
from dataset_builder.presets import Preset, check_preset, with_preset
from dataset_builder.rlds.images import CameraChoice
from dataset_builder.rules.filters import StepFilters
from dataset_builder.rules.lineage import Lineage
from dataset_builder.rules.query import Query
from dataset_builder.rules.questions import QuestionChoice
from dataset_builder.rules.sharding import Sharding
from dataset_builder.rules.splits import Splits
from dataset_builder.rules.weights import StepWeights
from teleloom.config import Config

_TAKEN = ("state", "joint_state")


class BuildManifest(Config):
    """One dataset version.

    preset: the family of loaders that is to read it; it decides the keys of a record and the defaults of all the rest.
    cameras: names of the station's cameras mapped to image keys of the dataset, or to more about them. step_rate_hz:
    None keeps the rate at which each episode's steps were stored.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)
    version: str = Field(default="1.0.0", pattern=r"^\d+\.\d+\.\d+$")
    description: str = "Teleoperated robot episodes."
    license: str = ""
    preset: Preset = "teleloom"
    select: Query = Query()
    cameras: dict[str, CameraChoice] = Field(
        default={"front": CameraChoice(key="image"), "wrist": CameraChoice(key="wrist_image")}, min_length=1
    )
    step_rate_hz: float | None = Field(default=None, gt=0)
    filters: StepFilters = StepFilters()
    action: ActionSemantics = ActionSemantics()
    normalisation: NormalisationChoice = NormalisationChoice()
    codec: CodecChoice = CodecChoice()
    weights: StepWeights = StepWeights()
    splits: Splits = Splits()
    lineage: Lineage = Lineage()
    shards: Sharding = Sharding()
    questions: QuestionChoice = QuestionChoice()

    @model_validator(mode="before")
    @classmethod
    def _preset_first(cls, given: Any) -> Any:
        return with_preset(given) if isinstance(given, Mapping) else given

    @field_validator("cameras", mode="before")
    @classmethod
    def _key_alone(cls, cameras: Any) -> Any:
        if not isinstance(cameras, Mapping):
            return cameras
        return {name: {"key": choice} if isinstance(choice, str) else choice for name, choice in cameras.items()}

    @model_validator(mode="after")
    def _distinct_image_keys(self) -> Self:
        keys = sorted(choice.key for choice in self.cameras.values())
        for key in keys:
            if not key.isidentifier() or key in _TAKEN:
                raise ValueError(f"cameras: '{key}' cannot be an image key; use a name like image or wrist_image")
        if len(set(keys)) != len(keys):
            raise ValueError(f"cameras: two cameras share an image key: {', '.join(keys)}")
        if self.questions.image not in (None, *keys):
            raise ValueError(f"questions.image: no image key '{self.questions.image}'; there is: {', '.join(keys)}")
        check_preset(self.preset, keys, self.action)
        return self
