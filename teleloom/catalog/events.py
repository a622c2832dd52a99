"""The history of what people said: reading it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, select

from teleloom.catalog.annotations import AnnotationEvent
from teleloom.catalog.records import read_records
from teleloom.catalog.tables import annotation_events


def read(connection: Connection, chosen: ColumnElement[bool]) -> list[AnnotationEvent]:
    """The chosen events, per episode oldest first."""
    query = select(annotation_events).where(chosen).order_by(annotation_events.c.revision)
    return read_records(connection, query, AnnotationEvent)


def history(connection: Connection, episode_id: str) -> list[AnnotationEvent]:
    """All that was said about the episode, oldest first."""
    return read(connection, annotation_events.c.episode_id == episode_id)


def recent(connection: Connection, author: str, limit: int) -> list[AnnotationEvent]:
    """The newest events of one author, on whichever episodes, newest first."""
    query = (
        select(annotation_events)
        .where(annotation_events.c.author == author)
        .order_by(annotation_events.c.wall_ns.desc(), annotation_events.c.revision.desc())
        .limit(limit)
    )
    return read_records(connection, query, AnnotationEvent)


def by_episode(events: Iterable[AnnotationEvent], episode_ids: Sequence[str]) -> dict[str, list[AnnotationEvent]]:
    """The events of each episode named, in the order they come in."""
    said: dict[str, list[AnnotationEvent]] = {episode_id: [] for episode_id in episode_ids}
    for event in events:
        said[event.episode_id].append(event)
    return said
