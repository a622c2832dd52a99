"""The recorder node: takes the streams of control and cameras, and records when control says so."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from recorder.config import RecorderConfig
from recorder.errors import RecorderError
from recorder.recorder import Recorder
from recorder.recovery import recover
from station.nodes import topics
from station.nodes.process import Orders, run_node
from teleloom.bus.zmq import ReliableReceiver, StreamPublisher, StreamSubscriber
from teleloom.catalog import Catalog, CatalogError
from teleloom.clock import NS_PER_S, MonotonicClock
from teleloom.episode.meta import EpisodeMeta
from teleloom.episode.reader import BadEpisodeError
from teleloom.episode.streams import CAMERA_PREFIX
from teleloom.messages import AnyMessage, Event
from teleloom.quality import QualityReport

STATUS_EVERY_NS = NS_PER_S // 5
LINGER_NS = NS_PER_S // 5
"""How long after the end of an episode messages from before it may still arrive: a picture's drawing and encoding."""
EARLY_NS = NS_PER_S // 2
"""How old a message may be that came before the command to which it belongs."""
BATCH = 500


class RecorderNode:
    """One recorder between the streams it takes, the session that commands it and the reports it gives."""

    def __init__(self, root: Path, config: RecorderConfig, streams: Sequence[str]) -> None:
        self._clock = MonotonicClock()
        self.commands = ReliableReceiver(lease_s=5.0)
        self.reports = StreamPublisher()
        self._streams = StreamSubscriber(streams[0], queue=config.queue_messages)
        for address in streams[1:]:
            self._streams.connect(address)
        self._catalog = Catalog.open(root)
        self._finished: list[tuple[Path, QualityReport | None]] = []
        self._recorder = Recorder(root, config, self._clock, self._note_finished)
        self._span: tuple[int, int | None] | None = None
        self._ending: dict[str, Any] = {}
        self._early: deque[tuple[str, AnyMessage]] = deque()
        self._restarts: dict[str, int] = {}
        self._events_taken: set[tuple[int, int, str]] = set()
        self._seq = 0
        self._status_due_ns = 0

    def turn(self) -> None:
        """Take what has come, do what is asked, and report."""
        self._take_streams()
        while (received := self.commands.receive()) is not None:
            self._obey(received[1])
        self._end_if_settled(self._clock.now_ns())
        while self._finished:
            self._register(*self._finished.pop(0))
        if self._clock.now_ns() >= self._status_due_ns:
            self._status_due_ns = self._clock.now_ns() + STATUS_EVERY_NS
            lost = dict(self._streams.lost)
            self._report("status", {**asdict(self._recorder.status()), "lost_on_the_way": lost})

    def close(self) -> None:
        """Finish what is being recorded, wait for every file, and register it."""
        if self._span is not None:
            self._end_if_settled(self._clock.now_ns() + 2 * LINGER_NS)
        self._recorder.close()
        for path, quality in self._finished:
            self._register(path, quality)
        self._catalog.close()
        self._streams.close()
        self.commands.close()
        self.reports.close()

    def _take_streams(self) -> None:
        timeout_s = 0.005
        for _ in range(BATCH):
            received = self._streams.receive(timeout_s)
            if received is None:
                return
            timeout_s = 0.0
            self._take(*received)
            self._note_restart(*received)

    def _take(self, stream: str, message: AnyMessage) -> None:
        if self._span is None:
            self._early.append((stream, message))
            while self._early[0][1].t_ns < message.t_ns - EARLY_NS:
                self._early.popleft()
        elif self._belongs(self._span, stream, message):
            self._recorder.take(stream, message)

    def _note_restart(self, stream: str, message: AnyMessage) -> None:
        """A camera whose numbers began anew was started again: the episode says so where the gap ends."""
        if not stream.startswith(CAMERA_PREFIX):
            return
        known, self._restarts[stream] = self._restarts.get(stream, 0), self._streams.restarts[stream]
        if self._restarts[stream] != known and self._span is not None:
            event = self._event("restarted", {"stream": stream}, f"{stream} was lost and came back")
            self._recorder.take("events", msgspec.structs.replace(event, t_ns=message.t_ns))

    def _belongs(self, span: tuple[int, int | None], stream: str, message: AnyMessage) -> bool:
        start, end = span
        if message.t_ns < start or (end is not None and message.t_ns > end):
            return False
        if stream != "events":
            return True
        # The press that began the episode comes twice: as it happened, and from the session once the episode runs.
        name = (message.t_ns, message.seq, message.kind if isinstance(message, Event) else "")
        known = name in self._events_taken
        self._events_taken.add(name)
        return not known

    def _obey(self, message: AnyMessage) -> None:
        if not isinstance(message, Event) or message.kind != "session":
            self._report("refused", {}, "a command that is no session event")
            return
        try:
            if message.reason == "start":
                self._begin(message)
            elif self._span is not None:
                self._span, self._ending = (self._span[0], message.t_ns), {"how": message.reason, **message.data}
        except (RecorderError, ValueError, KeyError) as error:
            self._report("refused", {}, str(error))

    def _begin(self, command: Event) -> None:
        self._end_if_settled(command.t_ns + LINGER_NS)
        self._recorder.start(EpisodeMeta.model_validate(command.data["meta"]))
        self._span, self._ending, self._events_taken = (command.t_ns, None), {}, set()
        while self._early:
            self._take(*self._early.popleft())
        self._report("began", {"episode_id": command.data["meta"]["episode_id"]})

    def _end_if_settled(self, now_ns: int) -> None:
        if self._span is None or self._span[1] is None or now_ns < self._span[1] + LINGER_NS:
            return
        self._span = None
        if self._ending["how"] == "discard":
            self._recorder.discard(self._ending["reason"])
            self._report("discarded", {}, self._ending["reason"])
        else:
            self._recorder.stop(self._ending["outcome"], self._ending["success_check"])
            self._report("stopped", {})

    def _note_finished(self, path: Path, quality: QualityReport | None) -> None:
        self._finished.append((path, quality))

    def enter(self, path: Path, quality: QualityReport | None) -> None:
        """Enter a finished episode into the catalog."""
        self._catalog.register(path, as_json(quality))

    def _register(self, path: Path, quality: QualityReport | None) -> None:
        self.enter(path, quality)
        self._report("finished", {"episode_id": path.stem, "quality": as_json(quality)})

    def _report(self, kind: str, data: dict[str, Any], reason: str = "") -> None:
        self.reports.publish(topics.REPORT, self._event(kind, data, reason))

    def _event(self, kind: str, data: dict[str, Any], reason: str) -> Event:
        self._seq += 1
        return Event(t_ns=self._clock.now_ns(), seq=self._seq, kind=kind, reason=reason, data=data)


def as_json(quality: QualityReport | None) -> dict[str, Any] | None:
    """The verdict as the catalog and the reports carry it."""
    return None if quality is None else quality.model_dump(mode="json")


def work(orders: Orders) -> None:
    """Orders: root, config, streams (addresses). Answers: where to send commands, where reports are published."""
    root = Path(orders.first["root"])
    node = RecorderNode(root, RecorderConfig.model_validate(orders.first["config"]), orders.first["streams"])
    recovered = recover(root, quality=True, on_finished=node.enter)
    orders.answer(
        commands=node.commands.address,
        reports=node.reports.address,
        recovered=[item.to_json() for item in recovered],
    )
    orders.watch()
    try:
        while not orders.stop.is_set():
            node.turn()
        time.sleep(LINGER_NS / NS_PER_S)
        node.turn()
    finally:
        node.close()


if __name__ == "__main__":
    run_node(work, (BadEpisodeError, CatalogError, RecorderError, OSError))
