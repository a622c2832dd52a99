"""Which episodes several people judge, each without knowing the others' word."""

from __future__ import annotations

import hashlib

from review_ui.service.pages import all_rows
from review_ui.service.roles import Reviewer, require_lead
from teleloom.catalog import BadAnnotationError, Catalog, EpisodeFilter, Overlap, StaleRevisionError

UNTOUCHED = EpisodeFilter(statuses=("unreviewed",), overlap=False)


def plan_overlap(catalog: Catalog, reviewer: Reviewer, share: float, reviewers: int) -> tuple[str, ...]:
    """Ask for `reviewers` verdicts on about `share` (0 to 1) of the episodes; returns those it was newly asked for.

    An episode's id alone decides whether it is among them, so the choice is the same at any time and a greater share
    holds the smaller one. Only episodes that nobody has spoken about or works on are taken. Raises NotAllowedError for
    an annotator, BadAnnotationError for a share or a number of reviewers that cannot be.
    """
    require_lead(reviewer, "plan the overlap")
    if not 0 <= share <= 1:
        raise BadAnnotationError(f"a share of {share:g} cannot be; give 0 to 1, such as 0.07")
    at_work = {lease.episode_id for lease in catalog.leases.held()}
    untouched = [row.id for row in all_rows(catalog, UNTOUCHED) if row.revision == 0 and row.id not in at_work]
    chosen = [episode_id for episode_id in untouched if _place(episode_id) < share]
    return tuple(episode_id for episode_id in chosen if _ask(catalog, reviewer, episode_id, reviewers))


def _place(episode_id: str) -> float:
    """Where the episode lies between 0 and 1: the same everywhere, and even over many."""
    return int.from_bytes(hashlib.sha256(episode_id.encode()).digest()[:8]) / 2**64


def _ask(catalog: Catalog, reviewer: Reviewer, episode_id: str, reviewers: int) -> bool:
    try:
        catalog.annotate(episode_id, Overlap(reviewers=reviewers), reviewer.name, 0)
    except StaleRevisionError:  # Somebody spoke since it was found untouched.
        return False
    return True
