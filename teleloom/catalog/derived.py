"""What the catalog keeps ready for searching: derived from an episode's row and events, in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, update

from teleloom.catalog.annotations import AnnotationEvent, InstructionEdit
from teleloom.catalog.rows import EpisodeRow, VerdictRow
from teleloom.catalog.tables import episodes, labels, verdicts
from teleloom.catalog.verdicts import verdict_rows
from teleloom.catalog.view import EpisodeView, derive, in_force


@dataclass(frozen=True)
class Derived:
    """What the events of one episode come to. columns: of its row; labels: (kind, label) of its tags and flags."""

    episode_id: str
    columns: dict[str, Any]
    labels: tuple[tuple[str, str], ...]
    verdicts: tuple[VerdictRow, ...]

    def label_rows(self) -> list[dict[str, Any]]:
        """As the table of labels has them."""
        return [{"episode_id": self.episode_id, "kind": kind, "label": label} for kind, label in self.labels]


def derive_row(row: EpisodeRow, events: Sequence[AnnotationEvent]) -> Derived:
    """What all events of the episode of `row`, oldest first, come to. What `row` says of them is not looked at."""
    view = derive(events)
    found = {("tag", tag) for tag in view.tags} | {("flag", flag.label) for flag in view.flags}
    return Derived(row.id, _columns(row, view, events), tuple(sorted(found)), tuple(verdict_rows(events)))


def store(connection: Connection, derived: Sequence[Derived]) -> None:
    """Write all of it in place of what was there."""
    if derived:
        columns = [{"key": each.episode_id} | each.columns for each in derived]
        connection.execute(update(episodes).where(episodes.c.id == bindparam("key")), columns)
    ids = [each.episode_id for each in derived]
    _replace(connection, labels, ids, [row for each in derived for row in each.label_rows()])
    store_verdicts(connection, ids, [verdict for each in derived for verdict in each.verdicts])


def store_after(connection: Connection, derived: Derived, seen_revision: int) -> bool:
    """The same for one episode that is still at the revision that was seen; otherwise False, and nothing is written."""
    same = (episodes.c.id == derived.episode_id) & (episodes.c.revision == seen_revision)
    if connection.execute(update(episodes).where(same).values(derived.columns)).rowcount == 0:
        return False
    before = [derived.episode_id] if seen_revision > 0 else []
    _replace(connection, labels, before, derived.label_rows())
    store_verdicts(connection, before, derived.verdicts)
    return True


def store_verdicts(connection: Connection, episode_ids: Sequence[str], rows: Sequence[VerdictRow]) -> None:
    """Write the verdicts in place of all those on the episodes named."""
    _replace(connection, verdicts, episode_ids, [row.model_dump() for row in rows])


def _replace(connection: Connection, table: Table, episode_ids: Sequence[str], rows: list[dict[str, Any]]) -> None:
    if episode_ids:
        connection.execute(delete(table).where(table.c.episode_id.in_(episode_ids)))
    if rows:
        connection.execute(insert(table), rows)


def _columns(row: EpisodeRow, view: EpisodeView, events: Sequence[AnnotationEvent]) -> dict[str, Any]:
    start_ns, end_ns = view.trim or (None, None)
    return {
        "status": view.status,
        "revision": view.revision,
        "score": view.score,
        "outcome_now": view.outcome or row.outcome,
        "instruction_now": view.instruction.text if view.instruction else row.instruction,
        "decided_by": view.decided_by,
        "decided_wall_ns": view.decided_wall_ns,
        "reviewers_wanted": view.reviewers_wanted,
        "opinions": len(view.opinions),
        "segments": len(view.segments),
        "flags": len(view.flags),
        "tags": list(view.tags),
        "trim_start_ns": start_ns,
        "trim_end_ns": end_ns,
        "search_text": _search_text(row, view, events),
    }


def _search_text(row: EpisodeRow, view: EpisodeView, events: Sequence[AnnotationEvent]) -> str:
    """Every way in which the episode was or is described, one a line, without upper case."""
    edits = [event.annotation.text for event in in_force(events) if isinstance(event.annotation, InstructionEdit)]
    said = dict.fromkeys([row.instruction, *row.instructions, *edits, *view.notes, *view.tags])
    return "\n".join(said).casefold()
