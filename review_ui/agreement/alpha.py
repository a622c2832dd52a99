"""Krippendorff's α: agreement beyond chance, for any number of raters and with ratings missing."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Level = Literal["nominal", "ordinal", "interval"]


class TooLittleError(ValueError):
    """The ratings do not determine a figure. The message says what is missing."""


def alpha(ratings: NDArray[np.float64], level: Level) -> float:
    """α = 1 − D_o/D_e: 1 is perfect agreement, 0 what chance gives, below 0 less than that.

    ratings: (raters, units), NaN where a rater did not rate. level: "nominal" (different or not), "ordinal" (ranks)
    or "interval" (differences of numbers). Units with fewer than two ratings say nothing and are left out.

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, section D: with the coincidences o_ck, their
    marginals n_c, their sum n and the differences δ²_ck, α = 1 − (n − 1)·Σ o_ck·δ²_ck / Σ n_c·n_k·δ²_ck.

    Raises TooLittleError where no unit has two ratings, or all ratings are the same.
    """
    values, counts = _counts(ratings)
    coincidences = _coincidences(counts)
    marginals = coincidences.sum(axis=0)
    difference = _difference(values, marginals, level)
    expected = float((np.outer(marginals, marginals) * difference).sum())
    if expected == 0.0:
        raise TooLittleError(f"all ratings are {values[0]:g}, so chance alone would agree as often")
    observed = float((coincidences * difference).sum())
    return 1.0 - (float(marginals.sum()) - 1.0) * observed / expected


def _counts(ratings: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The values that were given, (values,) ascending, and how often to each pairable unit, (units, values)."""
    rated = ~np.isnan(ratings)
    pairable = ratings[:, rated.sum(axis=0) >= 2]
    if pairable.size == 0:
        raise TooLittleError("nothing was rated by two people")
    values = np.unique(pairable[~np.isnan(pairable)])
    return values, (pairable[:, :, None] == values).sum(axis=0).astype(np.float64)


def _coincidences(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """o_ck, (values, values): pairs of ratings of one unit, each unit's m·(m − 1) ordered pairs weighing m."""
    weight = 1.0 / (counts.sum(axis=1) - 1.0)
    pairs: NDArray[np.float64] = (counts * weight[:, None]).T @ counts
    return pairs - np.diag((counts * weight[:, None]).sum(axis=0))


def _difference(values: NDArray[np.float64], marginals: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """δ²_ck, (values, values)."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        return np.square(values[:, None] - values[None, :])
    # Ordinal: the ratings that lie between c and k, half of those at c and at k: a difference of mid-ranks.
    mid_ranks = np.cumsum(marginals) - marginals / 2.0
    return np.square(mid_ranks[:, None] - mid_ranks[None, :])
