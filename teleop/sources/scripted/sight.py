"""What an operator sees: a few looks a second, each of which sinks in only a reaction time later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

ViewT = TypeVar("ViewT")


@dataclass(frozen=True)
class Glimpse(Generic[ViewT]):
    """One look: when it was taken, s, and what it showed."""

    taken_s: float
    view: ViewT


class Sight(Generic[ViewT]):
    """Looks at `rate_hz`; what a look showed is known `delay_s` later. Times are seconds of the operator's clock."""

    def __init__(self, look: Callable[[], ViewT], rate_hz: float, delay_s: float) -> None:
        self._look = look
        self._period_s = 1.0 / rate_hz
        self._delay_s = delay_s
        self._next_s = float("-inf")
        self._pending: deque[Glimpse[ViewT]] = deque()
        self.known: tuple[Glimpse[ViewT], ...] = ()
        """The newest known look, last, and the one before it; fewer at first."""

    def update(self, now_s: float) -> None:
        """Take a look if one is due, and understand those that are old enough."""
        if now_s >= self._next_s:
            self._pending.append(Glimpse(now_s, self._look()))
            self._next_s = now_s + self._period_s
        while self._pending and now_s - self._pending[0].taken_s >= self._delay_s:
            self.known = (*self.known[-1:], self._pending.popleft())
