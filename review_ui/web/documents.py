"""The JSON documents of the API: what the service answers, and what reviewers say, in times that count from the
episode's beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from review_ui.service import Assignment, HistoryLine
from review_ui.web.recorded import Recorded
from teleloom.catalog import Annotation, BadAnnotationError, EpisodeRow, EpisodeView, Lease, parse
from teleloom.catalog.annotations import Flag, Segment
from teleloom.catalog.opinions import Opinion
from teleloom.clock import NS_PER_S
from teleloom.episode.meta import Instruction

SHORT_ID = 13
"""As much of an id as holds its time, which is what ids differ in."""

Document = dict[str, Any]


def assignment_document(
    assignment: Assignment, recorded: Recorded | None, now_ns: int, reasons: Sequence[str]
) -> Document:
    """An assignment as the player takes it. now_ns: wall time, ns since the Unix epoch. reasons: to reject for.

    recorded: None where the file cannot be read; then nothing that has a time is in it.
    """
    return {
        "episode": _episode(assignment.row),
        "revision": assignment.view.revision,
        "blind": assignment.blind,
        "view": _view(assignment, recorded),
        "history": [history_line(line) for line in assignment.history],
        "lease": lease_document(assignment.lease, now_ns) if assignment.lease else None,
        "rejection_reasons": list(reasons),
    }


def lease_document(lease: Lease, now_ns: int) -> Document:
    """How long a lease still holds, s."""
    return {"expires_in_s": max(0.0, round((lease.expires_wall_ns - now_ns) / NS_PER_S, 3))}


def history_line(line: HistoryLine) -> Document:
    """One event of the history."""
    return {
        "revision": line.revision,
        "author": line.author,
        "when": iso(line.wall_ns),
        "what": line.what,
        "undone": line.undone,
        "mine": line.mine,
    }


def annotations_from(items: Sequence[Document], recorded: Recorded | None, duration_ns: int) -> list[Annotation]:
    """What a reviewer says, with times made absolute. Raises BadAnnotationError naming what is wrong with which."""
    annotations = []
    for index, item in enumerate(items):
        try:
            annotations.append(parse(_absolute(item, recorded, duration_ns)))
        except BadAnnotationError as error:
            raise BadAnnotationError(f"annotation {index}: {error}") from None
    return annotations


def has_times(items: Sequence[Document]) -> bool:
    """Whether any of these names a moment of the episode."""
    return any("start_ns" in item or item.get("kind") == "segments" for item in items)


def iso(wall_ns: int) -> str:
    """A wall time, ns since the Unix epoch, as ISO 8601 in UTC."""
    return datetime.fromtimestamp(wall_ns / NS_PER_S, UTC).isoformat(timespec="milliseconds")


def _episode(row: EpisodeRow) -> Document:
    return {
        "id": row.id,
        "short": row.id[:SHORT_ID],
        "task": row.task,
        "robot": row.robot,
        "station": row.station,
        "operator": row.operator,
        "recorded": iso(row.created_wall_ns),
        "duration_ns": row.duration_ns,
        "outcome": row.outcome,
        "instruction": row.instruction,
        "status": row.status,
        "risk": row.risk,
        "success_check": row.success_check,
    }


def _view(assignment: Assignment, recorded: Recorded | None) -> Document:
    row, view = assignment.row, assignment.view
    start_ns = recorded.start_ns if recorded else None
    document = {
        "status": view.status,
        "reason": view.reason,
        "decided_by": view.decided_by,
        "instruction": _instruction(view.instruction) if view.instruction else None,
        "instructions": [_spoken_instruction(each) for each in _instructions(row, view, recorded)],
        "paraphrases": [_instruction(each) for each in view.paraphrases],
        "outcome": view.outcome,
        "score": view.score,
        "trim": _span(view.trim, start_ns),
        "segments": _segments(view.segments, start_ns),
        "flags": [_flag(flag, start_ns) for flag in view.flags] if start_ns is not None else [],
        "tags": list(view.tags),
        "notes": list(view.notes),
        "weight": view.weight,
        "reviewers_wanted": view.reviewers_wanted,
    }
    if not assignment.blind:
        document["opinions"] = [_opinion(opinion, start_ns) for opinion in view.opinions]
    return document


def _instructions(row: EpisodeRow, view: EpisodeView, recorded: Recorded | None) -> Sequence[Instruction]:
    if recorded is not None:
        return view.instructions(recorded.task)
    return (view.instruction or Instruction(text=row.instruction, spoken=True), *view.paraphrases)


def _instruction(instruction: Instruction) -> Document:
    return {"text": instruction.text, "language": instruction.language}


def _spoken_instruction(instruction: Instruction) -> Document:
    return {**_instruction(instruction), "spoken": instruction.spoken}


def _opinion(opinion: Opinion, start_ns: int | None) -> Document:
    document = opinion.model_dump(mode="json", exclude={"trim", "segments"})
    return document | {"trim": _span(opinion.trim, start_ns), "segments": _segments(opinion.segments, start_ns)}


def _segments(segments: Sequence[Segment], start_ns: int | None) -> list[Document]:
    if start_ns is None:
        return []
    return [
        {
            "start_ns": segment.start_ns - start_ns,
            "end_ns": segment.end_ns - start_ns,
            "label": segment.label,
            "outcome": segment.outcome,
        }
        for segment in segments
    ]


def _flag(flag: Flag, start_ns: int) -> Document:
    span = {"start_ns": flag.start_ns - start_ns, "end_ns": flag.end_ns - start_ns}
    return {"label": flag.label, **span, "note": flag.note}


def _span(span: tuple[int, int] | None, start_ns: int | None) -> list[int] | None:
    return [t_ns - start_ns for t_ns in span] if span is not None and start_ns is not None else None


def _absolute(item: Document, recorded: Recorded | None, duration_ns: int) -> Document:
    moved = dict(item)
    for name in ("start_ns", "end_ns"):
        if name in item:
            moved[name] = _instant(item[name], name, recorded, duration_ns)
    if isinstance(parts := item.get("segments"), list):
        moved["segments"] = [
            _absolute(part, recorded, duration_ns) if isinstance(part, dict) else part for part in parts
        ]
    return moved


def _instant(relative_ns: object, name: str, recorded: Recorded | None, duration_ns: int) -> int:
    if not isinstance(relative_ns, int) or isinstance(relative_ns, bool):
        raise BadAnnotationError(f"{name} is {relative_ns!r}; give whole ns from the episode's beginning")
    if not 0 <= relative_ns <= duration_ns:
        raise BadAnnotationError(f"{name} is {relative_ns}; the episode goes from 0 to {duration_ns} ns")
    if recorded is None:
        raise BadAnnotationError(f"{name} cannot be placed: the episode's file cannot be read")
    return relative_ns + recorded.start_ns
