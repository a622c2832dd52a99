"""Episodes that are nearly the same: for each the nearest other one, by the way of the tool and by duration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

BLOCK = 1024
TIME_M = 0.05
"""What a difference in duration counts for, m per unit of its natural logarithm: 10% is as much as 5 mm of way."""


def nearest(ways: Array, durations_s: Array) -> tuple[Array, Indices]:
    """The nearest other episode of each: its distance, m, and its index, both (N,); N at least 2.

    ways: (N, P, D) m. durations_s: (N,), positive. The distance is the root mean square over the P points of how far
    the two are apart, and the difference of the logarithms of the durations with it. Done in blocks of rows: memory
    grows with N, time with N².
    """
    points = ways.shape[1]
    flat = ways.reshape(len(ways), -1) / np.sqrt(points)
    placed = np.column_stack([flat, TIME_M * np.log(np.maximum(durations_s, 1e-3))])
    placed = (placed - placed.mean(axis=0)).astype(np.float32)
    squared = np.einsum("nd,nd->n", placed, placed)
    best, other = np.empty(len(placed), dtype=np.float64), np.empty(len(placed), dtype=np.int64)
    for first in range(0, len(placed), BLOCK):
        rows = np.arange(first, min(first + BLOCK, len(placed)))
        apart = placed[rows] @ placed.T
        apart *= -2.0
        apart += squared
        apart[np.arange(len(rows)), rows] = np.inf
        other[rows] = np.argmin(apart, axis=1)
    # What the blocks compare loses digits where two are nearly the same; the winners are measured again in full.
    best = np.linalg.norm(placed - placed[other], axis=1).astype(np.float64)
    return best, other
