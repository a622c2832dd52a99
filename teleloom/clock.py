"""One clock for everything that is recorded: host time in int64 nanoseconds of CLOCK_MONOTONIC."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class ClockAnchor:
    """One instant read on both clocks: the only place where wall time meets the recorded time.

    monotonic_ns: CLOCK_MONOTONIC, int ns. wall_ns: ns since the Unix epoch, UTC.
    """

    monotonic_ns: int
    wall_ns: int

    def wall_at(self, t_ns: int) -> int:
        """Wall time in ns since the Unix epoch at the monotonic time `t_ns`."""
        return self.wall_ns + (t_ns - self.monotonic_ns)


class Clock(Protocol):
    """Where the station's time comes from: the machine, or a simulation in lockstep."""

    def now_ns(self) -> int:
        """The current time, int ns."""
        ...

    def sleep_until(self, t_ns: int) -> None:
        """Return at `t_ns` or at once if that has passed."""
        ...

    def anchor(self) -> ClockAnchor:
        """The pair of monotonic and wall time that an episode's metadata keeps."""
        ...


class MonotonicClock:
    """The machine's CLOCK_MONOTONIC."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until(self, t_ns: int) -> None:
        remaining = t_ns - time.monotonic_ns()
        if remaining > 0:
            time.sleep(remaining / NS_PER_S)

    def anchor(self) -> ClockAnchor:
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        return ClockAnchor(monotonic_ns=(before + after) // 2, wall_ns=wall)


class VirtualClock:
    """A simulation's time: it moves only when told, so the same seed gives the same bytes."""

    def __init__(self, start_ns: int = 0, wall_ns: int = 0) -> None:
        self._now_ns = start_ns
        self._anchor = ClockAnchor(monotonic_ns=start_ns, wall_ns=wall_ns)

    def now_ns(self) -> int:
        return self._now_ns

    def sleep_until(self, t_ns: int) -> None:
        self._now_ns = max(self._now_ns, t_ns)

    def anchor(self) -> ClockAnchor:
        return ClockAnchor(self._now_ns, self._anchor.wall_at(self._now_ns))
