"""Sharing out the batches of a mixture over ranks and workers, and remembering where one was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.mixture.manifest import MixtureManifest
from dataset_builder.mixture.mixture import Batch, Mixture


@dataclass(frozen=True)
class Place:
    """Which of `ranks` processes that train together this is."""

    rank: int = 0
    ranks: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.ranks:
            raise ValueError(f"rank {self.rank} of {self.ranks}: ranks are counted from 0")


ALONE = Place()


class Stream:
    """The batches of one rank: next, next + ranks, …, so that the ranks together get every batch once.

    next: the number of the batch with which all ranks go on; this one's own is `next + rank`. Opened in each process
    when it is first read, so that it can be handed to workers.
    """

    def __init__(self, manifest: MixtureManifest, base: Path, place: Place = ALONE) -> None:
        self._manifest, self._base = manifest, base
        self.place = place
        self.next = 0
        self._mixture: Mixture | None = None

    @property
    def mixture(self) -> Mixture:
        if self._mixture is None:
            self._mixture = Mixture(self._manifest, self._base)
        return self._mixture

    def batches(self, worker: int = 0, workers: int = 1) -> Iterator[Batch]:
        """The batches of one of this rank's workers; taken in turn from all, they are the rank's in order."""
        first = self.next + self.place.rank + worker * self.place.ranks
        return self.mixture.batches(first, self.place.ranks * workers)

    def state(self, done: int = 0) -> dict[str, Any]:
        """The state after `done` more batches of this rank: the same on every rank at the same step."""
        return self.mixture.state(self.next + done * self.place.ranks)

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state, of any number of ranks and workers. Raises BadMixtureError for another mixture's."""
        self.next = self.mixture.resume(state)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mixture": None}
