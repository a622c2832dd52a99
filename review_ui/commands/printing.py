"""How the review commands show episodes and what was done, to a person or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from review_ui.service import Assignment, HistoryLine
from teleloom.catalog import EpisodeRow, EpisodeView
from teleloom.clock import NS_PER_S
from teleloom.files import dumps_json

SHORTEST_ID = 8
LISTED = ("episode", "recorded (UTC)", "task", "length", "outcome", "quality", "status", "risk")
WIDE = 110


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    click.echo(dumps_json(document), nl=False)


def tell(what: str, ids: Sequence[str], as_json: bool) -> None:
    """What was done to which episodes."""
    if as_json:
        print_json({"did": what, "episodes": list(ids)})
    else:
        click.echo(f"{what}: {', '.join(ids) or 'no episode'}")


def print_table(columns: Sequence[str | Column], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """A table on stdout."""
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_episodes(rows: Sequence[EpisodeRow], short: dict[str, str]) -> None:
    """A line per episode, with the gravest risk where the terminal has room. short: what to name each by."""
    columns = [Column(name, no_wrap=True) for name in LISTED]
    has_room = Console().width >= WIDE
    if has_room:
        columns.append(Column("because"))
    print_table(columns, ([*_cells(row, short[row.id]), *([gravest(row)] if has_room else [])] for row in rows))


def _cells(row: EpisodeRow, short: str) -> tuple[str, ...]:
    quality = str((row.quality or {}).get("verdict", ""))
    recorded = when(row.created_wall_ns).rpartition(":")[0]
    risk = "" if row.risk is None else f"{row.risk:.2f}"
    return short, recorded, row.task, length(row), row.outcome_now, quality, row.status, risk


def gravest(row: EpisodeRow) -> str:
    """The gravest reason of an episode's risk, "" where there is none."""
    return str(row.risks[0]["message"]) if row.risks else ""


def length(row: EpisodeRow) -> str:
    """How long the episode is."""
    return f"{row.duration_ns / NS_PER_S:.1f} s"


def when(wall_ns: int) -> str:
    """A wall time, UTC."""
    return datetime.fromtimestamp(wall_ns / NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")


def print_assignment(assignment: Assignment, start_ns: int) -> None:
    """Everything about one episode. start_ns: its beginning, from which times are told."""
    row, view = assignment.row, assignment.view
    blind = ", to be judged without knowing what others say" if assignment.blind else ""
    lease = f", yours until {when(assignment.lease.expires_wall_ns)}" if assignment.lease else ""
    click.echo(f"{row.id} is {view.status}{blind}{lease}")
    facts = [
        ("recorded", f"{when(row.created_wall_ns)} UTC on {row.station} by {row.operator}, {length(row)}"),
        ("task", f"{row.task} on {row.robot}"),
        *_said(row, view, start_ns),
        *(("risk", _reason(reason, start_ns)) for reason in row.risks),
    ]
    for name, value in facts:
        click.echo(f"  {name:<12} {value}")
    if assignment.history:
        print_history(assignment.history)


def print_history(lines: Sequence[HistoryLine], title: str | None = None) -> None:
    """What was said, oldest first."""
    cells = (
        (str(line.revision), when(line.wall_ns), line.author, line.what + (" (taken back)" if line.undone else ""))
        for line in lines
    )
    print_table(("revision", "when (UTC)", "who", "what"), cells, title)


def _said(row: EpisodeRow, view: EpisodeView, start_ns: int) -> Iterable[tuple[str, str]]:
    yield "instruction", view.instruction.text if view.instruction else row.instruction
    for paraphrase in view.paraphrases:
        yield "", f"{paraphrase.text} ({paraphrase.language})"
    yield "outcome", view.outcome or row.outcome
    if view.score is not None:
        yield "score", f"{view.score} of 5"
    if view.trim:
        yield "trim", span(*view.trim, start_ns)
    for segment in view.segments:
        yield "segment", f"{span(segment.start_ns, segment.end_ns, start_ns)} {segment.label}"
    for flag in view.flags:
        yield "flag", f"{span(flag.start_ns, flag.end_ns, start_ns)} {flag.label} {flag.note}".rstrip()
    if view.weight != 1.0:
        yield "weight", f"{view.weight:g}"
    if view.tags:
        yield "tags", ", ".join(view.tags)
    for note in view.notes:
        yield "note", note
    for opinion in view.opinions if view.reviewers_wanted > 1 else ():
        yield "opinion", f"{opinion.author}: {opinion.decision}" + (f", {opinion.reason}" if opinion.reason else "")


def _reason(reason: dict[str, Any], start_ns: int) -> str:
    return f"{reason['weight']:.2f} {reason['message']} ({span(reason['start_ns'], reason['end_ns'], start_ns)})"


def span(from_ns: int, to_ns: int, start_ns: int) -> str:
    """A span in seconds from the episode's start."""
    return f"{(from_ns - start_ns) / NS_PER_S:.2f} to {(to_ns - start_ns) / NS_PER_S:.2f} s"


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """For each of different ids, the shortest beginning, of at least SHORTEST_ID characters, that fits no other."""
    ordered = ["", *sorted(ids), ""]
    return {
        each: each[: max(SHORTEST_ID, _shared(before, each) + 1, _shared(each, after) + 1)]
        for before, each, after in zip(ordered, ordered[1:], ordered[2:], strict=False)
    }


def _shared(a: str, b: str) -> int:
    """How many characters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
