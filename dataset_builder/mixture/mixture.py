"""A mixture: the endless stream of samples that its manifest describes, any one of which can be asked for by number.

Sample n is a function of the manifest, the data and n. Everything else follows: a batch is B numbers in a row, ranks
and workers share them out by arithmetic, and going on after a crash takes the number of the next batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import ceil
from operator import index
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from dataset_builder.mixture.augmentation import UNCHANGED
from dataset_builder.mixture.chance import generator
from dataset_builder.mixture.columns import cache_folder
from dataset_builder.mixture.images import Pixels, UnreadableImageError, decoded
from dataset_builder.mixture.index import Progress
from dataset_builder.mixture.manifest import MixtureManifest
from dataset_builder.mixture.resampling import NothingToDrawError, Resampling
from dataset_builder.mixture.schedule import schedule
from dataset_builder.mixture.sources import Item, Kind, Opener, RobotSteps, Source
from dataset_builder.mixture.texts import Plans, Questions
from dataset_builder.mixture.tokens import TextEncoder, TokenizationError, Tokens
from teleloom.config import load_yaml
from teleloom.extras import require


class BadMixtureError(ValueError):
    """A mixture that cannot be made, or a state of another one. The message says what would help."""


@dataclass(frozen=True)
class Pick:
    """What sample `number` is: an item of a source, in one of the source's epochs."""

    number: int
    source: int
    epoch: int
    item: int


@dataclass(frozen=True)
class Sample:
    """One sample. images: (K, H, W, 3) uint8, as many as it has; tokens: see there; prompt and answer as text."""

    pick: Pick
    source: str
    kind: Kind
    prompt: str
    answer: str
    tokens: Tokens
    images: NDArray[np.uint8]


class Batch(TypedDict):
    """B samples of at most K images of (H, W), padded to L ids.

    input_ids (B, L) int32; attention_mask, loss_mask (B, L) bool: an id that is there, an id to be learnt (the target
    and its end; a model that predicts the next id shifts both alike). images (B, K, H, W, 3) uint8; image_mask (B, K)
    bool. source (B,) int32, numbered as in `Mixture.sources`; item, epoch (B,) int64: which of the source's items, in
    which of its epochs; cut (B,) int32: ids that the prompt lost to max_length. batch: () int64, its number.
    """

    input_ids: NDArray[np.int32]
    attention_mask: NDArray[np.bool_]
    loss_mask: NDArray[np.bool_]
    images: NDArray[np.uint8]
    image_mask: NDArray[np.bool_]
    source: NDArray[np.int32]
    item: NDArray[np.int64]
    epoch: NDArray[np.int64]
    cut: NDArray[np.int32]
    batch: NDArray[np.int64]


