"""What an import did: carried, not carried, and counts that balance."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from dataset_builder.ledger import LedgerImbalanceError


@dataclass(frozen=True)
class NotCarried:
    """A field of one side that the other has no place for."""

    field: str
    why: str


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
