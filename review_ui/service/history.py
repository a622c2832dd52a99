"""What was said about an episode, as lines that a person reads."""

from __future__ import annotations

from collections.abc import Sequence

from teleloom.catalog import AnnotationEvent, Overlap, summary
from teleloom.catalog.view import undone_revisions
from teleloom.config import Config

HIDDEN = "said something that you see once you have decided"


class HistoryLine(Config):
    """One event. wall_ns: when, ns since the Unix epoch. what: follows the author's name. undone: taken back since."""

    revision: int
    author: str
    wall_ns: int
    what: str
    undone: bool
    mine: bool


def history_lines(events: Sequence[AnnotationEvent], reader: str, blind: bool) -> tuple[HistoryLine, ...]:
    """A line per event, oldest first. blind: of what others said, only that they did."""
    undone = undone_revisions(events)
    return tuple(
        HistoryLine(
            revision=event.revision,
            author=event.author,
            wall_ns=event.wall_ns,
            what=HIDDEN if (hidden := blind and _is_anothers_word(event, reader)) else summary(event.annotation),
            undone=event.revision in undone and not hidden,
            mine=event.author == reader,
        )
        for event in events
    )


def _is_anothers_word(event: AnnotationEvent, reader: str) -> bool:
    return event.author != reader and not isinstance(event.annotation, Overlap)
