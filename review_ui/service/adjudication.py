"""Where independent verdicts differ, and how a lead settles it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from review_ui.service.decisions import is_done, write
from review_ui.service.pages import all_rows
from review_ui.service.roles import Reviewer, require_lead
from teleloom.catalog import (
    Annotation,
    AnnotationEvent,
    BadAnnotationError,
    Catalog,
    EpisodeFilter,
    EpisodeRow,
    EpisodeView,
    Opinion,
    Score,
    Segmentation,
    Trim,
    Undo,
    derive,
    parse,
)
from teleloom.catalog.view import in_force
from teleloom.config import Config


class Dispute(Config):
    """An episode whose reviewers do not agree, with the view and the opinion of each."""

    row: EpisodeRow
    view: EpisodeView
    opinions: tuple[Opinion, ...]

    @property
    def trims(self) -> dict[str, tuple[int, int] | None]:
        """Per reviewer the part that they would keep, (start_ns, end_ns); None for all of it."""
        return {opinion.author: opinion.trim for opinion in self.opinions}


def disputes(catalog: Catalog) -> list[Dispute]:
    """What waits for a lead, oldest first."""
    rows = list(all_rows(catalog, EpisodeFilter(statuses=("disputed",))))
    views = catalog.views([row.id for row in rows])
    return [
        Dispute(row=row, view=views[row.id], opinions=views[row.id].opinions)
        for row in rows
        if views[row.id].status == "disputed"
    ]


def adjudicate(
    catalog: Catalog,
    reviewer: Reviewer,
    episode_id: str,
    decision: Literal["approve", "reject"],
    reason: str,
    seen_revision: int,
    adopt: str | None = None,
    operation: str | None = None,
) -> None:
    """Settle the episode, whatever was said of it.

    adopt: the reviewer whose trim, segments and score are to hold. Raises NotAllowedError for an annotator, and
    BadAnnotationError for a rejection without a reason or for adopting from somebody who has no verdict in force.
    """
    require_lead(reviewer, "settle an episode")
    events = catalog.history(episode_id)
    if is_done(events, operation):
        return
    annotations = [] if adopt is None else _adoption(events, adopt)
    verdict = parse({"kind": "verdict", "decision": decision, "reason": reason, "final": True})
    write(catalog, reviewer, episode_id, [*annotations, verdict], seen_revision, operation)


def _adoption(events: Sequence[AnnotationEvent], author: str) -> list[Annotation]:
    """What makes the segments, trim and score of `author` hold; where they have none, others' are taken back."""
    opinions = {opinion.author: opinion for opinion in derive(events).opinions}
    if author not in opinions:
        known = ", ".join(f"'{name}'" for name in opinions) or "nobody"
        raise BadAnnotationError(f"'{author}' has no verdict in force to adopt; those who have: {known}")
    own = opinions[author]
    trim = [Trim(start_ns=own.trim[0], end_ns=own.trim[1])] if own.trim else _taken_back(events, Trim)
    score = [Score(score=own.score)] if own.score is not None else _taken_back(events, Score)
    return [Segmentation(segments=own.segments), *trim, *score]


def _taken_back(events: Sequence[AnnotationEvent], kind: type[Trim] | type[Score]) -> list[Undo]:
    return [Undo(revision=event.revision) for event in in_force(events) if isinstance(event.annotation, kind)]