class Mixture:
    """An opened mixture. sources: robots, then questions, then plans, as in the manifest. slots: images a sample."""

    def __init__(self, manifest: MixtureManifest, base: Path, progress: Progress | None = None) -> None:
        """base: where relative paths start. Data that no index is kept of are indexed first, which `progress` hears of.

        Raises ConfigError, NotADatasetError, UnusableDatasetError, BadQuestionsError, CodecOptionError,
        TokenizationError, MissingExtraError and BadMixtureError.
        """
        # What is missing is said now, and a worker that is forked from many threads finds it imported.
        require("PIL.Image", "build").preinit()
        self.manifest = manifest
        cache = cache_folder() if manifest.cache is None else base / manifest.cache
        opener = Opener(base, cache, progress)
        self.sources: tuple[Source, ...] = (
            *(RobotSteps(choice, manifest, opener.index(choice.path, choice.split)) for choice in manifest.robots),
            *(Questions(choice, manifest, opener) for choice in manifest.questions),
            *(Plans(choice, manifest, opener) for choice in manifest.plans),
        )
        names = [source.name for source in self.sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BadMixtureError(f"two sources are called {', '.join(twice)}; give them each a name")
        still = manifest.augmentation.still if manifest.augmentation else ()
        if (known := opener.cameras()) and (unknown := sorted({*still} - known)):
            raise BadMixtureError(
                f"augmentation.still: no dataset has images {', '.join(unknown)}; there are {', '.join(sorted(known))}"
            )
        self.text = TextEncoder(manifest.tokenizer, base, manifest.max_length, manifest.too_long == "cut")
        for source in self.sources:
            self._check_ids(source)
        self.slots = max(source.camera_count() for source in self.sources)
        self._draws = [self._resampling(source) for source in self.sources]
        shares = {i: self._proportion(source) for i, source in enumerate(self.sources)}
        robots = {i: share for i, share in shares.items() if self.sources[i].kind == "robot"}
        others = {i: share for i, share in shares.items() if self.sources[i].kind != "robot"}
        exact_in = manifest.batch_size if manifest.exact_share else None
        try:
            self._schedule = schedule(robots, others, manifest.robot_share, exact_in, manifest.seed)
        except ValueError as error:
            raise BadMixtureError(f"{error}: set robot_share and weights nearer to each other") from None

    @classmethod
    def open(cls, path: Path, progress: Progress | None = None) -> Mixture:
        """The mixture of a manifest file. Raises as the constructor does."""
        return cls(load_yaml(path, MixtureManifest), path.parent, progress)

    @cached_property
    def fingerprint(self) -> str:
        """What the samples follow from, as a digest: manifest, content of the sources, targets, tokenizer."""
        content = {
            "manifest": self.manifest.content(),
            "sources": [source.content for source in self.sources],
            "targets": [source.targets.content() for source in self.sources if isinstance(source, RobotSteps | Plans)],
            "tokenizer": self.text.digest,
        }
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def pick(self, number: int) -> Pick:
        """What sample `number` is, without reading it."""
        # NumPy's integers overflow, and are other keys to chance.
        number = index(number)
        source, draw = self._schedule.at(number)
        return Pick(number, source, *self._draws[source].at(draw))

    def sample(self, number: int) -> Sample:
        """Sample `number`. Raises TokenizationError and UnreadableImageError naming it."""
        pick = self.pick(number)
        source = self.sources[pick.source]
        item = source.item(pick.item, generator(self.manifest.seed, "item", pick.number))
        try:
            tokens = self.text.encode(item.prompt, item.text, item.ids)
            images = self._images(source.kind, item, pick.number)
        except (TokenizationError, UnreadableImageError) as error:
            raise type(error)(f"item {pick.item} of '{source.name}': {error}") from None
        answer = item.text + (self.text.decode(item.ids) if item.ids else "")
        return Sample(pick, source.name, source.kind, item.prompt, answer, tokens, images)

    def batch(self, number: int) -> Batch:
        """Batch `number`: samples number * batch_size and those that follow."""
        return self._collated(self.samples(number), number)

    def samples(self, batch: int) -> list[Sample]:
        """The samples of batch `batch`, each by itself."""
        size = self.manifest.batch_size
        return [self.sample(number) for number in range(batch * size, (batch + 1) * size)]

    def batches(self, first: int = 0, stride: int = 1) -> Iterator[Batch]:
        """Batches `first`, `first + stride`, …, without end."""
        number = first
        while True:
            yield self.batch(number)
            number += stride

    def epochs(self) -> dict[str, int]:
        """After about how many samples each source was gone through once."""
        shares = [float(self._schedule.share(i)) for i in range(len(self.sources))]
        return {
            source.name: ceil(draws.length / share)
            for source, draws, share in zip(self.sources, self._draws, shares, strict=True)
        }

    def shares(self) -> dict[str, float]:
        """The share of each source in the samples."""
        return {source.name: float(self._schedule.share(i)) for i, source in enumerate(self.sources)}

    def state(self, next_batch: int) -> dict[str, Any]:
        """What to keep beside a checkpoint, as plain JSON, in order to go on with batch `next_batch`."""
        return {"format": 1, "mixture": self.fingerprint, "next_batch": next_batch}

    def resume(self, state: dict[str, Any]) -> int:
        """The batch to go on with. Raises BadMixtureError when the state is another mixture's."""
        if state.get("format") != 1 or state.get("mixture") != self.fingerprint:
            raise BadMixtureError(
                "the state is that of another mixture: manifest, data, codec, statistics or tokenizer changed since; "
                "go on with those it was kept with, or begin anew"
            )
        return int(state["next_batch"])

    def _collated(self, samples: Sequence[Sample], number: int) -> Batch:
        count, length = len(samples), self.manifest.max_length
        input_ids = np.full((count, length), self.text.pad, dtype=np.int32)
        positions = np.arange(length)
        ends = np.array([len(sample.tokens.ids) for sample in samples])[:, None]
        targets = np.array([sample.tokens.target for sample in samples])[:, None]
        images = np.zeros((count, self.slots, *self.manifest.images.size, 3), dtype=np.uint8)
        shown = np.array([len(sample.images) for sample in samples])[:, None]
        for row, sample in enumerate(samples):
            input_ids[row, : len(sample.tokens.ids)] = sample.tokens.ids
            images[row, : len(sample.images)] = sample.images
        return {
            "input_ids": input_ids,
            "attention_mask": positions < ends,
            "loss_mask": (positions >= targets) & (positions < ends),
            "images": images,
            "image_mask": np.arange(self.slots) < shown,
            "source": np.array([sample.pick.source for sample in samples], dtype=np.int32),
            "item": np.array([sample.pick.item for sample in samples], dtype=np.int64),
            "epoch": np.array([sample.pick.epoch for sample in samples], dtype=np.int64),
            "cut": np.array([sample.tokens.cut for sample in samples], dtype=np.int32),
            "batch": np.array(number, dtype=np.int64),
        }

    def _images(self, kind: Kind, item: Item, number: int) -> NDArray[np.uint8]:
        choice, augmentation = self.manifest.images, self.manifest.augmentation
        if augmentation is None:
            pictures = [decoded(data, choice) for data in item.images.values()]
        else:
            light = augmentation.colour(generator(self.manifest.seed, "light", number))
            pictures = []
            for camera, data in item.images.items():
                still = kind == "question" or camera in augmentation.still
                rng = generator(self.manifest.seed, "view", number, camera)
                pictures.append(decoded(data, choice, UNCHANGED if still else augmentation.geometry(rng), light))
        empty: list[Pixels] = [np.empty((0, *choice.size, 3), dtype=np.uint8)]
        return np.concatenate(empty + [picture[None] for picture in pictures])

    def _check_ids(self, source: Source) -> None:
        ids, vocab_size = source.action_ids(), self.text.vocab_size
        if (highest := int(ids.max(initial=-1))) >= vocab_size:
            raise BadMixtureError(
                f"'{source.name}' has action ids up to {highest}, and the tokenizer has {vocab_size} tokens; "
                f"set placement, e.g. {{name: last, vocab_size: {vocab_size}}}"
            )
        if taken := sorted(set(ids.tolist()) & {self.text.bos, self.text.eos, self.text.pad}):
            raise BadMixtureError(
                f"'{source.name}' has actions on id {taken[0]}, which is '{self.text.decode(taken[:1])}' to the "
                f"tokenizer; set placement, e.g. {{name: last, vocab_size: "
                f"{taken[0] if taken[0] >= len(ids) else vocab_size}}}"
            )

    def _proportion(self, source: Source) -> float:
        return source.weight * (len(source) if self.manifest.proportions == "transitions" else 1.0)

    def _resampling(self, source: Source) -> Resampling:
        try:
            return Resampling(source.runs, self.manifest.seed, source.name)
        except (NothingToDrawError, IndexError):
            why = "no item with a weight above 0" if len(source) else f"its file has no {source.kind}s; leave it out"
            raise BadMixtureError(f"'{source.name}' has nothing to draw: {why}") from None
