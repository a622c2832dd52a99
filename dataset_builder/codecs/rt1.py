"""RT-1's action tokens: a truncating division of the range into `bins` levels.

Source: `RT1ActionTokenizer` (Brohan et al. 2022): `int32((clip(a) - low) / (high - low) * (bins - 1))`, decoded as
`token / (bins - 1) * (high - low) + low`. Because it truncates, the decoded action is on average half a level too low;
the top level is reached by `high` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.codecs.binned import BinnedCodec
from dataset_builder.codecs.vocabulary import Placement


class Rt1Codec(BinnedCodec):
    """One token per action dimension.

    bins: RT-1's vocabulary size. low, high: the range of every dimension; the contract's [-1, 1] unless actions stay
    raw. placement: where the tokens lie; by default they are the levels themselves.
    """

    name = "rt1"

    def __init__(
        self, bins: int = 256, low: float = -1.0, high: float = 1.0, placement: Mapping[str, Any] | None = None
    ) -> None:
        if index(bins) < 2 or not 0.0 < high - low < np.inf:
            raise ValueError(f"rt1 needs at least 2 bins and low < high, not {bins} bins from {low} to {high}")
        self._low, self._high = float(low), float(high)
        levels = np.arange(bins, dtype=np.float64) / (bins - 1) * (self._high - self._low) + self._low
        super().__init__(levels, Placement(placement, bins))

    @property
    def options(self) -> dict[str, Any]:
        bins = len(self._levels)
        return {"bins": bins, "low": self._low, "high": self._high, "placement": self.placement.data}

    @property
    def bound(self) -> float:
        return (self._high - self._low) / (len(self._levels) - 1)

    def bins(self, values: NDArray[np.float64]) -> NDArray[np.int32]:
        share = (np.clip(values, self._low, self._high) - self._low) / (self._high - self._low)
        return (share * (len(self._levels) - 1)).astype(np.int32)
