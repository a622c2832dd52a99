"""Actions in [-1, 1], as robomimic's policies end in a tanh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.exporting.episodes import Departure
from dataset_builder.manifest import BuildManifest


class Bounds:
    """The least and greatest values of each dimension of the train split's actions."""

    def __init__(self, manifest: BuildManifest) -> None:
        self._semantics = manifest.action
        self._joints = 0
        self._low: NDArray[np.float64] | None = None
        self._high: NDArray[np.float64] | None = None

    def widen(self, departure: Departure) -> None:
        """Take in an episode."""
        self._joints = departure.trajectory.joints.shape[1]
        low, high = departure.action.min(axis=0), departure.action.max(axis=0)
        self._low = low if self._low is None else np.minimum(self._low, low)
        self._high = high if self._high is None else np.maximum(self._high, high)

    def of(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What becomes -1 and what becomes +1."""
        assert self._low is not None
        assert self._high is not None
        largest = np.maximum(np.abs(self._low), np.abs(self._high))
        is_absolute = np.array(self._semantics.is_absolute(self._joints))
        return np.where(is_absolute, self._low, -largest), np.where(is_absolute, self._high, largest)


def scaled(
    actions: NDArray[np.float64], opening: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Actions (T, D) in [-1, 1]; a dimension that never moved becomes 0, and the last one is the gripper."""
    span = high - low
    scaled = np.where(span > 0, 2.0 * (actions - low) / np.where(span > 0, span, 1.0) - 1.0, 0.0)
    scaled[:, -1] = 1.0 - 2.0 * opening
    return np.clip(scaled, -1.0, 1.0)
