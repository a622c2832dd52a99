"""Adding what somebody says to an episode's history: one commit, all of it or nothing, on what its author saw."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from teleloom.catalog.annotations import Annotation, AnnotationEvent, BadAnnotationError, Undo
from teleloom.catalog.database import Database
from teleloom.catalog.derived import derive_row, store_after
from teleloom.catalog.errors import StaleRevisionError, UnknownEpisodeError
from teleloom.catalog.events import history, read
from teleloom.catalog.rows import find_row
from teleloom.catalog.tables import annotation_events
from teleloom.catalog.view import check_undo
from teleloom.config import describe


def make_events(
    episode_id: str,
    annotations: Sequence[Annotation],
    author: str,
    seen_revision: int,
    wall_ns: int,
    operation: str | None,
) -> list[AnnotationEvent]:
    """The events of one commit. Raises BadAnnotationError for a wrong author, operation, or no annotation at all."""
    if not annotations:
        raise BadAnnotationError("a commit needs at least one annotation")
    last = len(annotations)
    try:
        return [
            AnnotationEvent(
                episode_id=episode_id,
                revision=seen_revision + place,
                author=author,
                wall_ns=wall_ns,
                annotation=annotation,
                operation=operation if place == last else None,
            )
            for place, annotation in enumerate(annotations, start=1)
        ]
    except ValidationError as error:
        raise BadAnnotationError(f"not an annotation:\n{describe(error, AnnotationEvent)}") from None


def append(database: Database, events: Sequence[AnnotationEvent]) -> int:
    """Add one commit, from `make_events`, to its episode's history; returns the revision that it ended at.

    A commit whose operation is there already changes nothing. Raises as `Catalog.annotate_all` does. All is worked out
    before the transaction that writes, which then only goes through if the episode is still as it was: nobody has to
    wait for the working out.
    """
    last, seen_revision = events[-1], events[0].revision - 1
    while True:
        with database.read() as connection:
            row, known = find_row(connection, last.episode_id), history(connection, last.episode_id)
        if (done := _done(known, last)) is not None:
            return done
        if row is None:
            raise UnknownEpisodeError(f"no episode {last.episode_id} in the catalog")
        if row.revision != seen_revision:
            raise StaleRevisionError(row.id, seen_revision, known[max(0, seen_revision) :])
        for place, event in enumerate(events):
            if isinstance(event.annotation, Undo):
                check_undo(event.annotation, [*known, *events[:place]])
        derived = derive_row(row, [*known, *events])
        said = [event.model_dump(mode="json") for event in events]
        try:
            with database.write() as connection:
                if store_after(connection, derived, seen_revision):
                    connection.execute(insert(annotation_events), said)
                    return last.revision
        except IntegrityError:
            with database.read() as connection:
                of_other = read(connection, annotation_events.c.operation == last.operation)
            raise _not_yours(of_other[0]) from None


def _done(known: Sequence[AnnotationEvent], last: AnnotationEvent) -> int | None:
    """The revision at which the same commit ended before, if it did."""
    same = [event for event in known if last.operation is not None and event.operation == last.operation]
    if same and same[0].author != last.author:
        raise _not_yours(same[0])
    return same[0].revision if same else None


def _not_yours(event: AnnotationEvent) -> BadAnnotationError:
    return BadAnnotationError(
        f"operation '{event.operation}' was '{event.author}' on episode {event.episode_id}; "
        "give every commit an id of its own"
    )
