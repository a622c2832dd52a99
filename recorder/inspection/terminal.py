"""An episode at a glance, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from recorder.inspection.summary import EpisodeSummary
from recorder.inspection.words import dropped, never_came, size

VERDICT_STYLES = {"good": "bold green", "doubtful": "bold yellow", "bad": "bold red"}
SEVERITY_STYLES = {"note": "dim", "warning": "yellow", "fault": "red"}
ID_SHOWN = 13
"""As much of an id as tells episodes apart that began in different milliseconds."""
WHOLE = ("episode", "task", "stream", "camera")
MAX_EVENTS = 30
NOTHING = "–"


def plain(value: object, style: str = "") -> Text:
    """Text from a file as it is: no markup, and no control character that a terminal would obey."""
    return Text("".join(c if c.isprintable() else "\ufffd" for c in str(value)), style)


def episode_view(summary: EpisodeSummary) -> RenderableType:
    """Everything about one episode."""
    parts: list[RenderableType] = [_head(summary), _streams(summary)]
    if summary.cameras:
        parts.append(_cameras(summary))
    if summary.interventions:
        rows = [(plain(row.name), str(row.count), f"{row.seconds:.2f}") for row in summary.interventions]
        parts.append(_table("interventions", ("name", ">times", ">seconds"), rows))
    if summary.events:
        parts.append(_events(summary))
    if summary.quality.findings:
        parts.append(_findings(summary))
    return Group(*parts)


def station_view(summaries: Sequence[EpisodeSummary], broken: Sequence[str]) -> RenderableType:
    """One row per episode, and a line for each file that cannot be read."""
    rows = [
        (
            plain(one.episode_id[:ID_SHOWN]),
            plain(one.task),
            plain(one.instruction),
            f"{one.duration_s:.1f}",
            str(one.steps),
            plain(one.outcome),
            _verdict(one),
            plain(one.quality.reason),
        )
        for one in summaries
    ]
    head = ("episode", "task", "instruction", ">s", ">steps", "outcome", "verdict", "why")
    return Group(_table("", head, rows), *(plain(fault, "red") for fault in broken))


def _head(summary: EpisodeSummary) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    check = {True: ", and the task's own check passed", False: ", but the task's own check failed", None: ""}
    pairs = (
        ("episode", plain(summary.episode_id)),
        ("instruction", plain(summary.instruction, "bold")),
        ("task", plain(summary.task)),
        ("operator", plain(f"{summary.operator} at {summary.station}, robot {summary.robot}, pilot {summary.pilot}")),
        ("outcome", plain(f"{summary.outcome}{check[summary.success_check]}")),
        ("duration", plain(f"{summary.duration_s:.2f} s, {summary.steps} steps at {summary.step_rate_hz:g} Hz")),
        ("file", plain(f"{size(summary.file_bytes)}, recorded {summary.created}")),
        ("notes", plain(summary.notes)),
        ("verdict", _verdict(summary)),
    )
    for name, value in pairs:
        if value.plain:
            grid.add_row(Text(name, "dim"), value)
    return grid


def _verdict(summary: EpisodeSummary) -> Text:
    quality = summary.quality
    return Text(f"{quality.verdict} ({quality.score:.2f})", VERDICT_STYLES[quality.verdict])


def _streams(summary: EpisodeSummary) -> Table:
    rows = [
        (
            plain(row.name),
            str(row.samples),
            f"{row.rate_hz:.1f}" if row.rate_hz else NOTHING,
            str(row.received),
            plain(dropped(row)),
            never_came(row),
            f"{1000 * row.worst_gap_s:.1f}" if row.rate_hz else NOTHING,
            f"{row.worst_gap_at_s:.2f}" if row.rate_hz else NOTHING,
        )
        for row in summary.streams
    ]
    head = ("stream", ">samples", ">Hz", ">received", "dropped", ">never came", ">gap [ms]", ">at [s]")
    return _table("streams", head, rows)


def _cameras(summary: EpisodeSummary) -> Table:
    rows: list[Sequence[RenderableType]] = []
    for camera in summary.cameras:
        errors = (camera.alignment_p50_ms, camera.alignment_p99_ms, camera.alignment_max_ms)
        form = plain(f"{camera.width}x{camera.height} {camera.codec}")
        known = (NOTHING if error is None else f"{error:.2f}" for error in errors)
        rows.append((plain(camera.name), form, str(camera.frames), *known))
    head = ("camera", "format", ">frames", ">from state p50 [ms]", ">p99 [ms]", ">max [ms]")
    return _table("cameras", head, rows)


def _events(summary: EpisodeSummary) -> Table:
    shown = summary.events[:MAX_EVENTS]
    rows = [(f"{event.t_s:.3f}", plain(event.kind), plain(event.reason)) for event in shown]
    more = len(summary.events) - len(shown)
    return _table(
        f"events{f' (the first {MAX_EVENTS}; {more} more)' if more else ''}", (">at [s]", "kind", "reason"), rows
    )


def _findings(summary: EpisodeSummary) -> Table:
    rows = [
        (
            Text(finding.severity, SEVERITY_STYLES[finding.severity]),
            f"{(finding.start_ns - summary.start_ns) / 1e9:.2f}–{(finding.end_ns - summary.start_ns) / 1e9:.2f} s",
            plain(finding.message),
        )
        for finding in summary.quality.findings
    ]
    return _table("quality", ("severity", ">time", "finding"), rows)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[RenderableType]]) -> Table:
    """A table; a heading that begins with > is of a column of figures."""
    table = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1),
        collapse_padding=True,
        pad_edge=False,
    )
    for name in head:
        justify: JustifyMethod = "right" if name.startswith(">") else "left"
        heading = Text(name.removeprefix(">"))  # as text: in markup a unit in brackets is a style, and vanishes
        word = None if name in WHOLE else max(map(len, heading.plain.split()))
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=name in WHOLE, min_width=word)
    for row in rows:
        table.add_row(*row)
    return table
