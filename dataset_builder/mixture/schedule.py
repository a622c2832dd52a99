"""Which source each sample of the stream comes from, as arithmetic on the sample's number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dataset_builder.mixture.chance import generator

_BLOCK = 1000
_DENOMINATOR = 10**9


class Fork:
    """Parts a stream in two. Of the first b blocks, `round(b * block * share)` samples go left: what rounding owes one
    block is carried to the next, so a block has floor or ceil of its due. Which of a block's samples they are is
    random; either side is numbered in the order of the stream."""

    def __init__(self, share: float, block: int, *key: str | int) -> None:
        """Raises ValueError for a share so near to 0 or 1 that one side would stay empty."""
        self.share = Fraction(share).limit_denominator(_DENOMINATOR)
        if not 0 < self.share < 1:
            raise ValueError(f"a share of {share:.3g} against {1 - share:.3g} leaves one of them without samples")
        self.block, self._key = block, key
        self._sides = lru_cache(maxsize=16)(self._sides_of)

    def at(self, number: int) -> tuple[bool, int]:
        """Whether sample `number` goes left, and its number among those of its side."""
        block, place = divmod(number, self.block)
        goes_left, lefts = self._sides(block)
        left = self._left(block) + int(lefts[place])
        return bool(goes_left[place]), left if goes_left[place] else number - left

    def _sides_of(self, block: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """(block,) which samples of a block go left, and how many did so before each."""
        # Raw bits, as only those are the same with every version of numpy.
        order = np.argsort(generator(*self._key, block).bit_generator.random_raw(self.block), kind="stable")
        goes_left = order < self._left(block + 1) - self._left(block)
        return goes_left, np.cumsum(goes_left) - goes_left

    def _left(self, blocks: int) -> int:
        exact = blocks * self.block * self.share
        return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


@dataclass(frozen=True)
class Leaf:
    """All that arrives here comes from one source."""

    source: int

    def at(self, number: int) -> tuple[int, int]:
        return self.source, number

    def share(self, source: int) -> Fraction:
        return Fraction(int(source == self.source))


@dataclass(frozen=True)
class Branch:
    """A fork and what lies on both sides."""

    fork: Fork
    left: Branch | Leaf
    right: Branch | Leaf

    def at(self, number: int) -> tuple[int, int]:
        """The source of sample `number`, and its number among that source's draws."""
        goes_left, rest = self.fork.at(number)
        return (self.left if goes_left else self.right).at(rest)

    def share(self, source: int) -> Fraction:
        """The share of `source` in the long run."""
        share = self.fork.share
        return share * self.left.share(source) + (1 - share) * self.right.share(source)


Schedule = Branch | Leaf


def schedule(
    robots: Mapping[int, float], others: Mapping[int, float], robot_share: float, exact_in: int | None, *key: str | int
) -> Schedule:
    """The schedule of sources with these relative weights, `robot_share` of the samples from `robots`.

    exact_in: the batch size in whose every batch the robot share is to be exact (its due to the nearest whole sample,
    the rest carried); None mixes at random, exact over each 1000 samples. With sources of one kind only, they get
    everything.
    """
    if not robots or not others:
        return _among(list((robots or others).items()), *key)
    fork = Fork(robot_share, exact_in or _BLOCK, *key, "robots")
    return Branch(fork, _among(list(robots.items()), *key, "robot"), _among(list(others.items()), *key, "other"))


def _among(weights: Sequence[tuple[int, float]], *key: str | int) -> Schedule:
    if len(weights) == 1:
        return Leaf(weights[0][0])
    middle = len(weights) // 2
    parts = weights[:middle], weights[middle:]
    left, right = (sum(weight for _, weight in part) for part in parts)
    fork = Fork(left / (left + right), _BLOCK, *key, weights[0][0], weights[-1][0])
    return Branch(fork, _among(parts[0], *key), _among(parts[1], *key))
