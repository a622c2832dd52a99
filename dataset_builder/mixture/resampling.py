"""An epoch over weighted items, each as often as its weight says to the nearest whole number, in no memory to speak of.

Systematic (low-variance) resampling: the items lie on a line, each as long as its weight, and a comb of evenly spaced
teeth is laid over it, moved by a random offset. An item under c teeth on average is under floor(c) or ceil(c) of them;
all weights equal means each exactly once. Everything is integers, so this holds to the last item of 10^9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.mixture.chance import number, permutation

_UNIT = 1 << 20
_MOST = 1000
_CHUNK = 1 << 20


class NothingToDrawError(ValueError):
    """No item of a source has a weight above 0."""


class Runs:
    """Items in runs of equal weight. starts: (R,) first item of each run; weights: (R,); count: items in all."""

    def __init__(self, starts: NDArray[np.int64], weights: NDArray[np.float64], count: int) -> None:
        self.starts, self.weights, self.count = starts, weights, count
        self.lengths = np.diff(np.append(starts, count))

    @classmethod
    def of(cls, weights: NDArray[Any], breaks: Sequence[int] | NDArray[np.int64] = ()) -> Runs:
        """The runs of weights (N,), with a new run at each of `breaks` too. Reads `weights`, which may lie on disk, a
        piece at a time."""
        starts = [np.asarray([0, *breaks], dtype=np.int64)]
        for first in range(0, len(weights), _CHUNK):
            piece = np.asarray(weights[first : first + _CHUNK + 1])
            starts.append(np.flatnonzero(piece[1:] != piece[:-1]) + first + 1)
        found = np.unique(np.concatenate(starts))
        found = found[found < len(weights)]
        return cls(found, np.asarray(weights[found], dtype=np.float64), len(weights))

    def balanced(self, groups: NDArray[np.int64]) -> Runs:
        """The same total weight, an equal share of it to each group. groups: (R,) the group of each run. A group whose
        weights are all 0 stays at 0 and gets no share."""
        _, group = np.unique(groups, return_inverse=True)
        mass = np.bincount(group, self.weights * self.lengths)
        shared = mass.sum() / max(1, np.count_nonzero(mass))
        factor = np.divide(shared, mass, out=np.zeros_like(mass), where=mass > 0)
        return Runs(self.starts, self.weights * factor[group], self.count)

    def typical(self) -> float:
        """The median weight of the items that have one."""
        order = np.argsort(self.weights)
        weights, lengths = self.weights[order], self.lengths[order] * (self.weights[order] > 0)
        if not lengths.any():
            raise NothingToDrawError("no item has a weight above 0")
        return float(weights[np.searchsorted(np.cumsum(lengths), lengths.sum() / 2)])


class Resampling:
    """The draws of one source, epoch after epoch. length: draws in an epoch.

    The typical (median) weight stands for one occurrence an epoch: where most steps have weight 1 and corrections 3,
    each correction occurs three times. None occurs more than 1000 times; where weights lie farther apart than that, the
    typical one occurs in some epochs only.
    """

    def __init__(self, runs: Runs, *key: str | int) -> None:
        self._key = key
        self._starts = runs.starts
        one = max(runs.typical(), float(runs.weights.max()) / _MOST)
        self._weights = np.rint(runs.weights / one * _UNIT).astype(np.int64)
        self._ends = np.cumsum(self._weights * runs.lengths)
        self._total = int(self._ends[-1])
        if not self._total:
            raise NothingToDrawError("no item has a weight above 0")
        self.length = max(1, round(self._total / _UNIT))

    def at(self, draw: int) -> tuple[int, int]:
        """The epoch and the item of the source's draw number `draw`, counted from 0 over all epochs."""
        epoch, place = divmod(draw, self.length)
        tooth = permutation(self.length, *self._key, "order", epoch)[place]
        return epoch, self._under(tooth, number(*self._key, "offset", epoch) % self._total)

    def _under(self, tooth: int, offset: int) -> int:
        where = (tooth * self._total + offset) // self.length
        run = int(np.searchsorted(self._ends, where, side="right"))
        before = int(self._ends[run - 1]) if run else 0
        return int(self._starts[run]) + (where - before) // int(self._weights[run])
