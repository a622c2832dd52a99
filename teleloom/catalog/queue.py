"""Which episode a reviewer takes next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select

from teleloom.catalog.leases import has_spoken, take
from teleloom.catalog.rows import EpisodeRow, Lease, read_rows, select_rows
from teleloom.catalog.search import EpisodeFilter, conditions
from teleloom.catalog.tables import episodes, leases, verdicts

Queue = Literal["review", "segments"]


def claim_next(
    connection: Connection,
    reviewer: str,
    wanted: EpisodeFilter,
    without: Collection[str],
    queue: Queue,
    now_ns: int,
    seconds: float,
) -> tuple[EpisodeRow, Lease] | None:
    """Take the next episode for the reviewer, in a transaction that writes; None when there is none to take."""
    chosen = [*conditions(wanted), *_free(queue, reviewer, now_ns)]
    if without:
        chosen.append(episodes.c.id.not_in(without))
    held = _held(connection, reviewer, now_ns)
    row = _first(connection, [episodes.c.id.in_(held), *chosen]) if held else None
    row = row or _first(connection, chosen)
    return (row, take(connection, row.id, reviewer, now_ns, seconds)) if row is not None else None


def _first(connection: Connection, chosen: list[ColumnElement[bool]]) -> EpisodeRow | None:
    """The riskiest of the chosen that nobody else is about to take, locked."""
    riskiest = select(episodes.c.id).where(*chosen).order_by(episodes.c.risk.desc(), episodes.c.id).limit(1)
    lock = riskiest.with_for_update(of=episodes, skip_locked=True)
    while (episode_id := connection.scalar(lock)) is not None:
        # PostgreSQL looks before it locks; somebody may have come and gone in between: look again, now it is locked.
        if rows := read_rows(connection, select_rows().where(episodes.c.id == episode_id, *chosen)):
            return rows[0]
    return None


def _held(connection: Connection, reviewer: str, now_ns: int) -> Sequence[str]:
    return connection.scalars(select(leases.c.episode_id).where(_live(now_ns), leases.c.holder == reviewer)).all()


def _free(queue: Queue, reviewer: str, now_ns: int) -> list[ColumnElement[bool]]:
    """What makes an episode one that the reviewer may take."""
    others = and_(leases.c.episode_id == episodes.c.id, _live(now_ns), leases.c.holder != reviewer)
    if queue == "segments":
        return [episodes.c.status == "approved", episodes.c.segments == 0, ~exists().where(others)]
    spoken = exists().where(has_spoken(leases.c.episode_id), verdicts.c.author == leases.c.holder).correlate(leases)
    at_work = select(func.count()).select_from(leases).where(others, ~spoken).correlate(episodes).scalar_subquery()
    return [
        episodes.c.status == "unreviewed",
        ~exists().where(has_spoken(episodes.c.id), verdicts.c.author == reviewer),
        episodes.c.opinions + at_work < episodes.c.reviewers_wanted,
    ]


def _live(now_ns: int) -> ColumnElement[bool]:
    return leases.c.expires_wall_ns > now_ns
