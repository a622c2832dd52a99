"""What the catalog may refuse. Every message names what, where and the remedy."""

from __future__ import annotations

from collections.abc import Sequence

from teleloom.catalog.annotations import AnnotationEvent, summary
from teleloom.catalog.rows import Lease
from teleloom.clock import NS_PER_S


class CatalogError(RuntimeError):
    """The catalog cannot be opened, or cannot do what it was asked to."""


class UnknownEpisodeError(CatalogError):
    """No episode in the catalog has this id, or more than one begins with it."""


class EpisodeConflictError(CatalogError):
    """Two files claim the same episode id with different content."""


class BadQualityError(CatalogError):
    """A quality verdict with a figure that is no number. The message names the figure."""


class BuildConflictError(CatalogError):
    """The version of a dataset is recorded already, with another lock: a version is never built twice."""


class StaleRevisionError(CatalogError):
    """Somebody annotated the episode since the caller looked. `events`: what the caller has not seen."""

    def __init__(self, episode_id: str, seen_revision: int, events: Sequence[AnnotationEvent]) -> None:
        said = ", ".join(f"'{event.author}' {summary(event.annotation)}" for event in events)
        what = f"since then {said}" if said else "it has not come so far"
        super().__init__(f"episode {episode_id}: you saw revision {seen_revision}; {what}; look again and repeat")
        self.events = tuple(events)


class LeaseHeldError(CatalogError):
    """Somebody else works on the episode. The message says who and for how long."""

    def __init__(self, lease: Lease, now_ns: int) -> None:
        left_s = (lease.expires_wall_ns - now_ns) / NS_PER_S
        super().__init__(f"episode {lease.episode_id}: '{lease.holder}' is at work on it, for {left_s:.0f} s more")
        self.lease = lease


class LeaseLostError(CatalogError):
    """The lease has ended, or somebody else took the episode after it had."""
