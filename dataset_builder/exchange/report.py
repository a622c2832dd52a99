"""What importers are given and give, and what an import did: carried, not carried, and counts that balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from dataset_builder.exchange.imported import ImportedEpisode
from dataset_builder.ledger import LedgerImbalanceError
from teleloom.specs import RobotSpec

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class ForeignDatasetError(ValueError):
    """A dataset of another project that cannot be read as a whole. The message names what is wrong and what helps."""


@dataclass(frozen=True)
class NotCarried:
    """A field of one side that the other has no place for."""

    field: str
    why: str


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


@dataclass(frozen=True)
class Imported:
    """A foreign episode that is an episode of the station now."""

    source: str
    episode_id: str
    steps: int
    notes: tuple[str, ...] = ()
    not_carried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """A foreign episode that the station has already, under `episode_id`."""

    source: str
    episode_id: str


@dataclass(frozen=True)
class RejectedSource:
    """A foreign episode that is not in the station. reason: short and fixed, to count by; detail: what and why."""

    source: str
    reason: str
    detail: str


@dataclass(frozen=True)
class ImportReport:
    """inputs: every foreign episode that was looked at, by its name in the dataset."""

    format: str
    dataset: str
    root: str
    inputs: tuple[str, ...]
    imported: tuple[Imported, ...]
    skipped: tuple[Skipped, ...]
    rejected: tuple[RejectedSource, ...]
    not_carried: tuple[NotCarried, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON. Raises LedgerImbalanceError unless inputs = imported + skipped + rejected."""
        outcomes = Counter(entry.source for entry in self.imported)
        outcomes.update(entry.source for entry in self.skipped)
        outcomes.update(entry.source for entry in self.rejected)
        if outcomes != Counter(self.inputs):
            odd = sorted((Counter(self.inputs) - outcomes) + (outcomes - Counter(self.inputs)))
            raise LedgerImbalanceError(f"unaccounted episodes of the import: {', '.join(odd)}")
        counts: dict[str, Any] = {
            "inputs": len(self.inputs),
            "imported": len(self.imported),
            "skipped": len(self.skipped),
            "rejected": len(self.rejected),
            "steps": sum(entry.steps for entry in self.imported),
            "rejected_by_reason": dict(sorted(Counter(entry.reason for entry in self.rejected).items())),
        }
        return {"counts": counts, **asdict(self)}
