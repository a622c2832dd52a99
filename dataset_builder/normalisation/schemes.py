"""OpenVLA's q99 normalisation: the 1st and 99th percentiles of the training actions land on -1 and +1.

Source: `normalize_action_and_proprio` with BOUNDS_Q99 in OpenVLA. Dimensions whose mask is False pass through raw
(the gripper); then every dimension that never moved in training (min equals max), masked or not, becomes 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.normalisation.statistics import Statistics

EPSILON = 1e-8


def normalise_q99(actions: ArrayLike, statistics: Statistics) -> NDArray[np.float64]:
    """Actions (T, D) to [-1, 1]: `clip(2 (x - q01) / (q99 - q01 + 1e-8) - 1, -1, 1)` where the mask is True."""
    raw = np.asarray(actions, dtype=np.float64)
    scaled = 2.0 * (raw - statistics.q01) / (statistics.q99 - statistics.q01 + EPSILON) - 1.0
    normalised = np.where(statistics.mask, np.clip(scaled, -1.0, 1.0), raw)
    return np.where(statistics.minimum == statistics.maximum, 0.0, normalised)


def unnormalise_q99(actions: ArrayLike, statistics: Statistics) -> NDArray[np.float64]:
    """Back from [-1, 1]: `0.5 (y + 1) (q99 - q01) + q01` where the mask is True; what was clipped stays clipped.

    A dimension that never moved in training gets its one value back, also where the mask is False; OpenVLA returns 0
    there.
    """
    scaled = np.asarray(actions, dtype=np.float64)
    raw = 0.5 * (scaled + 1.0) * (statistics.q99 - statistics.q01) + statistics.q01
    restored = np.where(statistics.mask, raw, scaled)
    return np.where(statistics.minimum == statistics.maximum, statistics.minimum, restored)
