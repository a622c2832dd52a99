"""The ledger of a build: every input is emitted or rejected with a reason, and the counts balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

from teleloom.episode.reader import BadEpisodeError, UnknownVersionError


class LedgerImbalanceError(RuntimeError):
    """Inputs that were neither emitted nor rejected, or more than once: a fault of the builder, never of the data."""


_IN_THE_FILE = ("bad-file", "broken-image", "empty", "missing-frames", "not-finite", "unknown-version")


class UnfitEpisodeError(ValueError):
    """An episode that cannot be in this dataset.

    reason: a short fixed name; the message says what was wrong and what would help.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason

    @classmethod
    def unreadable(cls, error: BadEpisodeError) -> UnfitEpisodeError:
        """The same for a file that is no sound episode, without its path, which is another one on each machine."""
        reason = "unknown-version" if isinstance(error, UnknownVersionError) else "bad-file"
        return cls(reason, f"{error.fault}; {error.remedy}")


BROKEN = frozenset({*_IN_THE_FILE, "missing-file", "outside-root"})
"""Reasons that lie in the recording or its file: neither a person nor the manifest left the episode out."""


@dataclass(frozen=True)
class Emitted:
    """An episode that is in the dataset. task: its name, "" where an older builder did not say."""

    episode_id: str
    split: str
    shard: str
    steps: int
    task: str = ""


@dataclass(frozen=True)
class Rejected:
    """An episode that is not. reason: a short fixed name to count by; detail: what was wrong and what would help.

    task: its name, "" where it could not be known.
    """

    episode_id: str
    reason: str
    detail: str
    task: str = ""


@dataclass(frozen=True)
class Ledger:
    """inputs: every episode that was looked at, by id (by file name where the id could not be read)."""

    inputs: tuple[str, ...]
    emitted: tuple[Emitted, ...]
    rejected: tuple[Rejected, ...]

    @property
    def broken(self) -> int:
        """How many inputs were rejected because they are broken."""
        return sum(entry.reason in BROKEN for entry in self.rejected)

    def check(self) -> None:
        """Raise LedgerImbalanceError unless inputs = emitted + rejected, each episode once."""
        outcomes = Counter(entry.episode_id for entry in self.emitted)
        outcomes.update(entry.episode_id for entry in self.rejected)
        inputs = Counter(self.inputs)
        if outcomes != inputs:
            odd = sorted((inputs - outcomes) + (outcomes - inputs))
            raise LedgerImbalanceError(
                f"{len(self.inputs)} inputs, but {len(self.emitted)} emitted and {len(self.rejected)} rejected; "
                f"unaccounted: {', '.join(odd)}"
            )

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Ledger:
        """The ledger of a `ledger.json`, balanced or not. Raises KeyError or TypeError for any other document."""
        emitted = tuple(Emitted(**entry) for entry in document["emitted"])
        rejected = tuple(Rejected(**entry) for entry in document["rejected"])
        return cls(tuple(document["inputs"]), emitted, rejected)

    def to_json(self) -> dict[str, Any]:
        """The content of `ledger.json`. Raises LedgerImbalanceError rather than write one that does not balance."""
        self.check()
        reasons = Counter(entry.reason for entry in self.rejected)
        emitted = Counter(entry.task for entry in self.emitted)
        rejected = Counter(entry.task for entry in self.rejected)
        return {
            "counts": {
                "inputs": len(self.inputs),
                "emitted": len(self.emitted),
                "rejected": len(self.rejected),
                "steps": sum(entry.steps for entry in self.emitted),
                "broken": self.broken,
                "rejected_by_reason": dict(sorted(reasons.items())),
                "by_task": {
                    task: {"emitted": emitted[task], "rejected": rejected[task]}
                    for task in sorted(emitted.keys() | rejected.keys())
                },
            },
            "inputs": sorted(self.inputs),
            "emitted": [asdict(entry) for entry in sorted(self.emitted, key=attrgetter("episode_id"))],
            "rejected": [asdict(entry) for entry in sorted(self.rejected, key=attrgetter("episode_id"))],
        }


def why_none(rejected: Iterable[Rejected]) -> str:
    """Why no episode is left: one line for each reason, with how often it was and one episode of which it is true."""
    by_reason: dict[str, list[Rejected]] = {}
    for entry in rejected:
        by_reason.setdefault(entry.reason, []).append(entry)
    lines = [
        f"\n  {reason} ({len(entries)}): {entries[0].episode_id}: {entries[0].detail}"
        for reason, entries in sorted(by_reason.items())
    ]
    return "".join(lines) or " there are none; record some, or `teleloom review rescan` the station folder"
