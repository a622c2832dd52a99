"""How far two people who cut the same episode into segments cut it at the same times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BoundaryMatch:
    """Boundaries of the one and of the other, and how many of them were matched one to one. Adds up over episodes."""

    first: int = 0
    second: int = 0
    matched: int = 0

    def __add__(self, other: BoundaryMatch) -> BoundaryMatch:
        return BoundaryMatch(self.first + other.first, self.second + other.second, self.matched + other.matched)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, 2·matched/(first + second); 1 where neither has a boundary."""
        total = self.first + self.second
        return 2.0 * self.matched / total if total else 1.0


def segment_boundaries(segments: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """The times at which segments (start_ns, end_ns) begin or end, ascending; where two touch, once. (boundaries,)."""
    return np.unique(np.array([time for segment in segments for time in segment], dtype=np.int64))


def match_boundaries(first: NDArray[np.int64], second: NDArray[np.int64], tolerance_ns: int) -> BoundaryMatch:
    """Match each boundary with at most one of the other's, at most `tolerance_ns` away; as many as can be.

    first, second: (boundaries,) ascending, ns. On a line, taking the earliest pair that fits never costs a later one,
    so one pass finds the greatest matching.
    """
    matched = at_first = at_second = 0
    while at_first < len(first) and at_second < len(second):
        apart = int(first[at_first]) - int(second[at_second])
        if abs(apart) <= tolerance_ns:
            matched += 1
        at_first += apart <= tolerance_ns
        at_second += apart >= -tolerance_ns
    return BoundaryMatch(len(first), len(second), matched)
