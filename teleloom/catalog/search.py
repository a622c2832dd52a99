"""Finding episodes: filters, orders, pages and counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, FromClause, Select, func, or_, select

from teleloom.catalog.opinions import Status
from teleloom.catalog.rows import EpisodeRow, read_rows, select_rows
from teleloom.catalog.tables import episodes, labels
from teleloom.config import Config
from teleloom.episode.meta import Outcome

Sort = Literal["risk", "newest", "oldest", "longest", "shortest", "task", "decided"]


class EpisodeFilter(Config):
    """Which episodes; whatever is left out holds for all.

    statuses, tasks: any of them. outcome: the one that holds now. quality: the recorder's verdict, such as "good".
    text: words that all occur, in any writing of case, in how the episode was or is described (instructions,
    paraphrases, notes, tags), or that its id begins with. tag, flag: carries it. min_risk: ranked at least so.
    recorded_from_ns up to recorded_to_ns, ns since the Unix epoch. segmented, overlap: has segments, is to be judged
    by more than one person, or has not and is not.
    """

    statuses: tuple[Status, ...] = ()
    tasks: tuple[str, ...] = ()
    robot: str | None = None
    station: str | None = None
    operator: str | None = None
    outcome: Outcome | None = None
    quality: str | None = None
    text: str = ""
    tag: str | None = None
    flag: str | None = None
    decided_by: str | None = None
    min_risk: float | None = None
    recorded_from_ns: int | None = None
    recorded_to_ns: int | None = None
    segmented: bool | None = None
    overlap: bool | None = None


EVERYTHING = EpisodeFilter()


class EpisodePage(Config):
    """Some of the episodes that were found, in order. total: how many were found."""

    rows: tuple[EpisodeRow, ...]
    total: int


class Facets(Config):
    """What there is to filter by, each with the number of episodes that have it, by name."""

    tasks: dict[str, int]
    robots: dict[str, int]
    stations: dict[str, int]
    operators: dict[str, int]
    tags: dict[str, int]


# Each ends in the id, so that no two episodes tie and pages do not overlap; "-" is downwards.
_ORDERS: dict[Sort, tuple[str, ...]] = {
    "risk": ("-risk", "id"),
    "newest": ("-created_wall_ns", "-id"),
    "oldest": ("created_wall_ns", "id"),
    "longest": ("-duration_ns", "-id"),
    "shortest": ("duration_ns", "id"),
    "task": ("task", "created_wall_ns", "id"),
    "decided": ("-decided_wall_ns", "-id"),
}
# SQLite knows no statistics of the data, and would read the rows themselves in the order of whichever index it takes.
_BY_SEARCH_INDEX = "INDEXED BY episodes_search"
_BY_ROWS = "NOT INDEXED"


def search(connection: Connection, wanted: EpisodeFilter, sort: Sort, offset: int, limit: int) -> EpisodePage:
    """`limit` of the episodes that match, from the `offset`th on; ties in the order are by id."""
    find = _find_by_text if wanted.text.strip() else _find_by_index
    ids, total = find(connection, wanted, sort, offset, limit)
    rows = {row.id: row for row in read_rows(connection, select_rows().where(episodes.c.id.in_(ids)))} if ids else {}
    return EpisodePage(rows=tuple(rows[episode_id] for episode_id in ids), total=total)


def _find_by_index(
    connection: Connection, wanted: EpisodeFilter, sort: Sort, offset: int, limit: int
) -> tuple[list[str], int]:
    """The ids of a page, and how many match: two short walks over an index that has all it takes."""
    chosen = list(conditions(wanted))
    page = select(episodes.c.id).where(*chosen).order_by(*_order(sort, episodes)).offset(offset).limit(limit)
    total = select(func.count()).select_from(episodes).where(*chosen)
    if not _has_index(wanted, sort):
        page = page.with_hint(episodes, _BY_SEARCH_INDEX, "sqlite")
        total = total.with_hint(episodes, _BY_SEARCH_INDEX, "sqlite")
    return list(connection.scalars(page)), connection.scalar(total) or 0


def _find_by_text(
    connection: Connection, wanted: EpisodeFilter, sort: Sort, offset: int, limit: int
) -> tuple[list[str], int]:
    """The same where every row's text has to be read: once, for both."""
    names = dict.fromkeys(["id", *(name.lstrip("-") for name in _ORDERS[sort])])
    read = select(*(episodes.c[name] for name in names)).where(*conditions(wanted))
    found = read.with_hint(episodes, _BY_ROWS, "sqlite").cte("found")
    count = select(func.count()).select_from(found)
    page = select(found.c.id, count.scalar_subquery()).order_by(*_order(sort, found)).offset(offset).limit(limit)
    rows = connection.execute(page).all()
    past_the_end = offset > 0 and not rows
    total = connection.scalar(count) if past_the_end else rows[0][1] if rows else 0
    return [row[0] for row in rows], total or 0


