"""What selection hands to the builder: approved episodes with what the review decided, and all the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataset_builder.ledger import Rejected, UnfitEpisodeError
from teleloom.catalog.view import EpisodeView


@dataclass(frozen=True)
class Candidate:
    """An approved episode. file_path: relative to the station's root, as the record will name it.

    view: what the review says about it; its revision is pinned by the build. task: its name, "" where only its file
    knows.
    """

    episode_id: str
    path: Path
    file_path: str
    file_bytes: int
    content_hash: str
    view: EpisodeView
    task: str = ""

    def rejected(self, error: UnfitEpisodeError) -> Rejected:
        """The ledger's entry that says why it is not in."""
        return Rejected(self.episode_id, error.reason, str(error), self.task)


@dataclass(frozen=True)
class Selection:
    """What a station offers. inputs: every episode looked at; candidates and rejected share them out.

    root: the station's folder. warnings: what the manifest asks for and nobody recorded.
    """

    root: Path
    inputs: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]
    warnings: tuple[str, ...] = ()
