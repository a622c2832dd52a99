"""How each reviewer works: how many verdicts, how fast, and how well they last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from teleloom.catalog import VerdictRow
from teleloom.config import Config


class ReviewerFigures(Config):
    """One reviewer's work. seconds_median, seconds_p90: active time per verdict, None where none was timed.

    overturned: verdicts that somebody else took back or decided against. overturn_rate: their share. agreement: in
    what share of the pairs with another's independent verdict both decided alike, of `compared` pairs; None without.
    """

    name: str
    verdicts: int
    approved: int
    rejected: int
    seconds_median: float | None
    seconds_p90: float | None
    overturned: int
    overturn_rate: float
    agreement: float | None
    compared: int
    last_wall_ns: int


def reviewer_figures(verdicts: Sequence[VerdictRow], alike: Mapping[str, tuple[int, int]]) -> list[ReviewerFigures]:
    """The figures of everybody who decided, by name. alike: per reviewer, pairs decided alike and pairs at all."""
    by_author: dict[str, list[VerdictRow]] = {}
    for row in verdicts:
        if row.decision != "reset":
            by_author.setdefault(row.author, []).append(row)
    return [_figures(name, rows, alike.get(name, (0, 0))) for name, rows in sorted(by_author.items())]


def _figures(name: str, rows: Sequence[VerdictRow], alike: tuple[int, int]) -> ReviewerFigures:
    spent = [row.spent_s for row in rows if row.spent_s is not None]
    overturned = sum(row.overturned for row in rows)
    same, pairs = alike
    return ReviewerFigures(
        name=name,
        verdicts=len(rows),
        approved=sum(row.decision == "approve" for row in rows),
        rejected=sum(row.decision == "reject" for row in rows),
        seconds_median=float(np.median(spent)) if spent else None,
        seconds_p90=float(np.percentile(spent, 90)) if spent else None,
        overturned=overturned,
        overturn_rate=overturned / len(rows),
        agreement=same / pairs if pairs else None,
        compared=pairs,
        last_wall_ns=max(row.wall_ns for row in rows),
    )
