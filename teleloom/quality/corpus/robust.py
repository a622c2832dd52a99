"""How far a figure lies on the wrong side of what is usual, by medians: a few bad episodes do not move the scale."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Side = Literal["high", "low", "both"]

SIGMA_PER_MAD = 1.0 / 0.6745
FEW = 8.0
"""A group of so many episodes tells its own spread half as well as a large one; see `widening`."""

OUTLIER_Z = 3.5
"""From here on a robust z is an outlier (Iglewicz and Hoaglin 1993)."""

TUKEY = 1.5


def widening(count: int) -> float:
    """By what the spread of a group of `count` is taken to be wider than it looks: 2 for eight, 1.04 for forty."""
    return 1.0 + (FEW / max(1, count)) ** 2


def badness(values: Array, side: Side, floor: float) -> Array:
    """Robust z of `values` (N,) towards the bad side: 0.6745·(x - median)/MAD, NaN where the value is NaN.

    side: where it is bad to lie. For "high" and "low" the MAD is that of the half on that side of the median, so that
    a long harmless tail hides nothing. floor: the least spread, as a standard deviation in the values' unit; figures
    that all agree would make an outlier of any that does not.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(len(values), np.nan)
    deviation = values - np.median(known)
    deviation = {"high": deviation, "low": -deviation, "both": np.abs(deviation)}[side]
    outward = deviation[deviation >= 0.0]
    spread = max(SIGMA_PER_MAD * float(np.median(outward)), floor) * widening(len(known))
    return np.asarray(deviation / spread)


def fences(values: Array, floor_share: float) -> tuple[float, float, float]:
    """Tukey's fences of finite `values` (N,): Q1 - 1.5 IQR and Q3 + 1.5 IQR, and the IQR used.

    floor_share: the least IQR, as a share of the median.
    """
    low, middle, high = np.percentile(values, (25, 50, 75))
    spread = max(high - low, floor_share * abs(middle)) * widening(len(values))
    return float(low - TUKEY * spread), float(high + TUKEY * spread), float(spread)


def weight_of(z: float) -> float:
    """How sure a robust z is to be a fault, 0..1: a quarter at 3.5, a half at 5.5, nine tenths from 12 on."""
    return float(np.clip(1.0 - 2.0 ** (-(z - 2.0) / 3.5), 0.0, 0.95))
