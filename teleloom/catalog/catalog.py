"""The catalog: which episodes there are, and everything that people said about them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from sqlalchemy import URL, ColumnElement, Connection, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from teleloom.catalog.annotations import Annotation, AnnotationEvent, BadAnnotationError, Undo, parse
from teleloom.catalog.database import Database
from teleloom.catalog.errors import (
    BuildConflictError,
    CatalogError,
    EpisodeConflictError,
    StaleRevisionError,
    UnknownEpisodeError,
)
from teleloom.catalog.figures import check_quality
from teleloom.catalog.leases import Leases
from teleloom.catalog.rows import BuildRow, EpisodeRow, read_row, stored_path
from teleloom.catalog.tables import annotation_events, builds, episodes
from teleloom.catalog.view import EpisodeView, Status, check_undo, derive
from teleloom.config import describe
from teleloom.episode.meta import Outcome
from teleloom.episode.reader import BadEpisodeError

FILE_NAME = "catalog.sqlite"
IDS_PER_QUERY = 500


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
        check_quality(path, quality)
        row = read_row(path, self.root, quality)
        try:
            return self._enter(row)
        except IntegrityError:  # Another process entered it first; now it is known.
            return self._enter(row)

    def rebuild(self, root: Path | None = None) -> RebuildReport:
        """Make the episodes table say what the files in `root`/episodes say; annotations stay, and apply again.

        Rows of files elsewhere stay as they are, and so do the quality verdicts of files that are still there.
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
        query: Select[Any] = select(episodes).order_by(episodes.c.created_wall_ns, episodes.c.id)
        for column, value in wanted.items():
            if value is not None:
                query = query.where(episodes.c[column] == value)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit)).mappings()
            return [EpisodeRow.model_validate(dict(row)) for row in rows]

    def episode(self, episode_id: str) -> EpisodeRow:
        """The episode with this id. Raises UnknownEpisodeError."""
        with self._database.read() as connection:
            row = _find(connection, episode_id)
        if row is None:
            raise UnknownEpisodeError(f"no episode {episode_id} in the catalog")
        return row

    def find(self, prefix: str) -> EpisodeRow:
        """The one episode whose id begins with `prefix`. Raises UnknownEpisodeError when there is none or several."""
        with self._database.read() as connection:
            query = select(episodes).where(episodes.c.id.startswith(prefix, autoescape=True)).order_by(episodes.c.id)
            rows = [EpisodeRow.model_validate(dict(row)) for row in connection.execute(query.limit(4)).mappings()]
        if not prefix or not rows:
            raise UnknownEpisodeError(f"no episode in the catalog begins with '{prefix}'")
        if len(rows) > 1 and rows[0].id != prefix:
            several = ", ".join(row.id for row in rows[:3])
            raise UnknownEpisodeError(f"'{prefix}' is short for several episodes: {several}; give more of the id")
        return rows[0]

    def path_of(self, row: EpisodeRow) -> Path:
        """Where the episode's file is."""
        return (self.root or Path()) / row.path

    def annotate(self, episode_id: str, annotation: Annotation, author: str, seen_revision: int) -> int:
        """Add an event to the episode's history; returns its revision, the one to name next time.

        seen_revision: that of the view the author looked at. Raises StaleRevisionError when the episode was annotated
        since, UnknownEpisodeError, and BadAnnotationError for a wrong author or an undo of what is not in force.
        """
        event = self._event(episode_id, annotation, author, seen_revision + 1)
        with self._database.write() as connection:
            known = connection.execute(
                update(episodes)
                .where(episodes.c.id == episode_id, episodes.c.revision == seen_revision)
                .values(revision=event.revision)
            )
            history = _history(connection, episode_id)
            if known.rowcount == 0:
                if _find(connection, episode_id) is None:
                    raise UnknownEpisodeError(f"no episode {episode_id} in the catalog")
                raise StaleRevisionError(episode_id, seen_revision, history[max(0, seen_revision) :])
            if isinstance(annotation, Undo):
                check_undo(annotation, history)
            connection.execute(insert(annotation_events).values(event.model_dump(mode="json")))
            status = derive([*history, event]).status
            connection.execute(update(episodes).where(episodes.c.id == episode_id).values(status=status))
        return event.revision

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
            return _history(connection, episode_id)

    def view(self, episode_id: str) -> EpisodeView:
        """What holds for the episode now."""
        return derive(self.history(episode_id))

    def views(self, episode_ids: Sequence[str]) -> dict[str, EpisodeView]:
        """The views of several episodes, all as of one moment."""
        events: dict[str, list[AnnotationEvent]] = {episode_id: [] for episode_id in episode_ids}
        with self._database.read() as connection:
            for start in range(0, len(episode_ids), IDS_PER_QUERY):
                chosen = annotation_events.c.episode_id.in_(episode_ids[start : start + IDS_PER_QUERY])
                for event in _events(connection, chosen):
                    events[event.episode_id].append(event)
        return {episode_id: derive(said) for episode_id, said in events.items()}

    def record_build(self, name: str, version: str, path: Path, lock: dict[str, Any]) -> BuildRow:
        """Record a dataset that was built. The same again changes nothing, wherever its folder lies now.

        lock: what went into it; of its keys `source` alone, the way from the folder to the episodes, may differ.
        Raises BuildConflictError when this version is recorded with another lock.
        """
        row = BuildRow(
            name=name, version=version, path=stored_path(path, self.root), lock=lock, created_wall_ns=self._now()
        )
        try:
            with self._database.write() as connection:
                connection.execute(insert(builds).values(row.model_dump()))
        except IntegrityError:
            known = next(build for build in self.builds() if (build.name, build.version) == (name, version))
            if _contents(known.lock) != _contents(lock):
                raise BuildConflictError(
                    f"{name} {version} was built already, from other episodes or settings; give it a new version"
                ) from None
            return known
        return row

    def builds(self) -> list[BuildRow]:
        """All builds, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(builds).order_by(builds.c.created_wall_ns, builds.c.name, builds.c.version)
            ).mappings()
            return [BuildRow.model_validate(dict(row)) for row in rows]

    def _event(self, episode_id: str, annotation: Annotation, author: str, revision: int) -> AnnotationEvent:
        try:
            return AnnotationEvent(
                episode_id=episode_id, revision=revision, author=author, wall_ns=self._now(), annotation=annotation
            )
        except ValidationError as error:
            raise BadAnnotationError(f"not an annotation:\n{describe(error, AnnotationEvent)}") from None

    def _decide(self, decision: str, episode_id: str, author: str, reason: str, seen_revision: int) -> int:
        verdict = parse({"kind": "verdict", "decision": decision, "reason": reason})
        return self.annotate(episode_id, verdict, author, seen_revision)

    def _enter(self, row: EpisodeRow) -> EpisodeRow:
        with self._database.write() as connection:
            known = _find(connection, row.id)
            if known is None:
                view = derive(_history(connection, row.id))
                row = row.model_copy(update={"status": view.status, "revision": view.revision})
                connection.execute(insert(episodes).values(row.model_dump()))
                return row
            if known.content_hash != row.content_hash:
                raise EpisodeConflictError(
                    f"episode {row.id} is known from {known.path} with other content than {row.path}; "
                    "find out which file is the true one and move the other away"
                )
            quality = known.quality if row.quality is None else row.quality
            row = row.model_copy(update={"quality": quality, "status": known.status, "revision": known.revision})
            changed = row.model_dump(exclude={"status", "revision"})
            connection.execute(update(episodes).where(episodes.c.id == row.id).values(changed))
        return row


def _contents(lock: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in lock.items() if key != "source"}


def _find(connection: Connection, episode_id: str) -> EpisodeRow | None:
    row = connection.execute(select(episodes).where(episodes.c.id == episode_id)).mappings().one_or_none()
    return EpisodeRow.model_validate(dict(row)) if row else None


def _history(connection: Connection, episode_id: str) -> list[AnnotationEvent]:
    return _events(connection, annotation_events.c.episode_id == episode_id)


def _events(connection: Connection, chosen: ColumnElement[bool]) -> list[AnnotationEvent]:
    query = select(annotation_events).where(chosen).order_by(annotation_events.c.revision)
    return [AnnotationEvent.model_validate(dict(row)) for row in connection.execute(query).mappings()]
