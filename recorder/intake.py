"""What a journal holds: its messages sorted into streams, and every one that cannot be kept counted with its reason.

Frames stay views into the mapped journal, so an episode's pictures are never all in memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorder.errors import UnusableJournalError
from recorder.journal import JournalReader, StreamCounts
from teleloom.clock import NS_PER_S
from teleloom.episode.ledger import stream_entry
from teleloom.episode.meta import EpisodeMeta
from teleloom.episode.streams import (
    CAMERA_PREFIX,
    Columns,
    Stream,
    StreamBuilder,
    fault_of,
    frame_is_whole,
    frames_to_stream,
    has_sound_times,
    message_type,
    time_order,
)
from teleloom.messages import BadMessageError, CameraFrame, Event, Message, decode

EVENTS = "events"


class FrameView(Message, tag="CameraFrame", frozen=True, kw_only=True):
    """A CameraFrame whose data is a view into the bytes it was decoded from."""

    camera: str
    codec: str
    width: int
    height: int
    data: memoryview


_frame_decoder = msgspec.msgpack.Decoder(FrameView)


@dataclass
class FrameCollector:
    """The frames of one camera; one that is damaged or not like the first is counted in `dropped`."""

    camera: str
    color_order: str
    dropped: Counter[str] = field(default_factory=Counter)
    frames: list[FrameView] = field(default_factory=list)

    def add(self, data: memoryview) -> None:
        """Take one encoded CameraFrame."""
        try:
            frame = _frame_decoder.decode(data)
        except msgspec.MsgspecError:
            self.dropped["malformed"] += 1
            return
        if not has_sound_times(frame):
            self.dropped["bad_time"] += 1
        elif frame.camera != self.camera:
            self.dropped["other_camera"] += 1
        elif not frame_is_whole(frame.data, frame.codec):
            self.dropped["bad_frame"] += 1
        elif self.frames and _format(frame) != _format(self.frames[0]):
            self.dropped["other_format"] += 1
        else:
            self.frames.append(frame)

    def build(self) -> Stream:
        """The camera's stream in order of arrival."""
        times = {
            "t_ns": [frame.t_ns for frame in self.frames],
            "t_device_ns": [-1 if frame.t_device_ns is None else frame.t_device_ns for frame in self.frames],
            "seq": [frame.seq for frame in self.frames],
        }
        codec, width, height = _format(self.frames[0]) if self.frames else ("jpeg", 0, 0)
        data = [frame.data for frame in self.frames]
        return frames_to_stream(data, times, codec, (width, height), self.color_order)


def _format(frame: FrameView) -> tuple[str, int, int]:
    return frame.codec, frame.width, frame.height


@dataclass(frozen=True)
class Recording:
    """An episode as its journal tells it: rows in time order, each once. frame_bytes: the size of all pictures."""

    meta: EpisodeMeta
    streams: dict[str, Stream]
    events: list[Event]
    ledger: dict[str, Any]
    frame_bytes: int

    @property
    def rows(self) -> int:
        """Rows of all streams, and events."""
        return sum(map(len, self.streams.values())) + len(self.events)

    @property
    def duration_s(self) -> float:
        """From the first to the last sample of any stream."""
        times = [stream.columns["t_ns"] for stream in self.streams.values() if len(stream)]
        return (max(t[-1] for t in times) - min(t[0] for t in times)) / NS_PER_S if times else 0.0


