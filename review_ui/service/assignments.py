"""An episode as it is put before one reviewer: what they may see of it, and whether it is theirs to work on."""

from __future__ import annotations

from review_ui.service.history import HistoryLine, history_lines
from review_ui.service.roles import Reviewer
from teleloom.catalog import (
    Catalog,
    EpisodePage,
    EpisodeRow,
    EpisodeView,
    Lease,
    blind_view,
    derive,
    is_blind,
)
from teleloom.config import Config


class Assignment(Config):
    """An episode before a reviewer. blind: nothing of what others said is in it, so that this judgement is their own.

    view.revision is the one to name when something is said about it. lease: the reviewer's, None without one.
    """

    row: EpisodeRow
    view: EpisodeView
    blind: bool
    history: tuple[HistoryLine, ...]
    lease: Lease | None


def assign(catalog: Catalog, reviewer: Reviewer, row: EpisodeRow, lease: Lease | None) -> Assignment:
    """The episode of `row` as `reviewer` may see it now."""
    events = catalog.history(row.id)
    blind = is_blind(events, reviewer.name)
    view = blind_view(events, reviewer.name) if blind else derive(events)
    return Assignment(
        row=_row_that_shows(row, view) if blind else row,
        view=view,
        blind=blind,
        history=history_lines(events, reviewer.name, blind),
        lease=lease,
    )


def page_as_seen_by(catalog: Catalog, reviewer: Reviewer, page: EpisodePage) -> EpisodePage:
    """The page with, of what others said, only what the reviewer may know."""
    rows = tuple(_row_as_seen_by(catalog, reviewer, row) for row in page.rows)
    return page.model_copy(update={"rows": rows})


def _row_as_seen_by(catalog: Catalog, reviewer: Reviewer, row: EpisodeRow) -> EpisodeRow:
    if row.reviewers_wanted == 1 or row.status in ("approved", "rejected"):
        return row
    events = catalog.history(row.id)
    return _row_that_shows(row, blind_view(events, reviewer.name)) if is_blind(events, reviewer.name) else row


def _row_that_shows(row: EpisodeRow, view: EpisodeView) -> EpisodeRow:
    """`row` with all that follows from annotations taken from `view` alone."""
    trim_start_ns, trim_end_ns = view.trim or (None, None)
    return row.model_copy(
        update={
            "status": view.status,
            "revision": view.revision,
            "score": view.score,
            "outcome_now": view.outcome or row.outcome,
            "instruction_now": view.instruction.text if view.instruction else row.instruction,
            "decided_by": view.decided_by,
            "decided_wall_ns": None,
            "reviewers_wanted": view.reviewers_wanted,
            "opinions": len(view.opinions),
            "segments": len(view.segments),
            "flags": len(view.flags),
            "tags": view.tags,
            "trim_start_ns": trim_start_ns,
            "trim_end_ns": trim_end_ns,
        }
    )
