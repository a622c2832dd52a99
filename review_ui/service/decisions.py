"""What a reviewer says about episodes, and takes back: each time answering the revision that they saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from review_ui.service.errors import NotAllowedError, NothingToUndoError, StaleError
from review_ui.service.history import history_lines
from review_ui.service.roles import Reviewer, require_lead
from teleloom.catalog import (
    Annotation,
    AnnotationEvent,
    BadAnnotationError,
    Catalog,
    CatalogError,
    Overlap,
    StaleRevisionError,
    Undo,
    Verdict,
    is_blind,
)
from teleloom.catalog.view import in_force
from teleloom.config import Config

RECENT = 20


class BulkResult(Config):
    """done: the episodes that the annotations were written to. refused: per other episode, why not."""

    done: tuple[str, ...]
    refused: dict[str, str]


def write(
    catalog: Catalog,
    reviewer: Reviewer,
    episode_id: str,
    annotations: Sequence[Annotation],
    seen_revision: int,
    operation: str | None = None,
) -> int:
    """Write all of `annotations` or none; returns the newest revision.

    operation: the writer's own id of this write; sent again, nothing is written twice. Raises StaleError,
    NotAllowedError, BadAnnotationError and UnknownEpisodeError.
    """
    _check_allowed(catalog, reviewer, episode_id, annotations)
    with _stale_as_seen_by(catalog, reviewer, episode_id, seen_revision):
        return catalog.annotate_all(episode_id, annotations, reviewer.name, seen_revision, operation)


def undo(
    catalog: Catalog,
    reviewer: Reviewer,
    episode_id: str,
    seen_revision: int,
    revision: int | None = None,
    operation: str | None = None,
) -> None:
    """Take one event back: `revision`, or the newest in force that the reviewer wrote.

    Raises NothingToUndoError where there is none, and as `write` does.
    """
    events = catalog.history(episode_id)
    if is_done(events, operation):
        return
    if revision is None:
        mine = [event.revision for event in in_force(events) if event.author == reviewer.name]
        if not mine:
            raise NothingToUndoError(f"episode {episode_id}: '{reviewer.name}' has said nothing that could be undone")
        revision = mine[-1]
    write(catalog, reviewer, episode_id, [Undo(revision=revision)], seen_revision, operation)


def undo_last(catalog: Catalog, reviewer: Reviewer, operation: str | None = None) -> str:
    """Take back the newest event in force of the reviewer; returns its episode's id. Raises NothingToUndoError.

    What was said about the episode meanwhile is no reason to refuse: taking one's own word back holds in any case.
    """
    event = _newest_in_force(catalog, reviewer, operation)
    if event.operation is not None and event.operation == operation:
        return event.episode_id
    while True:
        try:
            seen_revision = len(catalog.history(event.episode_id))
            undo(catalog, reviewer, event.episode_id, seen_revision, event.revision, operation)
        except StaleError:
            continue
        return event.episode_id


def _newest_in_force(catalog: Catalog, reviewer: Reviewer, operation: str | None) -> AnnotationEvent:
    """The event to take back, or the one that `operation` wrote before."""
    limit = RECENT
    while True:
        events = catalog.recent(reviewer.name, limit)
        for event in events:
            if operation is not None and event.operation == operation:
                return event
        histories = catalog.histories(list(dict.fromkeys(event.episode_id for event in events)))
        standing = {(each.episode_id, each.revision) for said in histories.values() for each in in_force(said)}
        for event in events:
            if (event.episode_id, event.revision) in standing:
                return event
        if len(events) < limit:
            raise NothingToUndoError(f"'{reviewer.name}' has said nothing that could be taken back")
        limit *= 2


def bulk(
    catalog: Catalog, reviewer: Reviewer, seen: Mapping[str, int], annotations: Sequence[Annotation]
) -> BulkResult:
    """Say the same of many episodes. seen: per episode the revision seen. What is refused for one stops no other.

    Raises NotAllowedError where an annotator would decide on many at once.
    """
    if any(isinstance(annotation, Verdict) for annotation in annotations):
        require_lead(reviewer, "decide on many episodes at once")
    done: list[str] = []
    refused: dict[str, str] = {}
    for episode_id, seen_revision in seen.items():
        try:
            write(catalog, reviewer, episode_id, annotations, seen_revision)
            done.append(episode_id)
        except (CatalogError, BadAnnotationError) as error:
            refused[episode_id] = str(error)
    return BulkResult(done=tuple(done), refused=refused)


def is_done(events: Sequence[AnnotationEvent], operation: str | None) -> bool:
    """Whether this operation is in the history already, so that sending it again changes nothing."""
    return operation is not None and any(event.operation == operation for event in events)


def _check_allowed(catalog: Catalog, reviewer: Reviewer, episode_id: str, annotations: Sequence[Annotation]) -> None:
    if any(isinstance(annotation, Overlap) for annotation in annotations):
        require_lead(reviewer, "say how many people judge an episode")
    if any(isinstance(annotation, Verdict) and annotation.final for annotation in annotations):
        require_lead(reviewer, "settle an episode")
    taken_back = {annotation.revision for annotation in annotations if isinstance(annotation, Undo)}
    if taken_back and reviewer.role != "lead":
        for event in catalog.history(episode_id):
            if event.revision in taken_back and event.author != reviewer.name:
                raise NotAllowedError(
                    f"revision {event.revision} is the word of '{event.author}': only they or a lead may take it back"
                )


@contextmanager
def _stale_as_seen_by(catalog: Catalog, reviewer: Reviewer, episode_id: str, seen_revision: int) -> Iterator[None]:
    try:
        yield
    except StaleRevisionError:
        events = catalog.history(episode_id)
        lines = history_lines(events, reviewer.name, is_blind(events, reviewer.name))
        raise StaleError(episode_id, seen_revision, len(events), lines[max(0, seen_revision) :]) from None
