"""The page of one episode: pictures, curves, verdict and ledger in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recorder.inspection.curves import Piece, figure
from recorder.inspection.lanes import episode_lanes, finding_pieces, intervention_pieces
from recorder.inspection.sheet import contact_sheet, instants, jpeg_cameras
from recorder.inspection.summary import EpisodeSummary, summarise
from recorder.inspection.words import dropped, never_came, size
from teleloom.episode.reader import EpisodeReader
from teleloom.files import atomic_write_bytes
from teleloom.pages.markup import Html, facts, join, page, section, table, tag
from teleloom.quality import Finding, QualityConfig
from teleloom.quality.recording import read_recording

COLUMNS = 8
MAX_EVENT_ROWS = 200
SHOWN_METRICS = {
    "sparc": ("smoothness, SPARC", "{:.2f}"),
    "ldlj": ("smoothness, LDLJ", "{:.2f}"),
    "path_efficiency": ("path efficiency", "{:.0%}"),
    "idle_share": ("at rest", "{:.0%}"),
    "tracking_error_p95_rad": ("tracking error p95", "{:.4f} rad"),
    "command_lag_s": ("lag behind the command", "{:.2f} s"),
}


def write_episode_page(reader: EpisodeReader, path: Path, config: QualityConfig | None = None) -> EpisodeSummary:
    """Write the page of an open episode to `path`, and return its summary. The same episode gives the same bytes."""
    summary = summarise(reader, config)
    atomic_write_bytes(path, episode_page(reader, summary).encode())
    return summary


def episode_page(reader: EpisodeReader, summary: EpisodeSummary) -> str:
    """The HTML of an open episode whose summary is at hand."""
    return page(
        f"{summary.instruction} · {summary.episode_id}",
        _head(summary),
        _verdict(summary),
        _pictures(reader, summary),
        _curves(reader, summary),
        _streams(summary),
        _events(summary),
        tag("footer", f"{summary.path}, {size(summary.file_bytes)}"),
    )


def badge(word: str, style: str | None = None) -> Html:
    """A word in the colour of what it means; style: the class that gives the colour, if not the word itself."""
    return tag("span", word, class_=f"badge {style or word}")


def findings_list(findings: Sequence[Finding], start_ns: int) -> Html:
    """The findings with the time that shows each, the gravest first."""
    order = {"fault": 0, "warning": 1, "note": 2}
    items = []
    for finding in sorted(findings, key=lambda finding: (order[finding.severity], finding.start_ns)):
        start, end = ((t_ns - start_ns) / 1e9 for t_ns in (finding.start_ns, finding.end_ns))
        items.append(
            tag(
                "li",
                tag("span", finding.severity, class_="severity"),
                tag("span", f"{start:.2f}–{end:.2f} s", class_="when"),
                tag("span", finding.message, class_="what"),
                class_=finding.severity,
            )
        )
    return tag("ul", *items, class_="findings")


def _head(summary: EpisodeSummary) -> Html:
    check = {True: "passed", False: "failed", None: ""}[summary.success_check]
    pairs = [
        ("task", summary.task),
        ("operator", summary.operator),
        ("station", f"{summary.station}{' (simulated)' if summary.simulated else ''}"),
        ("robot", summary.robot),
        ("pilot", summary.pilot),
        ("recorded", summary.created.replace("T", " ").replace("+00:00", " UTC")),
        ("duration", f"{summary.duration_s:.2f} s"),
        ("steps", f"{summary.steps} at {summary.step_rate_hz:g} Hz"),
        ("operator says", badge(summary.outcome)),
        ("task's own check", check),
        ("notes", summary.notes),
    ]
    return tag(
        "header",
        tag("p", f"episode {summary.episode_id}", class_="kicker"),
        tag("h1", summary.instruction),
        tag("p", "Also said as: ", " · ".join(summary.paraphrases), class_="lead") if summary.paraphrases else "",
        facts(pairs),
    )


def _verdict(summary: EpisodeSummary) -> Html:
    quality = summary.quality
    line = join((badge(quality.verdict), f" score {quality.score:.2f}"))
    quiet = "" if quality.findings else tag("p", "Nothing to say against it.", class_="soft")
    figures = facts(
        (label, form.format(quality.metrics[name]))
        for name, (label, form) in SHOWN_METRICS.items()
        if name in quality.metrics
    )
    return section("Verdict", tag("p", line), quiet, findings_list(quality.findings, summary.start_ns), figures)


def _pictures(reader: EpisodeReader, summary: EpisodeSummary) -> Html:
    cameras = jpeg_cameras(reader)
    if not cameras:
        return section("Pictures", note="This episode has no pictures.")
    times = instants(reader, cameras, COLUMNS)
    faults = [finding for finding in summary.quality.findings if finding.severity == "fault"]
    sheet = contact_sheet(reader, cameras, times, summary.start_ns, faults)
    note = "Of each camera the newest frame at that instant, the recorded bytes themselves."
    return section("Pictures", sheet, note=note)


def _curves(reader: EpisodeReader, summary: EpisodeSummary) -> Html:
    recording = read_recording(reader)
    grave = [finding for finding in summary.quality.findings if _is_local(finding, summary)]
    events = [Piece(event.t_s, event.t_s, "band-event", f"{event.kind} {event.reason}") for event in summary.events]
    shades = intervention_pieces(recording, "span-intervention") + finding_pieces(grave, summary.start_ns, "span-")
    lanes = episode_lanes(recording, summary.quality.findings, events)
    note = (
        "Mode: grey holds, blue is the human, violet the policy. Shaded: interventions of the safety chain (yellow) "
        "and findings (orange, red). Point at a mark to read it."
    )
    return section("Curves", figure(lanes, summary.duration_s, shades), note=note)


def _is_local(finding: Finding, summary: EpisodeSummary) -> bool:
    """Whether it is grave, and about a part of the episode: shading all of it would show nothing."""
    return finding.severity != "note" and finding.end_ns - finding.start_ns < 0.9e9 * summary.duration_s


def _streams(summary: EpisodeSummary) -> Html:
    rows = [
        (
            row.name,
            row.samples,
            f"{row.rate_hz:.1f}" if row.rate_hz else "",
            row.received,
            dropped(row),
            never_came(row),
            f"{1000 * row.worst_gap_s:.1f} ms at {row.worst_gap_at_s:.2f} s" if row.rate_hz else "",
        )
        for row in summary.streams
    ]
    head = ("stream", "samples", "rate [Hz]", "received", "dropped", "never came", "worst gap")
    parts = [table(head, rows, numeric=(1, 2, 3, 5, 6))]
    if summary.cameras:
        cameras = [
            (
                camera.name,
                f"{camera.width}×{camera.height} {camera.codec}",
                camera.frames,
                *(
                    "" if value is None else f"{value:.2f}"
                    for value in (camera.alignment_p50_ms, camera.alignment_p99_ms, camera.alignment_max_ms)
                ),
            )
            for camera in summary.cameras
        ]
        names = ("camera", "format", "frames", "from state p50 [ms]", "p99 [ms]", "max [ms]")
        parts.append(table(names, cameras, numeric=(2, 3, 4, 5)))
    return section("Ledger", *parts, note="What came, what was kept and why the rest was not.")


def _events(summary: EpisodeSummary) -> Html:
    if not (summary.events or summary.interventions):
        return Html("")
    parts = []
    if summary.interventions:
        rows = [(row.name, row.count, f"{row.seconds:.2f}") for row in summary.interventions]
        parts.append(table(("intervention", "times", "seconds"), rows, numeric=(1, 2)))
    if summary.events:
        events = [(f"{event.t_s:.3f}", event.kind, event.reason) for event in summary.events[:MAX_EVENT_ROWS]]
        parts.append(table(("at [s]", "event", "reason"), events, numeric=(0,)))
    more = len(summary.events) - MAX_EVENT_ROWS
    note = f"The first {MAX_EVENT_ROWS}; {more} more are in the file." if more > 0 else ""
    return section("Interventions and events", *parts, note=note)