class _Intake:
    def __init__(self, meta: EpisodeMeta) -> None:
        self.arrived: Counter[str] = Counter()
        self.dropped: dict[str, Counter[str]] = {EVENTS: Counter()}
        self.events: list[Event] = []
        self._joints = len(meta.robot.joint_names)
        self._color_orders = {camera.name: camera.color_order for camera in meta.cameras}
        self._collectors: dict[str, StreamBuilder | FrameCollector] = {}

    def add(self, stream: str, data: memoryview) -> None:
        """Take one message of a stream."""
        self.arrived[stream] += 1
        if stream == EVENTS:
            self._add_event(data)
            return
        collector = self._collectors.get(stream) or self._open(stream)
        if collector is None:
            self.dropped.setdefault(stream, Counter())["unknown_stream"] += 1
            return
        if isinstance(collector, FrameCollector):
            collector.add(data)
            return
        try:
            collector.add(decode(data))
        except BadMessageError:
            collector.dropped["malformed"] += 1

    def streams(self) -> dict[str, Stream]:
        """The streams that have rows, in time order; repeats of a row are counted as duplicates."""
        streams = {}
        for name, collector in self._collectors.items():
            arrived = collector.build()
            order = time_order(arrived.columns["t_ns"], arrived.columns["seq"])
            collector.dropped["duplicate"] += len(arrived) - len(order)
            if len(order):
                streams[name] = arrived.rows(order)
        return streams

    def _open(self, stream: str) -> StreamBuilder | FrameCollector | None:
        try:
            kind = message_type(stream)
        except ValueError:
            return None
        collector: StreamBuilder | FrameCollector
        if kind is CameraFrame:
            camera = stream.removeprefix(CAMERA_PREFIX)
            collector = FrameCollector(camera, self._color_orders.get(camera, "rgb"))
        else:
            collector = StreamBuilder(kind, self._joints)
        self._collectors[stream] = collector
        self.dropped[stream] = collector.dropped
        return collector

    def _add_event(self, data: memoryview) -> None:
        try:
            message = decode(data)
        except BadMessageError:
            self.dropped[EVENTS]["malformed"] += 1
            return
        reason = fault_of(message, self._joints) if isinstance(message, Event) else "wrong_type"
        if reason:
            self.dropped[EVENTS][reason] += 1
        elif isinstance(message, Event):
            self.events.append(message)


def read_journal(path: Path) -> Recording:
    """Everything that a journal holds, as far as it goes.

    Raises UnusableJournalError when that is nothing, and JournalError when its notes cannot be understood.
    """
    journal = JournalReader(path)
    intake: _Intake | None = None
    for stream, data in journal.messages():
        if intake is None:
            if journal.meta is None:
                break
            intake = _Intake(journal.meta)
        intake.add(stream, data)
    if intake is None or journal.meta is None:
        what = "no message" if journal.meta else "no metadata"
        raise UnusableJournalError(f"{path} holds {what}")
    streams = intake.streams()
    if not streams:
        raise UnusableJournalError(f"{path} holds no usable sample")
    meta = (
        journal.meta if journal.stop is None else journal.meta.model_copy(update=msgspec.structs.asdict(journal.stop))
    )
    frame_bytes = sum(len(frame) for stream in streams.values() for frame in stream.frames)
    return Recording(meta, streams, intake.events, _ledger(journal, intake, streams), frame_bytes)


def _ledger(journal: JournalReader, intake: _Intake, streams: dict[str, Stream]) -> dict[str, Any]:
    """The account of what the recorder was given, from its own counts and from what the journal shows."""
    entries = {}
    for name in sorted({*intake.arrived, *journal.counts, journal.cut_stream} - {""}):
        counted = journal.counts.get(name, StreamCounts())
        dropped = Counter(intake.dropped.get(name, {})) + Counter(counted.dropped)
        dropped["cut"] += journal.cut_stream == name
        known = intake.arrived[name] + sum(counted.dropped.values()) + dropped["cut"]
        received = max(known, counted.received)
        dropped["not_written"] += received - known
        entries[name] = stream_entry(name, _times(name, intake.events, streams), received, dropped)
    account = {
        "records": journal.records,
        "lost_records": journal.lost_records,
        "cut_bytes": journal.cut_bytes,
        "damaged": journal.damaged,
        "ended": journal.ended,
    }
    return {"streams": entries, "journal": account}


def _times(name: str, events: list[Event], streams: dict[str, Stream]) -> Columns:
    if name in streams:
        return streams[name].columns
    kept = sorted((event.t_ns, event.seq) for event in events) if name == EVENTS else []
    t_ns, seq = np.array(kept, dtype=np.int64).reshape(-1, 2).T
    return {"t_ns": t_ns, "seq": seq}
