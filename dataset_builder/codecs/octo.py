"""Octo's action tokens: uniform bins that decode to their middles.

Source: `BinTokenizer` of Octo (Ghosh et al. 2024) with `bin_type="uniform"`: `bins + 1` edges from low to high, values
clipped to [low + 1e-6, high - 1e-6] so that each lies in a bin, decoded to the middle between the bin's edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.codecs.binned import BinnedCodec, UniformBins
from dataset_builder.codecs.vocabulary import Placement

EPSILON = 1e-6


class OctoCodec(BinnedCodec):
    """One token per action dimension.

    bins: how many. low, high: the range of every dimension. placement: where the tokens lie; by default they are the
    bins themselves.
    """

    name = "octo"

    def __init__(
        self, bins: int = 256, low: float = -1.0, high: float = 1.0, placement: Mapping[str, Any] | None = None
    ) -> None:
        if index(bins) < 1 or not 2.0 * EPSILON < high - low < np.inf:
            raise ValueError(f"octo needs at least 1 bin and low < high, not {bins} bins from {low} to {high}")
        self._low, self._high = float(low), float(high)
        edges = np.linspace(self._low, self._high, bins + 1)
        super().__init__((edges[1:] + edges[:-1]) / 2.0, Placement(placement, bins))
        self._uniform = UniformBins(edges)

    @property
    def options(self) -> dict[str, Any]:
        bins = len(self._levels)
        return {"bins": bins, "low": self._low, "high": self._high, "placement": self.placement.data}

    @property
    def bound(self) -> float:
        return (self._high - self._low) / (2.0 * len(self._levels))

    def bins(self, values: NDArray[np.float64]) -> NDArray[np.int32]:
        return self._uniform.above(np.clip(values, self._low + EPSILON, self._high - EPSILON)) - 1
