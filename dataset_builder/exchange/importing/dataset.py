"""A dataset of another project, opened: what an importer is told, and what it gives, episode by episode."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dataset_builder.exchange.importing.episode import ImportedEpisode
from dataset_builder.exchange.report import NotCarried
from teleloom.specs import RobotSpec


class ForeignDatasetError(ValueError):
    """A dataset of another project that cannot be read as a whole. The message names what is wrong and what helps."""


@dataclass(frozen=True)
class ImportOptions:
    """What the user says in place of the dataset, None where the dataset is to say it itself.

    map: names of ours (`pose`, `gripper_target`, ...) to where they are in the dataset; formats that need none refuse
    it. profile: name of a ready-made map. jpeg_quality: of pixels that have to be encoded.
    """

    rate_hz: float | None = None
    robot: RobotSpec | None = None
    task: str | None = None
    instruction: str | None = None
    operator: str | None = None
    scene: str | None = None
    profile: str | None = None
    map: tuple[tuple[str, str], ...] = ()
    jpeg_quality: int = 95


@dataclass(frozen=True)
class Source:
    """One foreign episode, not read yet. read: raises UnimportableError when it cannot become an episode here."""

    name: str
    read: Callable[[], ImportedEpisode]


@dataclass(frozen=True)
class ForeignDataset:
    """An opened dataset. count: how many episodes it says it has. notes: what holds for all of them."""

    format: str
    name: str
    count: int
    sources: Iterable[Source]
    not_carried: tuple[NotCarried, ...] = ()
    notes: tuple[str, ...] = ()


class Importer(Protocol):
    """A module that reads a format. LOOKS_FOR: what it recognises a dataset by, in words."""

    LOOKS_FOR: str

    def recognises(self, path: Path) -> bool:
        """Whether `path` looks like this format; quick, and never raises."""
        ...

    def open_dataset(self, path: Path, options: ImportOptions) -> ForeignDataset:
        """The dataset at `path`. Raises ForeignDatasetError."""
        ...
