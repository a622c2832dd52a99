"""Statistics of actions and proprioception over the steps of the train split, in the form OpenVLA keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
ACTION_MASK = (True,) * 6 + (False,)


@dataclass(frozen=True)
class Statistics:
    """Per dimension (D,) float64; mask (D,) bool is False where normalisation leaves the value alone.

    q01 and q99 are `np.quantile` with linear interpolation, as OpenVLA computes them.
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
        """Statistics of values (N, D). Raises ValueError when there are none."""
        rows = np.asarray(values, dtype=np.float64)
        if rows.ndim != 2 or not len(rows):
            raise ValueError(f"statistics need at least one row of values, got shape {rows.shape}")
        q01, q99 = np.quantile(rows, [0.01, 0.99], axis=0)
        chosen = np.ones(rows.shape[1], dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
        return cls(rows.mean(axis=0), rows.std(axis=0), rows.min(axis=0), rows.max(axis=0), q01, q99, chosen)

    def to_json(self) -> dict[str, Any]:
        """OpenVLA's names; JSON's shortest decimal form of a float64 reads back as the same float64."""
        named = {"min": self.minimum, "max": self.maximum, "mean": self.mean, "std": self.std}
        named |= {"q01": self.q01, "q99": self.q99}
        return {name: values.tolist() for name, values in named.items()} | {"mask": self.mask.tolist()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Statistics:
        """Raises KeyError when a statistic is missing."""
        names = ("mean", "std", "min", "max", "q01", "q99")
        mean, std, minimum, maximum, q01, q99 = (np.asarray(document[name], dtype=np.float64) for name in names)
        return cls(mean, std, minimum, maximum, q01, q99, np.asarray(document["mask"], dtype=bool))


def statistics_document(
    name: str, actions: Sequence[ArrayLike], states: Sequence[ArrayLike]
) -> tuple[Statistics, dict[str, Any]]:
    """The action statistics, and the content of `dataset_statistics.json` for the dataset `name`.

    actions: (T, 7) per train episode. states: (T, 8) per train episode.
    """
    action = Statistics.of(np.concatenate(actions), ACTION_MASK)
    proprio = Statistics.of(np.concatenate(states))
    document = {
        "action": action.to_json(),
        "proprio": proprio.to_json(),
        "num_transitions": sum(len(np.asarray(rows)) for rows in actions),
        "num_trajectories": len(actions),
    }
    return action, {name: document}
