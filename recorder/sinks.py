"""How messages reach the journal: straight away in lockstep, or through a bounded queue and a thread of its own."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Protocol

from recorder import disk
from recorder.journal import JournalWriter, StreamCounts
from teleloom.messages import AnyMessage, CameraFrame

DISK_FULL = "disk_full"
QUEUE_FULL = "queue_full"
NOT_ENCODABLE = "not_encodable"


class Tally:
    """Counts of one episode's messages by stream. `fault` says why the disk takes no more, "" while it does."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.dropped: dict[str, Counter[str]] = {}
        self.fault = ""
        self._dropping = threading.Lock()

    def drop(self, stream: str, reason: str) -> None:
        """Count one message that will not be in the journal. From any thread."""
        with self._dropping:
            self.dropped.setdefault(stream, Counter())[reason] += 1

    def dropped_total(self) -> int:
        """Dropped messages of all streams."""
        return sum(sum(reasons.values()) for reasons in list(self.dropped.values()))

    def counts(self) -> dict[str, StreamCounts]:
        """The counts as the journal keeps them."""
        return {
            name: StreamCounts(self.received[name], dict(self.dropped.get(name, {})))
            for name in sorted({*self.received, *self.dropped})
        }


class Sink(Protocol):
    """Takes messages for a journal; never raises for a full disk, but counts what it could not keep."""

    def put(self, stream: str, message: AnyMessage) -> None:
        """Take one message."""
        ...

    def finish(self) -> None:
        """Return when everything taken is in the journal or counted as dropped."""
        ...


class DirectSink:
    """Writes in the caller's thread."""

    def __init__(self, journal: JournalWriter, tally: Tally) -> None:
        self._journal = journal
        self._tally = tally

    def put(self, stream: str, message: AnyMessage) -> None:
        append(self._journal, self._tally, stream, message)

    def finish(self) -> None:
        """Nothing waits."""


class QueuedSink:
    """Writes in a thread: no producer waits for the disk; what does not fit the queue is dropped and counted."""

    COUNTS_EVERY_DROPS = 64

    def __init__(
        self, journal: JournalWriter, tally: Tally, max_messages: int, max_bytes: int, sync_interval_s: float
    ) -> None:
        self._journal = journal
        self._tally = tally
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._queue: deque[tuple[str, AnyMessage]] = deque()
        self._queued_bytes = 0
        self._closing = False
        self._changed = threading.Condition()
        self._finished = threading.Event()
        self._threads = [threading.Thread(target=self._write, name="journal", daemon=True)]
        if sync_interval_s > 0:
            self._threads.append(threading.Thread(target=self._sync, args=(sync_interval_s,), daemon=True))
        for thread in self._threads:
            thread.start()

    def put(self, stream: str, message: AnyMessage) -> None:
        size = _size(message)
        with self._changed:
            if len(self._queue) >= self._max_messages or self._queued_bytes + size > self._max_bytes:
                self._tally.drop(stream, QUEUE_FULL)
                return
            self._queue.append((stream, message))
            self._queued_bytes += size
            self._changed.notify()

    def finish(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        writer, *others = self._threads
        writer.join()
        self._finished.set()
        for thread in others:
            thread.join()

    def _write(self) -> None:
        noted = 0
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                if not self._queue:
                    return
                stream, message = self._queue.popleft()
                self._queued_bytes -= _size(message)
            append(self._journal, self._tally, stream, message)
            if self._tally.dropped_total() >= noted + self.COUNTS_EVERY_DROPS and not self._tally.fault:
                noted = self._tally.dropped_total()
                note_counts(self._journal, self._tally)

    def _sync(self, interval_s: float) -> None:
        # In a thread of its own: a disk may take longer to sync than a kill may lose.
        while not self._finished.wait(interval_s):
            try:
                self._journal.sync()
            except OSError as error:
                self._tally.fault = self._tally.fault or refusal(self._journal, error)
                return


def append(journal: JournalWriter, tally: Tally, stream: str, message: AnyMessage) -> None:
    """Write a message, or count it as dropped once the disk is full; what was written before stays whole."""
    if tally.fault:
        tally.drop(stream, DISK_FULL)
        return
    try:
        journal.append(stream, message)
    except OSError as error:
        tally.drop(stream, DISK_FULL)
        tally.fault = refusal(journal, error)
    except (TypeError, ValueError):
        tally.drop(stream, NOT_ENCODABLE)


def note_counts(journal: JournalWriter, tally: Tally) -> None:
    """Write the counts so far, as far as the disk allows."""
    try:
        journal.note_counts(tally.counts())
    except OSError as error:
        tally.fault = tally.fault or refusal(journal, error)


def refusal(journal: JournalWriter, error: OSError) -> str:
    """What to tell the operator when the journal takes no more."""
    what = "is full" if disk.is_full(error) else f"refuses to be written ({error.strerror})"
    return (
        f"{disk.describe(journal.path.parent)} {what}: recording to {journal.path} stopped after "
        f"{journal.bytes_written} bytes, all of them kept; free some space or record to another disk, then run "
        "`teleloom recover`"
    )


def _size(message: AnyMessage) -> int:
    return len(message.data) if isinstance(message, CameraFrame) else 0
