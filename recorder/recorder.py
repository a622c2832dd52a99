"""The recorder of a station: it takes every message while an episode runs, and makes the episode file when it stops."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from recorder import disk
from recorder.aside import set_aside
from recorder.config import RecorderConfig
from recorder.errors import DiskFullError, RecorderError
from recorder.finaliser import BackgroundFinaliser, OnFinished, PendingEpisode, finalise_here
from recorder.journal import JournalWriter, StopNote, journal_path
from recorder.sinks import DirectSink, QueuedSink, Sink, Tally, note_counts, refusal
from teleloom.clock import NS_PER_S, Clock
from teleloom.episode.layout import episode_path
from teleloom.episode.meta import EpisodeMeta, Outcome
from teleloom.episode.streams import CAMERA_PREFIX, message_type
from teleloom.files import free_bytes
from teleloom.messages import AnyMessage, CameraFrame, Event, Message
from teleloom.quality import QualityReport

RATE_WINDOW = 64


@dataclass(frozen=True)
class StreamStatus:
    """One stream of the running episode. rate_hz: over the last RATE_WINDOW messages, falling when none come."""

    rate_hz: float
    received: int
    dropped: int


@dataclass(frozen=True)
class RecorderStatus:
    """What the recorder is doing. episode_id: None between episodes. fault: why nothing more is kept, "" normally.

    minutes_left: until the disk's reserve is reached, at the rate of this episode (of none: infinite). finalising:
    stopped episodes that are not files yet. discarded: episodes set aside since the recorder started.
    """

    episode_id: str | None
    duration_s: float
    streams: dict[str, StreamStatus]
    journal_bytes: int
    free_bytes: int
    minutes_left: float
    finalising: int
    discarded: int
    fault: str


class _Episode:
    """The episode that is being recorded."""

    def __init__(self, meta: EpisodeMeta, journal: JournalWriter, config: RecorderConfig, started_ns: int) -> None:
        self.meta = meta
        self.journal = journal
        self.started_ns = started_ns
        self.tally = Tally()
        self.recent: dict[str, deque[int]] = {}
        self.sink: Sink
        if config.lockstep:
            self.sink = DirectSink(journal, self.tally)
        else:
            self.sink = QueuedSink(
                journal, self.tally, config.queue_messages, config.queue_bytes, config.sync_interval_s
            )

    def end(self, stop: StopNote | None) -> None:
        """Bring everything taken into the journal and mark it as whole, as far as the disk allows."""
        self.sink.finish()
        note_counts(self.journal, self.tally)
        try:
            if stop is not None:
                self.journal.note_stop(stop)
            self.journal.end()
        except OSError as error:
            self.tally.fault = self.tally.fault or refusal(self.journal, error)


class Recorder:
    """Records one episode after the other under `root`: journals in `journal/`, finished files in `episodes/`.

    `take` may be called from any thread and never waits for the disk unless in lockstep. `on_finished` is told of each
    finished file and the verdict on it, in the thread that finalised it.
    """

    def __init__(self, root: Path, config: RecorderConfig, clock: Clock, on_finished: OnFinished | None = None) -> None:
        self.root = Path(root)
        self._config = config
        self._clock = clock
        self._on_finished: OnFinished = on_finished or _nobody
        self._episode: _Episode | None = None
        self._pending: list[PendingEpisode] = []
        self._discarded = 0
        self._background = None if config.lockstep else BackgroundFinaliser()
        self._taking = threading.Lock()

    def start(self, meta: EpisodeMeta) -> None:
        """Begin an episode. Raises DiskFullError below the reserve, RecorderError when one runs or the id is taken."""
        if self._episode is not None:
            raise RecorderError(f"episode {self._episode.meta.episode_id} is being recorded; stop or discard it first")
        path = journal_path(self.root, meta.episode_id)
        if path.exists() or episode_path(self.root, meta.episode_id).exists():
            raise RecorderError(f"episode {meta.episode_id} is there already; every episode needs an id of its own")
        disk.require_reserve(self.root, self._config.min_free_bytes, disk.expected_bytes_per_s(meta))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            journal = JournalWriter(path, meta)
        except OSError as error:
            if disk.is_full(error):
                raise DiskFullError(
                    f"cannot begin {path}: {disk.describe(self.root)} is full; free some space"
                ) from None
            raise RecorderError(
                f"cannot begin {path}: {error.strerror or error}; check the folder's permissions"
            ) from None
        self._episode = _Episode(meta, journal, self._config, self._clock.now_ns())

    def take(self, stream: str, message: AnyMessage) -> None:
        """Keep a message of a stream; between episodes it is ignored.

        Raises ValueError for a stream that does not exist or a message that is not of the stream's type.
        """
        with self._taking:
            episode = self._episode
            if episode is None:
                return
            recent = episode.recent.get(stream)
            if recent is None:
                _check_stream(stream, message)
                recent = episode.recent[stream] = deque(maxlen=RATE_WINDOW)
            recent.append(message.t_ns)
            episode.tally.received[stream] += 1
            episode.sink.put(stream, message)

    def stop(self, outcome: Outcome = "unknown", success_check: bool | None = None, notes: str = "") -> PendingEpisode:
        """End the episode and have it finalised; in lockstep that is done when this returns.

        Raises RecorderError when none is being recorded.
        """
        episode = self._leave()
        episode.end(StopNote(outcome, success_check, notes))
        arguments = (episode.journal, self.root, self._config.quality, self._on_finished)
        future = self._background.submit(*arguments) if self._background else finalise_here(*arguments)
        pending = PendingEpisode(episode.meta.episode_id, future)
        self._pending = [other for other in self._pending if not other.done()] + [pending]
        return pending

    def discard(self, reason: str) -> Path:
        """End the episode and set its journal aside, with the reason beside it, in `discarded/`; returns where.

        Raises RecorderError when none is being recorded.
        """
        episode = self._leave()
        episode.end(None)
        self._discarded += 1
        kept = set_aside(episode.journal.path, self.root, reason)
        episode.journal.close()
        return kept

    def status(self) -> RecorderStatus:
        """What is being recorded, how fast, what was lost, and how long the disk will last."""
        episode = self._episode
        free = free_bytes(self.root)
        finalising = sum(not pending.done() for pending in self._pending)
        if episode is None:
            return RecorderStatus(None, 0.0, {}, 0, free, float("inf"), finalising, self._discarded, "")
        now = self._clock.now_ns()
        duration_s = max(0, now - episode.started_ns) / NS_PER_S
        written = episode.journal.bytes_written
        rate = written / duration_s if duration_s > 1.0 else disk.expected_bytes_per_s(episode.meta)
        tally = episode.tally
        streams = {
            name: StreamStatus(_rate_hz(times, now), tally.received[name], sum(tally.dropped.get(name, {}).values()))
            for name, times in list(episode.recent.items())
        }
        minutes = disk.minutes_left(free, self._config.min_free_bytes, rate)
        return RecorderStatus(
            episode.meta.episode_id,
            duration_s,
            streams,
            written,
            free,
            minutes,
            finalising,
            self._discarded,
            tally.fault,
        )

    def close(self) -> None:
        """End the running episode, if any, as one of unknown outcome, and wait for every finalisation."""
        if self._episode is not None:
            self.stop()
        if self._background is not None:
            self._background.close()

    def _leave(self) -> _Episode:
        with self._taking:
            episode, self._episode = self._episode, None
        if episode is None:
            raise RecorderError("no episode is being recorded; start one first")
        return episode


def _nobody(path: Path, quality: QualityReport | None) -> None:
    """Nobody asked to be told."""


def _check_stream(stream: str, message: Message) -> None:
    kind = Event if stream == "events" else message_type(stream)
    if type(message) is not kind:
        raise ValueError(f"stream {stream!r} keeps {kind.__name__}, not {type(message).__name__}")
    if isinstance(message, CameraFrame) and stream != f"{CAMERA_PREFIX}{message.camera}":
        raise ValueError(f"stream {stream!r} was given a frame of camera {message.camera!r}")


def _rate_hz(times: deque[int], now_ns: int) -> float:
    """Messages per second over the times of the last ones, counting the silence since."""
    window = list(times)
    if len(window) < 2:
        return 0.0
    span_ns = max(window[-1] - window[0], now_ns - window[0] - (window[-1] - window[0]) // (len(window) - 1), 1)
    return (len(window) - 1) * NS_PER_S / span_ns
