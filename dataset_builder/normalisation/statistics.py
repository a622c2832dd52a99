"""Statistics of actions and proprioception over the steps of the train split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Per dimension (D,) float64; mask (D,) bool is False where normalisation leaves the value alone.

    q01 and q99 are `np.quantile` with linear interpolation, as OpenVLA computes them. Minimum and maximum are NaN when
    they were read from a file that does not have them.
    """

    mean: Array
    std: Array
    minimum: Array
    maximum: Array
    q01: Array
    q99: Array
    mask: NDArray[np.bool_]

    @classmethod
    def of(cls, values: ArrayLike, mask: Sequence[bool] | None = None) -> Statistics:
        """Statistics of values (N, D), in float64. Raises ValueError when there are none.

        Exact quantiles need every value: a million steps of 7 float32 are 28 MB, and one dimension at a time is copied.
        """
        rows = np.asarray(values)
        if rows.ndim != 2 or not rows.size:
            raise ValueError(f"statistics need at least one row of values, got shape {rows.shape}")
        chosen = np.ones(rows.shape[1], dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
        if chosen.shape != rows.shape[1:]:
            raise ValueError(f"the mask says of {len(chosen)} dimensions which are scaled; there are {rows.shape[1]}")
        figures = np.array([_figures(rows[:, d].astype(np.float64)) for d in range(rows.shape[1])])
        mean, std, minimum, maximum, q01, q99 = np.ascontiguousarray(figures.T)
        return cls(mean, std, minimum, maximum, q01, q99, chosen)

    def to_json(self) -> dict[str, Any]:
        """OpenVLA's names, without what is not known; JSON's shortest decimal form of a float64 reads back as the same
        float64."""
        named = {"min": self.minimum, "max": self.maximum, "mean": self.mean, "std": self.std}
        named |= {"q01": self.q01, "q99": self.q99}
        known = {name: values.tolist() for name, values in named.items() if not np.isnan(values).any()}
        return known | {"mask": self.mask.tolist()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Statistics:
        """Back from `to_json`. Raises KeyError when another statistic than min and max is missing."""
        unknown = {"min": np.full(len(document["mask"]), np.nan), "max": np.full(len(document["mask"]), np.nan)}
        figures = {**unknown, **document}
        names = ("mean", "std", "min", "max", "q01", "q99")
        mean, std, minimum, maximum, q01, q99 = (np.asarray(figures[name], dtype=np.float64) for name in names)
        return cls(mean, std, minimum, maximum, q01, q99, np.asarray(document["mask"], dtype=bool))


def _figures(column: Array) -> tuple[float, ...]:
    q01, q99 = np.quantile(column, [0.01, 0.99])
    return column.mean(), column.std(), column.min(), column.max(), q01, q99
