"""What selection hands to the builder: approved episodes with what the review decided, and all the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataset_builder.ledger import Rejected
from teleloom.catalog.view import EpisodeView


class UnfitEpisodeError(ValueError):
    """An episode that cannot be in this dataset. reason: a short fixed name; the message says what was wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Candidate:
    """An approved episode. file_path: relative to the station's root, as the record will name it.

    view: what the review says about it; its revision is pinned by the build.
    """

    episode_id: str
    path: Path
    file_path: str
    file_bytes: int
    content_hash: str
    view: EpisodeView


@dataclass(frozen=True)
class Selection:
    """What a station offers. inputs: every episode looked at; candidates and rejected share them out.

    root: the station's folder.
    """

    root: Path
    inputs: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]
