"""The catalog: which episodes there are, and everything that people said about them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, delete, select
from sqlalchemy.exc import IntegrityError

from teleloom.catalog import builds, commits, entries, events, verdicts
from teleloom.catalog import queue as queues
from teleloom.catalog import search as searches
from teleloom.catalog.annotations import Annotation, AnnotationEvent, Undo, parse
from teleloom.catalog.database import Database
from teleloom.catalog.errors import CatalogError, EpisodeConflictError, UnknownEpisodeError
from teleloom.catalog.figures import check_quality
from teleloom.catalog.leases import Leases
from teleloom.catalog.opinions import Status
from teleloom.catalog.rows import (
    BuildRow,
    EpisodeOutline,
    EpisodeRow,
    Lease,
    ReviewerDay,
    VerdictRow,
    find_row,
    read_outlines,
    read_row,
    read_rows,
    select_rows,
    stored_path,
)
from teleloom.catalog.search import EVERYTHING, EpisodeFilter, EpisodePage, Facets, Sort
from teleloom.catalog.tables import annotation_events, episodes
from teleloom.catalog.view import EpisodeView, derive
from teleloom.episode.meta import Outcome
from teleloom.episode.reader import BadEpisodeError

FILE_NAME = "catalog.sqlite"


@dataclass
class RebuildReport:
    """What `rebuild` did. unreadable: per path, why it could not be read; removed: ids whose file is gone."""

    registered: int = 0
    removed: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


class Catalog:
    """The catalog over one database. Safe to use from several threads and processes at once."""

    def __init__(self, database: Database, root: Path | None, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now
        self.root = root
        self.leases = Leases(database, now)

    @classmethod
    def open(cls, where: str | Path, root: Path | None = None, now: Callable[[], int] = time.time_ns) -> Self:
        """Open the catalog of a root folder (SQLite, `catalog.sqlite` in it), or the one at a database URL.

        root: the folder that stored paths are relative to, with a URL. now: wall time in ns since the Unix epoch.
        Raises CatalogError when it cannot be opened.
        """
        if isinstance(where, str) and "://" in where:
            return cls(Database(where), root, now)
        folder = Path(where)
        if not folder.is_dir():
            raise CatalogError(f"{folder} is not a folder; give the root that holds `episodes/`, or a database URL")
        return cls(Database(URL.create("sqlite", database=str(folder.absolute() / FILE_NAME))), root or folder, now)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def register(self, path: Path, quality: dict[str, Any] | None = None) -> EpisodeRow:
        """Enter an episode file; again changes nothing but a new path or quality verdict.

        Raises BadEpisodeError for a file that is no sound episode, EpisodeConflictError for other content under an id
        that is known, and BadQualityError for a verdict with a figure that JSON does not have: NaN or infinity.
        """
        check_quality(str(path), quality)
        row = read_row(path, self.root, quality)
        try:
            with self._database.write() as connection:
                return entries.enter(connection, row)
        except IntegrityError:  # Another process entered it first; now it is known.
            with self._database.write() as connection:
                return entries.enter(connection, row)

    def rebuild(self, root: Path | None = None) -> RebuildReport:
        """Make the episodes table say what the files in `root`/episodes say; annotations stay, and apply again.

        Everything that is derived from the annotations is derived anew, for all episodes. Rows of files elsewhere
        otherwise stay as they are, and so do the quality verdicts and risks of files that are still there.
        """
        folder = root or self.root
        if folder is None:
            raise CatalogError("say which root folder to rebuild the catalog from")
        report = RebuildReport()
        found: set[str] = set()
        for path in sorted((folder / "episodes").glob("*.h5")):
            try:
                found.add(self.register(path).id)
                report.registered += 1
            except (BadEpisodeError, EpisodeConflictError) as error:
                report.unreadable[stored_path(path, folder)] = str(error)
        with self._database.write() as connection:
            for episode_id, path_text in connection.execute(select(episodes.c.id, episodes.c.path)).all():
                here = ((self.root or Path()) / path_text).absolute().is_relative_to(folder.absolute())
                if here and episode_id not in found:
                    connection.execute(delete(episodes).where(episodes.c.id == episode_id))
                    report.removed.append(episode_id)
            entries.derive_all(connection)
        report.removed.sort()
        return report

    def episodes(
        self,
        status: Status | None = None,
        task: str | None = None,
        station: str | None = None,
        operator: str | None = None,
        outcome: Outcome | None = None,
        limit: int | None = None,
    ) -> list[EpisodeRow]:
        """The episodes that match every filter given, oldest first."""
        wanted = {"status": status, "task": task, "station": station, "operator": operator, "outcome": outcome}
        query = select_rows().order_by(episodes.c.created_wall_ns, episodes.c.id)
        for column, value in wanted.items():
            if value is not None:
                query = query.where(episodes.c[column] == value)
        with self._database.read() as connection:
            return read_rows(connection, query.limit(limit))

    def outlines(self) -> list[EpisodeOutline]:
        """All episodes in outline, by id."""
        with self._database.read() as connection:
            return read_outlines(connection)

    def episode(self, episode_id: str) -> EpisodeRow:
        """The episode with this id. Raises UnknownEpisodeError."""
        with self._database.read() as connection:
            row = find_row(connection, episode_id)
        if row is None:
            raise UnknownEpisodeError(f"no episode {episode_id} in the catalog")
        return row

    def find(self, prefix: str) -> EpisodeRow:
        """The one episode whose id begins with `prefix`. Raises UnknownEpisodeError when there is none or several."""
        with self._database.read() as connection:
            query = select_rows().where(episodes.c.id.startswith(prefix, autoescape=True)).order_by(episodes.c.id)
            rows = read_rows(connection, query.limit(4))
        if not prefix or not rows:
            raise UnknownEpisodeError(f"no episode in the catalog begins with '{prefix}'")
        if len(rows) > 1 and rows[0].id != prefix:
            several = ", ".join(row.id for row in rows[:3])
            raise UnknownEpisodeError(f"'{prefix}' is short for several episodes: {several}; give more of the id")
        return rows[0]

    def path_of(self, row: EpisodeRow | EpisodeOutline) -> Path:
        """Where the episode's file is."""
        return (self.root or Path()) / row.path

    def search(
        self, filter: EpisodeFilter = EVERYTHING, sort: Sort = "risk", offset: int = 0, limit: int = 50
    ) -> EpisodePage:
        """The episodes that match, `limit` of them from the `offset`th on, and how many there are.

        sort: "risk" is gravest first, unranked last; "decided" is newest decision first, undecided last.
        """
        with self._database.read() as connection:
            return searches.search(connection, filter, sort, offset, limit)

    def facets(self) -> Facets:
        """The tasks, robots, stations, operators and tags there are, each with its number of episodes."""
        with self._database.read() as connection:
            return searches.facets(connection)

    def counts(self, filter: EpisodeFilter = EVERYTHING) -> dict[Status, int]:
        """How many of the episodes that match have each status. The filter's own statuses are not looked at."""
        with self._database.read() as connection:
            return searches.counts(connection, filter)

    def claim_next(
        self,
        reviewer: str,
        seconds: float,
        filter: EpisodeFilter = EVERYTHING,
        without: Collection[str] = (),
        queue: queues.Queue = "review",
    ) -> tuple[EpisodeRow, Lease] | None:
        """Lease the next episode to the reviewer, for `seconds`: one they hold already, else the riskiest; or None.

        queue "review": unreviewed episodes that the reviewer has not judged, and that fewer others judged or are at
        work on than are wanted. "segments": approved ones without segments that nobody else is at work on. without:
        ids that the reviewer does not want now. No two callers at once get more than is wanted, on any machine.
        """
        with self._database.note() as connection:
            return queues.claim_next(connection, reviewer, filter, without, queue, self._now(), seconds)

    def set_quality(self, episode_id: str, quality: dict[str, Any]) -> None:
        """Put a quality verdict in the place of the one before. Raises UnknownEpisodeError and BadQualityError."""
        check_quality(episode_id, quality)
        with self._database.write() as connection:
            entries.set_quality(connection, episode_id, quality)

    def set_risks(self, risks: entries.Risks) -> None:
        """Rank episodes: per id the risk, from 0 to 1, and its reasons, gravest first; what was there is replaced.

        Episodes that are not in the catalog are passed over, those not named keep theirs. Raises BadQualityError for
        a figure that JSON does not have.
        """
        for episode_id, (risk, reasons) in risks.items():
            check_quality(episode_id, {"risk": risk, "risks": list(reasons)})
        for ids in entries.chunks(sorted(risks)):
            with self._database.write() as connection:
                entries.set_risks(connection, {episode_id: risks[episode_id] for episode_id in ids})

    def annotate(self, episode_id: str, annotation: Annotation, author: str, seen_revision: int) -> int:
        """Add one event to the episode's history; returns its revision. Raises as `annotate_all` does."""
        return self.annotate_all(episode_id, [annotation], author, seen_revision)

    def annotate_all(
        self,
        episode_id: str,
        annotations: Sequence[Annotation],
        author: str,
        seen_revision: int,
        operation: str | None = None,
    ) -> int:
        """Add events to the episode's history, all or none; returns the last one's revision, to name next time.

        seen_revision: that of the view the author looked at. operation: an id that the caller makes for this commit;
        sent again, nothing is added and the same revision returned, whatever was said since. Raises
        StaleRevisionError when the episode was annotated since, UnknownEpisodeError, and BadAnnotationError for a wrong
        author, an undo of what is not in force, or an operation that was another commit's.
        """
        commit = commits.make_events(episode_id, annotations, author, seen_revision, self._now(), operation)
        return commits.append(self._database, commit)

    def approve(self, episode_id: str, author: str, seen_revision: int, reason: str = "") -> int:
        """Let the episode into datasets. Returns the new revision; raises as `annotate` does."""
        return self._decide("approve", episode_id, author, reason, seen_revision)

    def reject(self, episode_id: str, author: str, reason: str, seen_revision: int) -> int:
        """Keep the episode out of datasets, for a reason. Returns the new revision; raises as `annotate` does."""
        return self._decide("reject", episode_id, author, reason, seen_revision)

    def undo(self, episode_id: str, author: str, revision: int, seen_revision: int) -> int:
        """Take the event `revision` back. Returns the new revision; raises as `annotate` does."""
        return self.annotate(episode_id, Undo(revision=revision), author, seen_revision)

    def history(self, episode_id: str) -> list[AnnotationEvent]:
        """All that was said about the episode, oldest first; also when its file is gone."""
        with self._database.read() as connection:
            return events.history(connection, episode_id)

    def view(self, episode_id: str) -> EpisodeView:
        """What holds for the episode now."""
        return derive(self.history(episode_id))

    def histories(self, episode_ids: Sequence[str]) -> dict[str, list[AnnotationEvent]]:
        """All that was said about each of several episodes, oldest first, all as of one moment."""
        histories: dict[str, list[AnnotationEvent]] = {}
        with self._database.read() as connection:
            for ids in entries.chunks(episode_ids):
                said = events.read(connection, annotation_events.c.episode_id.in_(ids))
                histories |= events.by_episode(said, ids)
        return histories

    def views(self, episode_ids: Sequence[str]) -> dict[str, EpisodeView]:
        """The views of several episodes, all as of one moment."""
        return {episode_id: derive(said) for episode_id, said in self.histories(episode_ids).items()}

    def recent(self, author: str, limit: int = 50) -> list[AnnotationEvent]:
        """The newest events of one author, on whichever episodes, newest first."""
        with self._database.read() as connection:
            return events.recent(connection, author, limit)

    def verdicts(self, since_ns: int | None = None, author: str | None = None) -> list[VerdictRow]:
        """The verdicts given by `author`, None for anybody, at `since_ns` or later, oldest first."""
        with self._database.read() as connection:
            return verdicts.given(connection, since_ns, author)

    def reviewer_figures(self) -> list[ReviewerDay]:
        """How much each person did on each day, how fast, and how much of it did not hold; by day and name."""
        with self._database.read() as connection:
            return verdicts.reviewer_days(connection)

    def record_build(self, name: str, version: str, path: Path, lock: dict[str, Any]) -> BuildRow:
        """Record a dataset that was built. The same again changes nothing, wherever its folder lies now.

        lock: what went into it; of its keys `source` alone, the way from the folder to the episodes, may differ.
        Raises BuildConflictError when this version is recorded with another lock.
        """
        row = BuildRow(
            name=name, version=version, path=stored_path(path, self.root), lock=lock, created_wall_ns=self._now()
        )
        return builds.record(self._database, row)

    def builds(self) -> list[BuildRow]:
        """All builds, oldest first."""
        with self._database.read() as connection:
            return builds.every(connection)

    def _decide(self, decision: str, episode_id: str, author: str, reason: str, seen_revision: int) -> int:
        verdict = parse({"kind": "verdict", "decision": decision, "reason": reason})
        return self.annotate(episode_id, verdict, author, seen_revision)
