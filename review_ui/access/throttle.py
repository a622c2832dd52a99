"""So many wrong tries per address and minute, then a pause."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

TRIES = 10
WINDOW_S = 60.0
ADDRESSES = 4096


class Throttle:
    """Counts wrong tries. now: seconds of a clock that never goes back."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: dict[str, deque[float]] = {}

    def wait_s(self, address: str) -> float:
        """How long this address has to wait before its next try; 0 when it may try now."""
        wrong = self._recent(address)
        return wrong[0] + WINDOW_S - self._now() if len(wrong) >= TRIES else 0.0

    def count(self, address: str) -> None:
        """One wrong try. The address heard of longest ago makes room when there are too many."""
        wrong = self._recent(address)
        wrong.append(self._now())
        self._wrong.pop(address, None)
        self._wrong[address] = wrong
        if len(self._wrong) > ADDRESSES:
            del self._wrong[next(iter(self._wrong))]

    def _recent(self, address: str) -> deque[float]:
        wrong = self._wrong.get(address, deque(maxlen=TRIES))
        while wrong and wrong[0] <= self._now() - WINDOW_S:
            wrong.popleft()
        return wrong
