"""Who works on which episode, so that two people do not review the same one: a lease, which ends by itself."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from teleloom.catalog.database import Database
from teleloom.catalog.errors import LeaseHeldError, LeaseLostError, UnknownEpisodeError
from teleloom.catalog.rows import Lease
from teleloom.catalog.tables import episodes, leases
from teleloom.clock import NS_PER_S


class Leases:
    """Claims on episodes. A holder is a name; the same holder may claim again, which prolongs.

    now: wall time in ns since the epoch. The machines that share a catalog must agree on it to well under `seconds`.
    """

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now

    def claim(self, episode_id: str, holder: str, seconds: float) -> Lease:
        """Take the episode. Raises LeaseHeldError while another holds it, UnknownEpisodeError."""
        now_ns = self._now()
        wanted = Lease(episode_id=episode_id, holder=holder, expires_wall_ns=now_ns + round(seconds * NS_PER_S))
        try:
            with self._database.write() as connection:
                if connection.scalar(select(episodes.c.id).where(episodes.c.id == episode_id)) is None:
                    raise UnknownEpisodeError(f"no episode {episode_id} in the catalog")
                held = _find(connection, episode_id)
                if held and held.holder != holder and held.expires_wall_ns > now_ns:
                    raise LeaseHeldError(held, now_ns)
                connection.execute(delete(leases).where(leases.c.episode_id == episode_id))
                connection.execute(insert(leases).values(wanted.model_dump()))
        except IntegrityError:  # Another claim went through between the look and the insertion; now it is seen.
            return self.claim(episode_id, holder, seconds)
        return wanted

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Prolong a lease to `seconds` from now. Raises LeaseLostError when it has ended."""
        now_ns = self._now()
        renewed = lease.model_copy(update={"expires_wall_ns": now_ns + round(seconds * NS_PER_S)})
        with self._database.write() as connection:
            kept = connection.execute(
                update(leases)
                .where(leases.c.episode_id == lease.episode_id, leases.c.holder == lease.holder)
                .where(leases.c.expires_wall_ns > now_ns)
                .values(expires_wall_ns=renewed.expires_wall_ns)
            )
        if kept.rowcount == 0:
            raise LeaseLostError(f"episode {lease.episode_id}: the lease of '{lease.holder}' has ended; claim it again")
        return renewed

    def release(self, lease: Lease) -> None:
        """Give the episode back. Does nothing when the lease has ended."""
        with self._database.write() as connection:
            connection.execute(
                delete(leases).where(leases.c.episode_id == lease.episode_id, leases.c.holder == lease.holder)
            )

    def held(self) -> list[Lease]:
        """The leases that have not ended, by episode."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(leases).where(leases.c.expires_wall_ns > self._now()).order_by(leases.c.episode_id)
            )
            return [Lease.model_validate(dict(row._mapping)) for row in rows]


def _find(connection: Connection, episode_id: str) -> Lease | None:
    row = connection.execute(select(leases).where(leases.c.episode_id == episode_id)).mappings().one_or_none()
    return Lease.model_validate(dict(row)) if row else None
