"""Where a condition holds: runs of true values, as index pairs and as times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]
Span = tuple[int, int]


def runs(mask: Mask) -> NDArray[np.int64]:
    """The runs of true values as (K, 2) index pairs [first, last], both inclusive."""
    edges = np.diff(np.concatenate(([0], np.asarray(mask, dtype=np.int8), [0])))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1], axis=1)


def time_spans(mask: Mask, t_ns: Times, at_least_s: float = 0.0) -> list[tuple[int, int]]:
    """The runs of true values as [start_ns, end_ns], those at least this long; `mask` and `t_ns` are both (N,)."""
    spans = [(int(t_ns[first]), int(t_ns[last])) for first, last in runs(mask)]
    return [(start, end) for start, end in spans if (end - start) >= at_least_s * 1e9]


def longest(spans: Sequence[Span]) -> Span:
    """The longest of them, the first of equals; at least one."""
    return max(spans, key=lambda span: span[1] - span[0])


def without_gaps(mask: Mask, samples: int) -> Mask:
    """The mask with every run of false values shorter than `samples` made true that lies between true ones."""
    filled = mask.copy()
    for first, last in runs(~mask):
        if first > 0 and last < len(mask) - 1 and last - first + 1 < samples:
            filled[first : last + 1] = True
    return filled


def densest(start_ns: Times, end_ns: Times, weights: Array, apart_s: float) -> Span:
    """Where most of it happened: events [start, end] (K,) that follow within `apart_s` of one another are taken as
    one, and the one of greatest total weight is given. In time order; K at least 1.
    """
    breaks = np.flatnonzero(start_ns[1:] - end_ns[:-1] > apart_s * 1e9) + 1
    firsts = np.concatenate(([0], breaks))
    lasts = np.concatenate((breaks, [len(start_ns)])) - 1
    heaviest = int(np.argmax(np.add.reduceat(weights, firsts)))
    return int(start_ns[firsts[heaviest]]), int(end_ns[lasts[heaviest]])


def busiest(values: Array, t_ns: Times, samples: int) -> tuple[Span, float]:
    """The window of `samples` consecutive `values` (N,) whose mean is greatest, and that mean.

    `t_ns` (N,) are their times; N at least 1. The whole where there are fewer.
    """
    samples = max(1, min(samples, len(values)))
    total = np.concatenate(([0.0], np.cumsum(values)))
    means = (total[samples:] - total[:-samples]) / samples
    first = int(np.argmax(means))
    return (int(t_ns[first]), int(t_ns[first + samples - 1])), float(means[first])
