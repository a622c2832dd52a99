"""Who works on which episode, so that two people do not review the same one unplanned: leases, which end by themselves.

An episode that several people are to judge may be held by so many at once. Whoever takes an episode locks its row
first: in PostgreSQL nobody else can look at its leases until the new one is there, in SQLite nobody else writes at all.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, delete, func, select, text, update

from teleloom.catalog.database import Database
from teleloom.catalog.errors import LeaseHeldError, LeaseLostError, UnknownEpisodeError
from teleloom.catalog.records import read_records
from teleloom.catalog.rows import Lease, find_row
from teleloom.catalog.tables import leases, verdicts
from teleloom.clock import NS_PER_S

_TAKE = text(
    "INSERT INTO leases (episode_id, holder, expires_wall_ns) VALUES (:episode_id, :holder, :expires_wall_ns)"
    " ON CONFLICT (episode_id, holder) DO UPDATE SET expires_wall_ns = excluded.expires_wall_ns"
)


class Leases:
    """Claims on episodes. A holder is a name; the same holder may claim again, which prolongs.

    now: wall time in ns since the epoch. The machines that share a catalog must agree on it to well under `seconds`.
    """

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now

    def claim(self, episode_id: str, holder: str, seconds: float) -> Lease:
        """Take the episode. Raises LeaseHeldError while others hold it and no more are wanted, UnknownEpisodeError."""
        now_ns = self._now()
        with self._database.note() as connection:
            row = find_row(connection, episode_id, lock=True)
            if row is None:
                raise UnknownEpisodeError(f"no episode {episode_id} in the catalog")
            others = [lease for lease in live(connection, episode_id, now_ns) if lease.holder != holder]
            spoken = connection.scalar(select(func.count()).where(has_spoken(episode_id), verdicts.c.author != holder))
            wanted = row.reviewers_wanted - (spoken or 0) if row.status == "unreviewed" else 1
            if len(others) >= max(1, wanted):
                raise LeaseHeldError(others[0], now_ns)
            return take(connection, episode_id, holder, now_ns, seconds)

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Prolong a lease to `seconds` from now. Raises LeaseLostError when it has ended."""
        now_ns = self._now()
        renewed = lease.model_copy(update={"expires_wall_ns": now_ns + round(seconds * NS_PER_S)})
        with self._database.note() as connection:
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
        with self._database.note() as connection:
            connection.execute(
                delete(leases).where(leases.c.episode_id == lease.episode_id, leases.c.holder == lease.holder)
            )

    def held(self) -> list[Lease]:
        """The leases that have not ended, by episode."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(leases)
                .where(leases.c.expires_wall_ns > self._now())
                .order_by(leases.c.episode_id, leases.c.holder)
            )
            return [Lease.model_validate(dict(row._mapping)) for row in rows]


def live(connection: Connection, episode_id: str, now_ns: int) -> list[Lease]:
    """The leases on the episode that have not ended, the one that lasts longest last."""
    query = (
        select(leases)
        .where(leases.c.episode_id == episode_id, leases.c.expires_wall_ns > now_ns)
        .order_by(leases.c.expires_wall_ns, leases.c.holder)
    )
    return read_records(connection, query, Lease)


def has_spoken(episode_id: str | ColumnElement[str]) -> ColumnElement[bool]:
    """The verdicts on the episode that stand."""
    return (verdicts.c.episode_id == episode_id) & verdicts.c.standing


def take(connection: Connection, episode_id: str, holder: str, now_ns: int, seconds: float) -> Lease:
    """Enter the lease, or prolong it, whoever else holds the episode."""
    lease = Lease(episode_id=episode_id, holder=holder, expires_wall_ns=now_ns + round(seconds * NS_PER_S))
    connection.execute(_TAKE, lease.model_dump())
    return lease
