"""Figures of the whole team that take a while: made once for everybody, and kept for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from review_ui.app.seat import Seat
from review_ui.service import ReviewService

T = TypeVar("T")


class _Memory:
    """What one service's figures were. Who asks while another makes the figure waits for it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._kept: dict[str, tuple[float, Any]] = {}

    def get(self, name: str, seconds: float, make: Callable[[], T]) -> T:
        with self._guard:
            making = self._making.setdefault(name, threading.Lock())
        with making:
            made_s, value = self._kept.get(name, (-float("inf"), None))
            if time.monotonic() - made_s > seconds:
                value = make()
                self._kept[name] = (time.monotonic(), value)
            found: T = value
            return found

    def clear(self) -> None:
        self._kept.clear()


_guard = threading.Lock()
_memories: WeakKeyDictionary[ReviewService, _Memory] = WeakKeyDictionary()


def remembered(seat: Seat, name: str, seconds: float, make: Callable[[], T]) -> T:
    """What `make` gave for the figure `name`, of whoever asked, made anew when it is older than `seconds`."""
    return _memory(seat).get(name, seconds, make)


def forget(seat: Seat) -> None:
    """Make every figure anew at its next use: something was written."""
    _memory(seat).clear()


def _memory(seat: Seat) -> _Memory:
    with _guard:
        return _memories.setdefault(seat.service, _Memory())
