"""How far the team has come: what is done, what waits, and how long it will take at this pace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from teleloom.catalog import Catalog, EpisodeFilter, ReviewerDay, Status
from teleloom.clock import NS_PER_S
from teleloom.config import Config

PACE_VERDICTS = 500


class Progress(Config):
    """by_status, by_task: how many episodes. days: verdicts per day (UTC, "2026-01-31"), oldest first. today: verdicts
    per reviewer. waiting: episodes without a decision. seconds_per_verdict: median of the newest 500, None before the
    first timed one. left_s: how long one person needs for what waits, at that pace."""

    total: int
    by_status: dict[Status, int]
    by_task: dict[str, dict[Status, int]]
    days: dict[str, int]
    today: dict[str, int]
    waiting: int
    seconds_per_verdict: float | None
    left_s: float | None


def progress(catalog: Catalog, now_ns: int) -> Progress:
    """The state at `now_ns`, ns since the Unix epoch."""
    worked = catalog.reviewer_figures()
    by_status = catalog.counts()
    waiting = by_status["unreviewed"] + by_status["disputed"]
    days: Counter[str] = Counter()
    for each in worked:
        days[day(each.day_start_ns)] += each.verdicts
    pace_s = _pace_s(catalog, worked)
    return Progress(
        total=sum(by_status.values()),
        by_status=by_status,
        by_task={task: catalog.counts(EpisodeFilter(tasks=(task,))) for task in catalog.facets().tasks},
        days=dict(sorted(days.items())),
        today={each.author: each.verdicts for each in worked if day(each.day_start_ns) == day(now_ns)},
        waiting=waiting,
        seconds_per_verdict=pace_s,
        left_s=None if pace_s is None else pace_s * waiting,
    )


def _pace_s(catalog: Catalog, worked: Sequence[ReviewerDay]) -> float | None:
    """The median time of the newest PACE_VERDICTS that were timed, reading no more days than they were given in."""
    timed, since_ns = 0, None
    for each in sorted(worked, key=lambda each: -each.day_start_ns):
        if timed >= PACE_VERDICTS and each.day_start_ns != since_ns:
            break
        timed, since_ns = timed + each.timed, each.day_start_ns
    spent = [row.spent_s for row in catalog.verdicts(since_ns) if row.spent_s is not None and row.decision != "reset"]
    return median(spent[-PACE_VERDICTS:]) if spent else None


def day(wall_ns: int) -> str:
    """The day of a wall time, UTC."""
    return datetime.fromtimestamp(wall_ns / NS_PER_S, UTC).date().isoformat()
