"""What the catalog answers with: an episode, a lease, a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Select, select

from teleloom.catalog.opinions import Status
from teleloom.catalog.records import read_records
from teleloom.catalog.tables import episodes, reports
from teleloom.config import Config
from teleloom.episode.meta import Outcome
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import span_ns

_COLUMNS = (
    *(column for column in episodes.c if column.name not in {"quality_verdict", "search_text"}),
    reports.c.quality,
    reports.c.risks,
)


class EpisodeRow(Config):
    """One episode as the catalog knows it. Times in ns; size of the file in bytes.

    Of the file: path, relative to the root where the file lies under it, with forward slashes; content_hash, SHA-256
    of the streams, hex; instruction, the one spoken to the operator, and instructions, every way of saying it;
    outcome, as the operator marked it. quality: the verdict that the recorder gave, if any. risk: from 0 to 1, how much
    it wants looking at among all of the catalog, None while nobody ranked it; risks: the reasons, gravest first.

    Of the annotations, as they add up now: status and revision; score; outcome_now and instruction_now, those of the
    file where nobody said otherwise; decided_by and decided_wall_ns, of the verdict that decides; reviewers_wanted, and
    how many opinions there are; how many segments and flags; tags; the trim.
    """

    id: str
    path: str
    content_hash: str
    station: str
    operator: str
    task: str
    robot: str
    instruction: str
    instructions: tuple[str, ...] = ()
    created_wall_ns: int
    duration_ns: int
    steps: int
    outcome: Outcome
    success_check: bool | None
    quality: dict[str, Any] | None
    size_bytes: int
    risk: float | None = None
    risks: tuple[dict[str, Any], ...] = ()
    status: Status = "unreviewed"
    revision: int = 0
    score: int | None = None
    outcome_now: Outcome = "unknown"
    instruction_now: str = ""
    decided_by: str | None = None
    decided_wall_ns: int | None = None
    reviewers_wanted: int = 1
    opinions: int = 0
    segments: int = 0
    flags: int = 0
    tags: tuple[str, ...] = ()
    trim_start_ns: int | None = None
    trim_end_ns: int | None = None


class EpisodeOutline(Config):
    """As much of an `EpisodeRow` as it takes to choose among all episodes: read without their long reports."""

    id: str
    path: str
    content_hash: str
    station: str
    operator: str
    task: str
    robot: str
    created_wall_ns: int
    status: Status
    outcome_now: Outcome
    score: int | None
    tags: tuple[str, ...]


class VerdictRow(Config):
    """One verdict as it was given, and what became of it.

    spent_s: seconds that the author was at work on the episode before. score: the author's, now. standing: it is its
    author's opinion now. overturned: somebody else took it back, or decided otherwise.
    """

    episode_id: str
    revision: int
    author: str
    wall_ns: int
    decision: Literal["approve", "reject", "reset"]
    spent_s: float | None
    final: bool
    score: int | None
    standing: bool
    overturned: bool


class ReviewerDay(Config):
    """What one person did in one day, UTC. day_start_ns: its midnight, ns since the Unix epoch.

    verdicts = approved + rejected, those taken back included; overturned: how many of them did not hold. timed: how
    many say how long they took, and spent_s: how long these took together, seconds.
    """

    author: str
    day_start_ns: int
    verdicts: int
    approved: int
    rejected: int
    overturned: int
    timed: int
    spent_s: float


class Lease(Config):
    """The right of one person to work on an episode until `expires_wall_ns`, ns since the Unix epoch."""

    episode_id: str
    holder: str
    expires_wall_ns: int


class BuildRow(Config):
    """A dataset that was built. lock: what went into it, as the builder recorded it."""

    name: str
    version: str
    path: str
    lock: dict[str, Any]
    created_wall_ns: int


def read_row(path: Path, root: Path | None, quality: dict[str, Any] | None) -> EpisodeRow:
    """The row of an episode file. Raises BadEpisodeError when it is no sound episode."""
    with EpisodeReader(path) as reader:
        meta, steps = reader.meta, len(reader.steps())
        start_ns, end_ns = span_ns({name: reader.stream(name) for name in reader.stream_names})
        return EpisodeRow(
            id=meta.episode_id,
            path=stored_path(path, root),
            content_hash=reader.content_hash(),
            station=meta.station,
            operator=meta.operator,
            task=meta.task.name,
            robot=meta.robot.name,
            instruction=meta.task.spoken,
            instructions=tuple(instruction.text for instruction in meta.task.instructions),
            created_wall_ns=meta.anchor.wall_ns,
            duration_ns=end_ns - start_ns,
            steps=steps,
            outcome=meta.outcome,
            success_check=meta.success_check,
            quality=quality,
            size_bytes=path.stat().st_size,
        )


def stored_path(path: Path, root: Path | None) -> str:
    """`path` relative to `root` where it lies under it, so that the whole root can be moved; otherwise absolute."""
    absolute = path.absolute()
    if root is not None and absolute.is_relative_to(root.absolute()):
        absolute = absolute.relative_to(root.absolute())
    return absolute.as_posix()


def select_rows() -> Select[Any]:
    """The query for whole rows, to be narrowed; its mappings are what `EpisodeRow` holds."""
    return select(*_COLUMNS).join(reports, reports.c.episode_id == episodes.c.id)


def read_rows(connection: Connection, query: Select[Any]) -> list[EpisodeRow]:
    """The rows that a query made from `select_rows` finds."""
    return read_records(connection, query, EpisodeRow)


def read_outlines(connection: Connection) -> list[EpisodeOutline]:
    """The outlines of all episodes, by id."""
    query = select(*(episodes.c[name] for name in EpisodeOutline.model_fields)).order_by(episodes.c.id)
    return read_records(connection, query, EpisodeOutline)


def find_row(connection: Connection, episode_id: str, lock: bool = False) -> EpisodeRow | None:
    """The episode's row. lock: until the end of the transaction, against others who lock it."""
    query = select_rows().where(episodes.c.id == episode_id)
    found = read_rows(connection, query.with_for_update(of=episodes) if lock else query)
    return found[0] if found else None
