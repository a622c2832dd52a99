"""Who works on which episode now: the next one for a reviewer, and the leases that keep others away from it."""

from __future__ import annotations

from collections.abc import Collection

from review_ui.service.assignments import Assignment, assign
from review_ui.service.roles import Reviewer
from teleloom.catalog import Catalog, EpisodeFilter, EpisodeRow, Lease, LeaseHeldError
from teleloom.catalog import Queue as QueueName


class Queue:
    """The episodes that wait, the riskiest first. lease_s: how long one stays with who took it."""

    def __init__(self, catalog: Catalog, lease_s: float) -> None:
        self._catalog = catalog
        self._lease_s = lease_s

    def next(
        self, reviewer: Reviewer, filter: EpisodeFilter | None, without: Collection[str], queue: QueueName
    ) -> Assignment | None:
        """What the reviewer holds already, else the riskiest that they may take; None when nothing waits."""
        taken = self._catalog.claim_next(
            reviewer.name, self._lease_s, filter=filter or EpisodeFilter(), without=without, queue=queue
        )
        return assign(self._catalog, reviewer, *taken) if taken else None

    def open(self, reviewer: Reviewer, episode_id: str) -> Assignment:
        """The episode to look at, without taking it. Raises UnknownEpisodeError."""
        return self.shown(reviewer, self._catalog.episode(episode_id))

    def shown(self, reviewer: Reviewer, row: EpisodeRow) -> Assignment:
        """The episode of `row` with the lease that the reviewer may have on it."""
        mine = (lease for lease in self._catalog.leases.held() if lease.holder == reviewer.name)
        return assign(self._catalog, reviewer, row, next((lease for lease in mine if lease.episode_id == row.id), None))

    def claim(self, reviewer: Reviewer, episode_id: str) -> Assignment:
        """Take this very episode. Raises LeaseHeldError while somebody else has it, UnknownEpisodeError."""
        lease = self._catalog.leases.claim(episode_id, reviewer.name, self._lease_s)
        return assign(self._catalog, reviewer, self._catalog.episode(episode_id), lease)

    def claim_if_free(self, reviewer: Reviewer, episode_id: str) -> Assignment:
        """Take the episode, or only look at it while somebody else has it."""
        try:
            return self.claim(reviewer, episode_id)
        except LeaseHeldError:
            return self.open(reviewer, episode_id)

    def renew(self, reviewer: Reviewer, episode_id: str) -> Lease:
        """Keep the episode for another while. Raises LeaseLostError when the lease has ended."""
        return self._catalog.leases.renew(_lease(reviewer, episode_id), self._lease_s)

    def release(self, reviewer: Reviewer, episode_id: str) -> None:
        """Give the episode back; nothing happens without a lease."""
        self._catalog.leases.release(_lease(reviewer, episode_id))


def _lease(reviewer: Reviewer, episode_id: str) -> Lease:
    return Lease(episode_id=episode_id, holder=reviewer.name, expires_wall_ns=0)
