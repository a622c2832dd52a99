"""One sends, any number listen: publishers never wait for a subscriber, and a subscriber knows what it missed."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import Self

import zmq

from teleloom.bus.zmq.security import Curve, Endpoint
from teleloom.bus.zmq.wire import Faults, pack, unpack
from teleloom.messages import AnyMessage, BadMessageError

DEFAULT_ADDRESS = "tcp://127.0.0.1:*"
LATEST_QUEUE = 1000
CLOSING_S = 1.0


class _Publisher:
    """Binds at `address`; `.address` is where to connect. A subscriber that falls behind by `queue` loses messages."""

    def __init__(self, address: str, queue: int, curve: Curve | None) -> None:
        self._endpoint = Endpoint(zmq.XPUB, curve, linger_s=CLOSING_S)
        self._socket = self._endpoint.socket
        self._socket.sndhwm = queue
        self._socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        self._subscriptions = 0
        try:
            self.address = self._endpoint.bind(address)
        except (zmq.ZMQError, ValueError):
            self._endpoint.close()
            raise

    @property
    def refused_peers(self) -> int:
        """How often a peer with an unknown key was turned away."""
        return self._endpoint.guard.refused

    def publish(self, topic: str, message: AnyMessage) -> None:
        """Send `message` to all who listen now; never blocks. Raises BadMessageError when it is too large."""
        self._socket.send_multipart(pack(topic, message))

    def wait_for_subscriptions(self, count: int, timeout_s: float) -> bool:
        """Wait until at least `count` topic prefixes are listened to: what is published from then on reaches them."""
        deadline = time.monotonic() + timeout_s
        while True:
            while self._socket.poll(0):
                self._subscriptions += {b"\x01": 1, b"\x00": -1}.get(self._socket.recv()[:1], 0)
            if self._subscriptions >= count:
                return True
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0 or not self._socket.poll(math.ceil(remaining_s * 1000)):
                return False

    def close(self) -> None:
        """Stop publishing; what was published still reaches a subscriber that takes it within CLOSING_S."""
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Subscriber:
    """Connects to a publisher, now or when it appears, and listens to the topics that start with one of `topics`.

    `faults` counts what came in and was no message.
    """

    def __init__(self, address: str, topics: Sequence[str], queue: int, curve: Curve | None) -> None:
        self.faults = Faults()
        self._endpoint = Endpoint(zmq.SUB, curve)
        self._socket = self._endpoint.socket
        self._socket.rcvhwm = queue
        for topic in topics:
            self._socket.subscribe(topic)
        try:
            self.connect(address)
        except (zmq.ZMQError, ValueError):
            self._endpoint.close()
            raise

    def connect(self, address: str) -> None:
        """Listen to one more publisher."""
        self._endpoint.connect(address)

    def _next(self) -> tuple[str, AnyMessage] | None:
        """The next good message that is here already."""
        while True:
            try:
                return unpack(self._socket.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return None
            except BadMessageError as error:
                self.faults.add(str(error))

    def close(self) -> None:
        """Stop listening."""
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LatestPublisher(_Publisher):
    """Publishes what only counts while it is new, such as poses: little is queued for one who falls behind."""

    def __init__(self, address: str = DEFAULT_ADDRESS, curve: Curve | None = None) -> None:
        super().__init__(address, queue=32, curve=curve)


class LatestSubscriber(_Subscriber):
    """Gives the newest message of each topic; older ones that were not fetched in time are counted and dropped.

    `superseded`: per topic, how many.
    """

    def __init__(self, address: str, topics: Sequence[str] = ("",), curve: Curve | None = None) -> None:
        self.superseded: Counter[str] = Counter()
        super().__init__(address, topics, queue=LATEST_QUEUE, curve=curve)

    def poll(self, timeout_s: float = 0.0) -> dict[str, AnyMessage]:
        """The newest message of every topic that had one since the last call; waits up to `timeout_s` for the first."""
        self._socket.poll(round(timeout_s * 1000))
        newest: dict[str, AnyMessage] = {}
        for _ in range(LATEST_QUEUE):
            if (received := self._next()) is None:
                break
            topic, message = received
            self.superseded[topic] += topic in newest
            newest[topic] = message
        return newest


class StreamPublisher(_Publisher):
    """Publishes what is to be kept whole. `queue`: messages held for a subscriber that falls behind."""

    def __init__(self, address: str = DEFAULT_ADDRESS, curve: Curve | None = None, queue: int = 2000) -> None:
        super().__init__(address, queue, curve)


class StreamSubscriber(_Subscriber):
    """Gives every message in order and counts those that are missing.

    `lost`: per topic, the sequence numbers that were skipped. `restarts`: per topic, how often the numbers went back,
    which a source does that starts anew. What was sent before the first message received is not counted.
    """

    def __init__(
        self, address: str, topics: Sequence[str] = ("",), curve: Curve | None = None, queue: int = 2000
    ) -> None:
        self.lost: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self._last: dict[str, int] = {}
        super().__init__(address, topics, queue, curve)

    def receive(self, timeout_s: float = 0.0) -> tuple[str, AnyMessage] | None:
        """The next topic and message; None when there was none for `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while (received := self._next()) is None:
            if not self._socket.poll(math.ceil(max(0.0, deadline - time.monotonic()) * 1000)):
                return None
        self._count(received[0], received[1].seq)
        return received

    def _count(self, topic: str, seq: int) -> None:
        expected = self._last.get(topic, seq - 1) + 1
        self._last[topic] = seq
        if seq < expected:
            self.restarts[topic] += 1
        else:
            self.lost[topic] += seq - expected
