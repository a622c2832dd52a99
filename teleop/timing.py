"""Pacing and lateness of a control loop, and where its time goes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from teleloom.clock import NS_PER_S, Clock

logger = logging.getLogger(__name__)

REPORT_TICKS = 120_000
WARN_EVERY_S = 5.0


@dataclass(frozen=True)
class StageTimes:
    """Median and 99th percentile of one stage, µs."""

    p50_us: float
    p99_us: float


@dataclass(frozen=True)
class TimingReport:
    """A run's pacing: ticks, those that began more than half a period late, and each stage's times."""

    ticks: int
    late: int
    worst_late_ms: float
    stages: dict[str, StageTimes]


class CycleTimer:
    """Keeps a loop on a fixed grid of instants. A late tick is counted; missed instants are skipped, never made up."""

    def __init__(self, clock: Clock, rate_hz: float, stages: Sequence[str]) -> None:
        self._clock = clock
        self._period_ns = round(NS_PER_S / rate_hz)
        self._next_ns = clock.now_ns()
        self._warned_ns = self._next_ns - round(WARN_EVERY_S * NS_PER_S)
        self._stages = tuple(stages)
        self._times: np.ndarray = np.zeros((REPORT_TICKS, len(self._stages)), dtype=np.int64)
        self._ticks = 0
        self._late = 0
        self._worst_ns = 0

    def wait(self) -> None:
        """Sleep until the next instant of the grid."""
        self._next_ns += self._period_ns
        self._clock.sleep_until(self._next_ns)
        now = self._clock.now_ns()
        lateness = now - self._next_ns
        if lateness <= self._period_ns // 2:
            return
        self._late += 1
        self._worst_ns = max(self._worst_ns, lateness)
        self._next_ns += lateness // self._period_ns * self._period_ns
        if now - self._warned_ns > WARN_EVERY_S * NS_PER_S:
            self._warned_ns = now
            logger.warning(
                "control tick %.1f ms late (period %.1f ms, %d late so far); close other programs or lower rate_hz",
                lateness / 1e6,
                self._period_ns / 1e6,
                self._late,
            )

    def record(self, latency_ns: Sequence[int]) -> None:
        """Keep one tick's time per stage; the newest REPORT_TICKS are reported."""
        self._times[self._ticks % REPORT_TICKS] = latency_ns
        self._ticks += 1

    def report(self) -> TimingReport:
        """Pacing and percentiles so far. A stage without a measurement (negative) in a tick is left out of its own."""
        kept = self._times[: min(self._ticks, REPORT_TICKS)]
        stages = {}
        for column, stage in enumerate(self._stages):
            times = kept[:, column]
            times = times[times >= 0] / 1e3
            p50, p99 = np.percentile(times, (50, 99)) if times.size else (0.0, 0.0)
            stages[stage] = StageTimes(float(p50), float(p99))
        return TimingReport(self._ticks, self._late, self._worst_ns / 1e6, stages)
