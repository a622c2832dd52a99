"""Whether samples came when they were due: rate, jitter, losses, gaps, and how far frames lie from states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]


@dataclass(frozen=True)
class StreamTiming:
    """One stream's timing, from its recorded times alone.

    rate_hz: 1/median(Δt). jitter: MAD(Δt)/median(Δt), no unit. drops: Σ max(0, round(Δt/median) - 1), samples that were
    due and are not there. lost: sequence numbers skipped. worst_gap_ns: the largest Δt, starting at
    worst_gap_at_ns. backwards: samples whose time does not rise above the one before.
    """

    samples: int
    rate_hz: float = 0.0
    jitter: float = 0.0
    drops: int = 0
    lost: int = 0
    worst_gap_ns: int = 0
    worst_gap_at_ns: int = 0
    backwards: int = 0

    @property
    def drop_share(self) -> float:
        """Dropped samples of all that were due."""
        return self.drops / max(1, self.samples + self.drops)


def stream_timing(t_ns: Times, seq: NDArray[np.int64]) -> StreamTiming:
    """Measure a stream's times (N,) and sequence numbers (N,)."""
    if len(t_ns) < 2:
        return StreamTiming(samples=len(t_ns))
    gaps = np.diff(t_ns)
    period = float(np.median(gaps))
    lost = int(np.maximum(np.diff(seq) - 1, 0).sum())
    worst = int(np.argmax(gaps))
    backwards = int(np.count_nonzero(gaps <= 0))
    if period <= 0.0:
        return StreamTiming(samples=len(t_ns), lost=lost, backwards=backwards)
    return StreamTiming(
        samples=len(t_ns),
        rate_hz=1e9 / period,
        jitter=float(np.median(np.abs(gaps - period))) / period,
        drops=int(np.maximum(np.rint(gaps / period) - 1.0, 0.0).sum()),
        lost=lost,
        worst_gap_ns=int(gaps[worst]),
        worst_gap_at_ns=int(t_ns[worst]),
        backwards=backwards,
    )


def holes(t_ns: Times) -> tuple[Times, Times, NDArray[np.float64]]:
    """Where samples that were due are not there: start and end of each hole, ns, and how many it lacks, each (K,)."""
    gaps = np.diff(t_ns)
    period = float(np.median(gaps)) if len(gaps) else 0.0
    if period <= 0.0:
        return t_ns[:0], t_ns[:0], np.empty(0)
    lost = np.maximum(np.rint(gaps / period) - 1.0, 0.0)
    where = np.flatnonzero(lost)
    return t_ns[where], t_ns[where + 1], lost[where]


def nearest_distance(t_ns: Times, reference_ns: Times) -> Times:
    """How far, ns, each time (N,) lies from the nearest of the rising reference times (M,), M at least 1."""
    right = np.clip(np.searchsorted(reference_ns, t_ns), 0, len(reference_ns) - 1)
    left = np.maximum(right - 1, 0)
    nearest: Times = np.minimum(np.abs(reference_ns[right] - t_ns), np.abs(reference_ns[left] - t_ns))
    return nearest


def gaps_longer_than(t_ns: Times, limit_s: float) -> list[tuple[int, int]]:
    """The silences [start_ns, end_ns] between consecutive samples that last longer than `limit_s`."""
    long = np.flatnonzero(np.diff(t_ns) > limit_s * 1e9)
    return [(int(t_ns[i]), int(t_ns[i + 1])) for i in long]
