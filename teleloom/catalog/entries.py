"""Entering episodes into the catalog, and keeping what is derived about them up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from teleloom.catalog.derived import derive_row, store, store_verdicts
from teleloom.catalog.errors import EpisodeConflictError, UnknownEpisodeError
from teleloom.catalog.events import by_episode, history, read
from teleloom.catalog.rows import EpisodeRow, find_row, read_rows, select_rows
from teleloom.catalog.tables import annotation_events, episodes, reports
from teleloom.catalog.verdicts import verdict_rows

EPISODES_PER_QUERY = 500
_IN_FILE = tuple(name for name in EpisodeRow.model_fields if name in episodes.c)
Risks = Mapping[str, tuple[float, Sequence[Mapping[str, Any]]]]


def enter(connection: Connection, row: EpisodeRow) -> EpisodeRow:
    """Enter an episode, or what is new about it. Raises EpisodeConflictError for other content under its id."""
    known = find_row(connection, row.id, lock=True)
    if known is None:
        connection.execute(insert(episodes).values(_stored(row) | {"search_text": ""}))
        connection.execute(insert(reports).values(episode_id=row.id, quality=row.quality, risks=list(row.risks)))
    elif known.content_hash != row.content_hash:
        raise EpisodeConflictError(
            f"episode {row.id} is known from {known.path} with other content than {row.path}; "
            "find out which file is the true one and move the other away"
        )
    else:
        quality = known.quality if row.quality is None else row.quality
        row = row.model_copy(update={"quality": quality, "risk": known.risk, "risks": known.risks})
        connection.execute(update(episodes).where(episodes.c.id == row.id).values(_stored(row)))
        connection.execute(update(reports).where(reports.c.episode_id == row.id).values(quality=quality))
    store(connection, [derive_row(row, history(connection, row.id))])
    entered = find_row(connection, row.id)
    assert entered is not None
    return entered


def set_quality(connection: Connection, episode_id: str, quality: dict[str, Any]) -> None:
    """Put a quality verdict in the place of the one before. Raises UnknownEpisodeError."""
    row = find_row(connection, episode_id, lock=True)
    if row is None:
        raise UnknownEpisodeError(f"no episode {episode_id} in the catalog")
    enter(connection, row.model_copy(update={"quality": quality}))


def set_risks(connection: Connection, risks: Risks) -> None:
    """Rank the episodes named; those that are gone are passed over."""
    # In one order always, so that two who rank at once wait for each other and never in a circle.
    ids = sorted(risks)
    connection.execute(
        update(episodes).where(episodes.c.id == bindparam("key")),
        [{"key": each, "risk": risks[each][0]} for each in ids],
    )
    connection.execute(
        update(reports).where(reports.c.episode_id == bindparam("key")),
        [{"key": each, "risks": [dict(reason) for reason in risks[each][1]]} for each in ids],
    )


def derive_all(connection: Connection) -> None:
    """Derive everything anew that the catalog keeps about episodes and verdicts."""
    for ids in chunks(connection.scalars(select(episodes.c.id).order_by(episodes.c.id)).all()):
        chosen = select_rows().where(episodes.c.id.in_(ids)).order_by(episodes.c.id)
        rows = read_rows(connection, chosen.with_for_update(of=episodes))
        events = by_episode(read(connection, annotation_events.c.episode_id.in_(ids)), ids)
        store(connection, [derive_row(row, events[row.id]) for row in rows])
        if judged := [{"key": row.id, "quality_verdict": _quality_verdict(row)} for row in rows]:
            connection.execute(update(episodes).where(episodes.c.id == bindparam("key")), judged)
    gone = select(annotation_events.c.episode_id).distinct().except_(select(episodes.c.id))
    for ids in chunks(sorted(connection.scalars(gone))):
        events = by_episode(read(connection, annotation_events.c.episode_id.in_(ids)), ids)
        store_verdicts(connection, ids, [verdict for said in events.values() for verdict in verdict_rows(said)])


def _stored(row: EpisodeRow) -> dict[str, Any]:
    return row.model_dump(mode="json", include=set(_IN_FILE)) | {"quality_verdict": _quality_verdict(row)}


def _quality_verdict(row: EpisodeRow) -> str | None:
    verdict = (row.quality or {}).get("verdict")
    return None if verdict is None else str(verdict)


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in parts that one query can name."""
    for start in range(0, len(ids), EPISODES_PER_QUERY):
        yield ids[start : start + EPISODES_PER_QUERY]
