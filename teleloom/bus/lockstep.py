"""The bus of one process in lockstep: simulation and tests, where the same inputs must give the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from teleloom.messages import AnyMessage

Callback = Callable[[str, AnyMessage], None]


class LockstepBus:
    """Calls the subscribers of a topic before `publish` returns, in the order in which they subscribed.

    Every subscriber sees the messages in the order of publication, also when a callback publishes: its message is
    delivered after the one that is under way, by the outermost `publish`. An error in a callback reaches that
    `publish`; messages that still waited are delivered by the next one. Not for use from several threads.
    """

    def __init__(self) -> None:
        self._subscribers: dict[object, tuple[str, Callback]] = {}
        self._waiting: deque[tuple[str, AnyMessage]] = deque()
        self._delivering = False

    def publish(self, topic: str, message: AnyMessage) -> None:
        """Deliver `message` to every subscriber whose prefix `topic` starts with."""
        self._waiting.append((topic, message))
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._waiting:
                self._deliver(*self._waiting.popleft())
        finally:
            self._delivering = False

    def subscribe(self, prefix: str, callback: Callback) -> Callable[[], None]:
        """Have `callback(topic, message)` called for topics that start with `prefix` ("" for all).

        Returns the function that ends the subscription; calling it again does nothing.
        """
        key = object()
        self._subscribers[key] = (prefix, callback)

        def unsubscribe() -> None:
            self._subscribers.pop(key, None)

        return unsubscribe

    def _deliver(self, topic: str, message: AnyMessage) -> None:
        for key, (prefix, callback) in list(self._subscribers.items()):
            if topic.startswith(prefix) and key in self._subscribers:
                callback(topic, message)
