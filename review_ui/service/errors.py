"""What the service may refuse, on top of what the catalog does."""

from __future__ import annotations

from collections.abc import Sequence

from review_ui.service.history import HistoryLine
from teleloom.catalog import CatalogError


class NotAllowedError(CatalogError):
    """Somebody else may do this. The message says who."""


class NothingToUndoError(CatalogError):
    """There is nothing in force that could be taken back."""


class StaleError(CatalogError):
    """Somebody spoke about the episode since the reviewer looked, and nothing was written.

    revision: the newest one. changed: what the reviewer has not seen, oldest first; who spoke, but not what they said,
    where the reviewer is to judge without knowing.
    """

    def __init__(self, episode_id: str, seen_revision: int, revision: int, changed: Sequence[HistoryLine]) -> None:
        said = ", ".join(f"'{line.author}' {line.what}" for line in changed)
        what = f"since then {said}" if said else "it has not come so far"
        super().__init__(f"episode {episode_id}: you saw revision {seen_revision}; {what}; look again and repeat")
        self.episode_id = episode_id
        self.revision = revision
        self.changed = tuple(changed)
