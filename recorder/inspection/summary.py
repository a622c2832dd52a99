"""What there is to know about an episode at a glance: plain data, for the terminal, for JSON and for the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from teleloom.config import Config
from teleloom.episode.ledger import LATEST_WINS
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.streams import CAMERA_PREFIX
from teleloom.episode.writer import created_iso
from teleloom.quality import QualityConfig, QualityReport, judge
from teleloom.quality.recording import Recording, read_recording
from teleloom.quality.spans import time_spans
from teleloom.quality.timing import StreamTiming

EVENTS = "events"


class StreamRow(Config):
    """One stream. rate_hz: 1/median interval. dropped: by reason. worst_gap_at_s: from the episode's start.

    missing_seq: numbers that the source counted and that never came. superseded: the same where only the newest
    message counts, so that nothing is lost. Rate, gap and numbers are 0 where they mean nothing, as for `events`.
    """

    name: str
    samples: int
    rate_hz: float
    received: int
    dropped: dict[str, int]
    missing_seq: int
    superseded: int
    worst_gap_s: float
    worst_gap_at_s: float


class CameraRow(Config):
    """One camera. The alignment errors, ms, lie between a step's frame and its robot state; None without any."""

    name: str
    codec: str
    width: int
    height: int
    frames: int
    alignment_p50_ms: float | None
    alignment_p99_ms: float | None
    alignment_max_ms: float | None


class EventRow(Config):
    """One event, seconds from the episode's start."""

    t_s: float
    kind: str
    reason: str


class InterventionRow(Config):
    """How often, and for how long in all, the safety chain stepped in under this name."""

    name: str
    count: int
    seconds: float


class EpisodeSummary(Config):
    """An episode at a glance."""

    path: str
    episode_id: str
    created: str
    task: str
    instruction: str
    paraphrases: tuple[str, ...]
    station: str
    operator: str
    robot: str
    pilot: str
    simulated: bool
    outcome: str
    success_check: bool | None
    notes: str
    start_ns: int
    duration_s: float
    file_bytes: int
    steps: int
    step_rate_hz: float
    streams: tuple[StreamRow, ...]
    cameras: tuple[CameraRow, ...]
    events: tuple[EventRow, ...]
    interventions: tuple[InterventionRow, ...]
    quality: QualityReport


def summarise(reader: EpisodeReader, config: QualityConfig | None = None) -> EpisodeSummary:
    """Read an episode once and judge it. Raises BadEpisodeError where the file is not sound."""
    recording = read_recording(reader)
    meta = reader.meta
    # JSON may hold half of a surrogate pair, which no text that is written can.
    ledger = json.loads(json.dumps(reader.ledger, ensure_ascii=False).encode("utf-8", "replace"))
    events = reader.events()
    timing = {**recording.timing, **({EVENTS: StreamTiming(samples=len(events))} if events else {})}
    return EpisodeSummary(
        path=str(reader.path),
        episode_id=meta.episode_id,
        created=_created(meta.anchor.wall_ns),
        task=meta.task.name,
        instruction=meta.task.spoken,
        paraphrases=tuple(i.text for i in meta.task.instructions if i.text != meta.task.spoken),
        station=meta.station,
        operator=meta.operator,
        robot=meta.robot.name,
        pilot=meta.pilot,
        simulated=meta.simulated,
        outcome=meta.outcome,
        success_check=meta.success_check,
        notes=meta.notes,
        start_ns=recording.start_ns,
        duration_s=recording.duration_s,
        file_bytes=reader.path.stat().st_size,
        steps=len(recording.step_t_ns),
        step_rate_hz=meta.step_rate_hz,
        streams=tuple(
            _stream_row(name, timing.get(name, StreamTiming(samples=0)), ledger, recording.start_ns)
            for name in sorted({*timing, *_entry(ledger, "streams")})  # also those of which nothing was kept
        ),
        cameras=tuple(_camera_row(reader, name, recording, ledger) for name in reader.cameras),
        events=tuple(
            EventRow(t_s=(event.t_ns - recording.start_ns) / 1e9, kind=event.kind, reason=event.reason)
            for event in events
        ),
        interventions=_interventions(recording),
        quality=judge(recording, config),
    )


def _created(wall_ns: int) -> str:
    try:
        return created_iso(wall_ns)
    except (ValueError, OverflowError, OSError):
        return ""  # a wall clock outside of the calendar


def _entry(ledger: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """A part of the ledger, which is free JSON: empty where it is not an object."""
    part: Any = ledger
    for name in path:
        part = part.get(name, {}) if isinstance(part, dict) else {}
    return part if isinstance(part, dict) else {}


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _stream_row(name: str, timing: StreamTiming, ledger: Mapping[str, Any], start_ns: int) -> StreamRow:
    entry = _entry(ledger, "streams", name)
    dropped = {reason: _whole(count, 0) for reason, count in _entry(entry, "dropped").items()}
    return StreamRow(
        name=name,
        samples=timing.samples,
        rate_hz=timing.rate_hz,
        received=_whole(entry.get("received"), timing.samples),
        dropped=dropped,
        missing_seq=0 if name in LATEST_WINS else timing.lost,
        superseded=timing.lost if name in LATEST_WINS else 0,
        worst_gap_s=timing.worst_gap_ns / 1e9,
        worst_gap_at_s=max(0.0, (timing.worst_gap_at_ns - start_ns) / 1e9),
    )


def _camera_row(reader: EpisodeReader, name: str, recording: Recording, ledger: Mapping[str, Any]) -> CameraRow:
    attributes, errors = reader.attributes(f"{CAMERA_PREFIX}{name}"), _entry(ledger, "alignment", name)

    def milliseconds(key: str) -> float | None:
        value = _whole(errors.get(key), -1)
        return value / 1e6 if value >= 0 else None

    return CameraRow(
        name=name,
        codec=str(attributes.get("codec", "")),
        width=_whole(attributes.get("width"), 0),
        height=_whole(attributes.get("height"), 0),
        frames=recording.timing[f"{CAMERA_PREFIX}{name}"].samples,
        alignment_p50_ms=milliseconds("p50_ns"),
        alignment_p99_ms=milliseconds("p99_ns"),
        alignment_max_ms=milliseconds("max_ns"),
    )


def _interventions(recording: Recording) -> tuple[InterventionRow, ...]:
    rows = []
    for name, active in recording.interventions.items():
        spans = time_spans(active, recording.tick["t_ns"])
        if spans:
            seconds = sum(end - start for start, end in spans) / 1e9
            rows.append(InterventionRow(name=name, count=len(spans), seconds=round(seconds, 3)))
    return tuple(rows)
