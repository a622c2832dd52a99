"""What a mixture draws from, each an array of items with weights; the steps of robots are here, texts in `texts.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dataset_builder.mixture.index import Progress, StepIndex, UnusableDatasetError, open_index
from dataset_builder.mixture.manifest import MixtureManifest, RobotChoice, TextChoice
from dataset_builder.mixture.prompts import prompts
from dataset_builder.mixture.resampling import Runs
from dataset_builder.mixture.targets import ActionTargets

Kind = Literal["robot", "question", "plan"]


@dataclass(frozen=True)
class Item:
    """What a sample is made of. text, ids: of the target, in this order. images: files, by camera or "image"."""

    prompt: str
    text: str
    ids: tuple[int, ...]
    images: Mapping[str, bytes]


class Source(Protocol):
    """One source of a mixture. content: digests of what it holds, wherever it lies. weight: w in p ~ w * N."""

    name: str
    kind: Kind
    weight: float
    content: list[str]

    def __len__(self) -> int: ...

    @property
    def runs(self) -> Runs:
        """The weights of its items."""
        ...

    def item(self, number: int, rng: np.random.Generator) -> Item:
        """Item `number`; what chance has a part in (paraphrase, noise) is drawn from `rng`."""
        ...

    def camera_count(self) -> int:
        """The most images that an item has."""
        ...

    def action_ids(self) -> NDArray[np.int32]:
        """The ids that stand for actions in its targets."""
        ...


class RobotSteps:
    """The steps of a built dataset."""

    kind: Kind = "robot"

    def __init__(self, choice: RobotChoice, manifest: MixtureManifest, index: StepIndex) -> None:
        self.index = index
        self.name = choice.name or index.dataset.manifest.name
        self.weight = choice.weight
        self.content = index.content
        self.cameras = index.shown(choice.cameras)
        self.targets = ActionTargets(
            index, manifest.actions, manifest.chunk_length, manifest.placement, manifest.action_noise
        )
        self._prompts = prompts(manifest.prompt)
        self._paraphrases = manifest.paraphrases
        self._balanced = choice.balance_by_task

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def runs(self) -> Runs:
        runs = Runs.of(self.index.weights, self.index.firsts[:-1])
        if not self._balanced:
            return runs
        episodes = np.searchsorted(self.index.firsts, runs.starts, side="right") - 1
        return runs.balanced(np.asarray(self.index.tasks[episodes], dtype=np.int64))

    def item(self, number: int, rng: np.random.Generator) -> Item:
        ids, text = self.targets.answer(number, rng)
        prompt = self._prompts.action(self.instruction(number, rng))
        ending = self._prompts.before_ids if ids else ""
        return Item(prompt + ending, text, ids, self.images(number))

    def instruction(self, number: int, rng: np.random.Generator) -> str:
        """One of the ways in which the task of step `number` was said."""
        said = self.index.instructions(number)
        return said[int(rng.integers(len(said)))] if self._paraphrases else said[0]

    def images(self, number: int) -> dict[str, bytes]:
        """The image files of step `number`, by camera."""
        return {camera: self.index.image(number, camera) for camera in self.cameras}

    def camera_count(self) -> int:
        return len(self.cameras)

    def action_ids(self) -> NDArray[np.int32]:
        return self.targets.action_ids()


class Opener:
    """Opens the datasets that sources name, each split once. base: where relative paths start."""

    def __init__(self, base: Path, cache: Path, progress: Progress | None) -> None:
        self.base, self.cache, self._progress = base, cache, progress
        self._indices: dict[tuple[Path, str], StepIndex] = {}

    def index(self, path: Path, split: str) -> StepIndex:
        key = (self.base / path).resolve(), split
        if key not in self._indices:
            self._indices[key] = open_index(*key, self.cache, self._progress)
        return self._indices[key]

    def file(self, choice: TextChoice, what: str) -> Path:
        """The JSONL file of `what` that a choice means. Raises UnusableDatasetError when it is not there."""
        path = (self.base / choice.path).resolve()
        remedy = "a relative path starts at the mixture's folder"
        if path.is_dir():
            path = path / f"{what}-{choice.split}.jsonl"
            key = "questions.plans" if what == "plans" else "questions.kinds"
            remedy = f"a build makes it when its manifest has `{key}`; a file of your own is named itself"
        if not path.is_file():
            raise UnusableDatasetError(f"{path} does not exist; {remedy}")
        return path

    def cameras(self) -> set[str]:
        """The image keys of all datasets that were opened."""
        return {camera for index in self._indices.values() for camera in index.cameras}
