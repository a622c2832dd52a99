"""The mixture manifest: what a model is co-fine-tuned on, in which shares and in which form, in one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from dataset_builder.mixture.augmentation import Augmentation
from dataset_builder.mixture.images import ImageChoice
from teleloom.config import Config


class SourceChoice(Config):
    """What is drawn from. Relative paths start at the manifest's folder.

    name: how samples name it; the dataset's or the file's by default. weight: w in p ~ w * N among the sources of its
    kind.
    """

    path: Path
    name: str | None = None
    split: str = "train"
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class RobotChoice(SourceChoice):
    """A built dataset, any preset.

    cameras: image keys to show, in this order; all of them, sorted, by default. balance_by_task: give every task the
    same share of the samples, whatever number of steps it has.
    """

    cameras: tuple[str, ...] | None = Field(default=None, min_length=1)
    balance_by_task: bool = False


class TextChoice(SourceChoice):
    """Questions or plans: a JSONL file, or a built dataset that has `questions-<split>.jsonl` or
    `plans-<split>.jsonl`. Rows that show a frame of a record mean the dataset in whose folder the file lies; images are
    relative to the file. camera: the image key that plans show, the first by default."""

    camera: str | None = None


class TokenizerChoice(Config):
    """A Hugging Face `tokenizer.json` and its special tokens.

    bos: put before every sample, e.g. "<s>" for Llama 2; none by default. eos: ends every target. pad: fills batches;
    eos by default (the masks tell them apart).
    """

    path: Path
    bos: str | None = None
    eos: str = "</s>"
    pad: str | None = None


class MixtureManifest(Config):
    """Batches of robot steps, questions and plans.

    batch_size: samples in a batch of one rank. robot_share: of the samples that come from `robots`; RT-2 has 0.5 with
    PaLI-X and 0.66 with PaLM-E; without questions and plans it is 1. exact_share: exact in every batch, else over each
    1000 samples. proportions: "transitions" draws from a source as p ~ weight * its number of samples, "given" as p ~
    weight.
    prompt: "rt2" or "openvla". actions: the codec's "ids", or those integers as "text" (RT-2 on PaLI-X). placement:
    the codec's placement in the tokenizer's vocabulary in place of the one that the datasets were built with.
    chunk_length: steps in a target; the dataset's by default. paraphrases: draw among all ways in which the task was
    said, else always the first. max_length: ids of a sample at most. too_long: a sample with more is an "error", or
    its prompt is "cut" and the batch says by how many ids; a target is never cut.
    action_noise: standard deviation of Gaussian noise on normalised actions, gripper excepted. cache: where indices
    are kept; $XDG_CACHE_HOME/teleloom/mixture by default.
    """

    robots: tuple[RobotChoice, ...] = ()
    questions: tuple[TextChoice, ...] = ()
    plans: tuple[TextChoice, ...] = ()
    batch_size: int = Field(default=32, ge=1)
    robot_share: float = Field(default=0.5, gt=0, lt=1)
    exact_share: bool = False
    proportions: Literal["transitions", "given"] = "transitions"
    prompt: Literal["rt2", "openvla"] = "rt2"
    actions: Literal["ids", "text"] = "ids"
    placement: dict[str, JsonValue] | None = None
    chunk_length: int | None = Field(default=None, ge=1)
    paraphrases: bool = True
    tokenizer: TokenizerChoice
    max_length: int = Field(default=256, ge=8)
    too_long: Literal["error", "cut"] = "error"
    images: ImageChoice = ImageChoice()
    augmentation: Augmentation | None = None
    action_noise: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    seed: int = 0
    cache: Path | None = None

    @model_validator(mode="after")
    def _something_to_draw(self) -> Self:
        if not (self.robots or self.questions or self.plans):
            raise ValueError("name at least one source under robots, questions or plans")
        if self.actions == "text" and self.placement is not None:
            raise ValueError("placement: actions written as text have no place in the vocabulary; leave one out")
        if any(choice.camera is not None for choice in self.questions):
            raise ValueError("questions: camera is for plans; a question shows the image that its row names")
        return self

    def content(self) -> dict[str, Any]:
        """What decides the samples: all but where things lie."""
        document = self.model_dump(mode="json", exclude={"cache"})
        for kind in ("robots", "questions", "plans"):
            for source in document[kind]:
                del source["path"]
        del document["tokenizer"]["path"]
        return document
