"""How people judge: every verdict that was given, what became of it, and figures per person."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, case, func, select

from teleloom.catalog.annotations import AnnotationEvent, Score, Verdict
from teleloom.catalog.opinions import rule
from teleloom.catalog.records import read_records
from teleloom.catalog.rows import ReviewerDay, VerdictRow
from teleloom.catalog.tables import verdicts
from teleloom.catalog.view import in_force, reviewers_wanted, undoers
from teleloom.clock import NS_PER_S

NS_PER_DAY = 86_400 * NS_PER_S


def verdict_rows(events: Sequence[AnnotationEvent]) -> list[VerdictRow]:
    """The verdicts among the events of one episode, oldest first.

    One is overturned where somebody else took it back, or where the verdict that decides now is later, by somebody
    else, and another.
    """
    held = in_force(events)
    ruling = rule(held, reviewers_wanted(held))
    standing = {event.revision for event in ruling.standing}
    scores = {event.author: event.annotation.score for event in held if isinstance(event.annotation, Score)}
    taken_back = undoers(events)
    rows = []
    for event in events:
        if not isinstance(verdict := event.annotation, Verdict):
            continue
        undo = taken_back.get(event.revision)
        contradicted = undo is None and _contradicts(ruling.decider, event, verdict)
        rows.append(
            VerdictRow(
                episode_id=event.episode_id,
                revision=event.revision,
                author=event.author,
                wall_ns=event.wall_ns,
                decision=verdict.decision,
                spent_s=verdict.spent_s,
                final=verdict.final,
                score=scores.get(event.author),
                standing=event.revision in standing,
                overturned=contradicted or (undo is not None and undo.author != event.author),
            )
        )
    return rows


def _contradicts(decider: AnnotationEvent | None, event: AnnotationEvent, verdict: Verdict) -> bool:
    if decider is None or not isinstance(decider.annotation, Verdict) or verdict.decision == "reset":
        return False
    other = decider.author != event.author and decider.revision > event.revision
    return other and decider.annotation.decision != verdict.decision


def given(connection: Connection, since_ns: int | None, author: str | None) -> list[VerdictRow]:
    """The verdicts given by `author` at `since_ns` or later, oldest first; None is anybody and ever."""
    query = select(verdicts).order_by(verdicts.c.wall_ns, verdicts.c.episode_id, verdicts.c.revision)
    if since_ns is not None:
        query = query.where(verdicts.c.wall_ns >= since_ns)
    if author is not None:
        query = query.where(verdicts.c.author == author)
    return read_records(connection, query, VerdictRow)


def reviewer_days(connection: Connection) -> list[ReviewerDay]:
    """What each person did on each day, by day and name."""
    day = (verdicts.c.wall_ns - verdicts.c.wall_ns % NS_PER_DAY).label("day_start_ns")
    query = (
        select(
            verdicts.c.author,
            day,
            func.count().label("verdicts"),
            func.sum(case((verdicts.c.decision == "approve", 1), else_=0)).label("approved"),
            func.sum(case((verdicts.c.decision == "reject", 1), else_=0)).label("rejected"),
            func.sum(case((verdicts.c.overturned, 1), else_=0)).label("overturned"),
            func.count(verdicts.c.spent_s).label("timed"),
            func.coalesce(func.sum(verdicts.c.spent_s), 0.0).label("spent_s"),
        )
        .where(verdicts.c.decision != "reset")
        .group_by(verdicts.c.author, day)
        .order_by(day, verdicts.c.author)
    )
    return read_records(connection, query, ReviewerDay)