def _order(sort: Sort, source: FromClause) -> list[ColumnElement[Any]]:
    return [source.c[name[1:]].desc() if name.startswith("-") else source.c[name] for name in _ORDERS[sort]]


def _has_index(wanted: EpisodeFilter, sort: Sort) -> bool:
    """Whether an index leads straight to a page: it has the right order, or few episodes carry the label."""
    if wanted == EVERYTHING or wanted.tag is not None or wanted.flag is not None:
        return True
    status_alone = len(wanted.statuses) == 1 and wanted.model_copy(update={"statuses": ()}) == EVERYTHING
    return status_alone and sort in {"risk", "newest", "oldest"}


def counts(connection: Connection, wanted: EpisodeFilter) -> dict[Status, int]:
    """How many of the episodes that match have each status; the filter's own statuses are not looked at."""
    chosen = wanted.model_copy(update={"statuses": ()})
    query = _grouped(episodes.c.status).where(*conditions(chosen))
    if wanted.text.strip():
        query = query.with_hint(episodes, _BY_ROWS, "sqlite")
    elif not _has_index(chosen, "risk"):
        query = query.with_hint(episodes, _BY_SEARCH_INDEX, "sqlite")
    found: dict[Status, int] = dict(connection.execute(query).all())
    return {status: found.get(status, 0) for status in get_args(Status)}


def facets(connection: Connection) -> Facets:
    """What the episodes of the whole catalog can be filtered by."""
    columns = (episodes.c.task, episodes.c.robot, episodes.c.station, episodes.c.operator)
    found: tuple[dict[str, int], ...] = ({}, {}, {}, {})
    for *values, count in connection.execute(_grouped(*columns)):
        for names, value in zip(found, values, strict=True):
            names[value] = names.get(value, 0) + count
    tagged = connection.execute(_grouped(labels.c.label).where(labels.c.kind == "tag")).all()
    tasks, robots, stations, operators, tags = (dict(sorted(names.items())) for names in (*found, dict(tagged)))
    return Facets(tasks=tasks, robots=robots, stations=stations, operators=operators, tags=tags)


def conditions(wanted: EpisodeFilter) -> Iterator[ColumnElement[bool]]:
    """What a row of the episodes table must fulfil."""
    columns = episodes.c
    if wanted.statuses:
        yield columns.status.in_(wanted.statuses)
    if wanted.tasks:
        yield columns.task.in_(wanted.tasks)
    equal = {
        columns.robot: wanted.robot,
        columns.station: wanted.station,
        columns.operator: wanted.operator,
        columns.outcome_now: wanted.outcome,
        columns.quality_verdict: wanted.quality,
        columns.decided_by: wanted.decided_by,
    }
    yield from (column == value for column, value in equal.items() if value is not None)
    if wanted.min_risk is not None:
        yield columns.risk >= wanted.min_risk
    if wanted.recorded_from_ns is not None:
        yield columns.created_wall_ns >= wanted.recorded_from_ns
    if wanted.recorded_to_ns is not None:
        yield columns.created_wall_ns < wanted.recorded_to_ns
    if wanted.segmented is not None:
        yield columns.segments > 0 if wanted.segmented else columns.segments == 0
    if wanted.overlap is not None:
        yield columns.reviewers_wanted > 1 if wanted.overlap else columns.reviewers_wanted == 1
    for kind, label in (("tag", wanted.tag), ("flag", wanted.flag)):
        if label is not None:
            named = select(labels.c.episode_id).where(labels.c.kind == kind, labels.c.label == label)
            yield columns.id.in_(named)
    for word in wanted.text.split():
        begins = columns.id.startswith(word, autoescape=True)
        yield or_(columns.search_text.contains(word.casefold(), autoescape=True), begins)


def _grouped(*columns: ColumnElement[str]) -> Select[Any]:
    asked: list[ColumnElement[Any]] = [*columns, func.count()]
    return select(*asked).group_by(*columns)
