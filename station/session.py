"""What the operator's buttons mean for the recording: start, keep, discard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from teleloom.episode.meta import EpisodeMeta, Outcome
from teleloom.messages import AnyMessage, Event

START_OR_KEEP = "primary"
DISCARD = "secondary"


class EpisodeSink(Protocol):
    """Where streams become episodes: a recorder in this process, or the link to one in another."""

    def start(self, meta: EpisodeMeta, t_ns: int) -> None:
        """Begin an episode with what happens from `t_ns` on."""
        ...

    def take(self, stream: str, message: AnyMessage) -> None:
        """One message of a stream. Outside an episode it is ignored."""
        ...

    def keep(self, outcome: Outcome, success_check: bool | None) -> None:
        """End the episode and keep it."""
        ...

    def discard(self, reason: str) -> None:
        """End the episode and put it aside."""
        ...


class Witness(Protocol):
    """Who can tell of the scene itself, besides what robot, operator and cameras say: a simulation can."""

    def whole(self, reason: str) -> Event:
        """The scene as it is now."""
        ...

    def news(self) -> Event | None:
        """The scene as it is now if something in it changed, else None."""
        ...


@dataclass
class SessionCounts:
    """How many episodes this session started, kept and discarded, and how many the recorder would not begin."""

    started: int = 0
    kept: int = 0
    discarded: int = 0
    refused: int = 0

    @property
    def ended(self) -> int:
        """Episodes that are over, one way or another."""
        return self.kept + self.discarded + self.refused


class Session:
    """One sitting of an operator: hand it every message of the station; it starts and ends episodes by the buttons.

    The first press of the primary button starts an episode and the next one keeps it; the secondary button discards
    it. Every message reaches the sink, so an episode holds its own opening and closing press. What the buttons ask for
    is done when `settle` is called, between two control ticks; there, too, the episode is told of the scene.
    """

    def __init__(
        self,
        sink: EpisodeSink,
        describe: Callable[[], EpisodeMeta],
        judge: Callable[[], bool | None] = lambda: None,
        witness: Witness | None = None,
    ) -> None:
        """describe: the metadata of the episode that begins now. judge: whether the task is done, None if unknown.

        witness: tells the episode how the scene lies at its start and end and whenever it changes.
        """
        self._sink = sink
        self._describe = describe
        self._judge = judge
        self._witness = witness
        self._press: tuple[str, Event] | None = None
        self.recording: str | None = None
        self.counts = SessionCounts()

    def take(self, stream: str, message: AnyMessage) -> None:
        """Pass one message on, noting a button press."""
        if isinstance(message, Event) and message.kind == "button":
            self._press = stream, message
        self._sink.take(stream, message)

    def settle(self) -> None:
        """Do what the last button press asked for, if there was one."""
        if self._witness is not None and self.recording is not None:
            self._tell(self._witness.news())
        if self._press is None:
            return
        stream, press = self._press
        self._press = None
        if press.reason == START_OR_KEEP and self.recording is None:
            self.start(press.t_ns)
            self._sink.take(stream, press)
        elif press.reason == START_OR_KEEP:
            self.keep()
        elif press.reason == DISCARD and self.recording is not None:
            self.discard("the operator discarded it")

    def start(self, t_ns: int) -> None:
        """Begin an episode with what happens from `t_ns` on."""
        meta = self._describe()
        self._sink.start(meta, t_ns)
        self.recording = meta.episode_id
        self.counts.started += 1
        if self._witness is not None:
            self._tell(self._witness.whole("start"))

    def keep(self) -> None:
        """End the running episode and keep it: a success as the operator saw it, checked against the task's own."""
        if self._witness is not None:
            self._tell(self._witness.whole("end"))
        self.recording = None
        self.counts.kept += 1
        self._sink.keep("success", self._judge())

    def discard(self, reason: str) -> None:
        """End the running episode and put it aside."""
        self.recording = None
        self.counts.discarded += 1
        self._sink.discard(reason)

    def refuse(self) -> None:
        """The recorder did not begin the episode: nothing is being recorded, whatever the buttons asked for."""
        if self.recording is not None:
            self.recording = None
            self.counts.refused += 1

    def _tell(self, event: Event | None) -> None:
        if event is not None:
            self._sink.take("events", event)
