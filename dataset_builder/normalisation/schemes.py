"""The ways of scaling raw actions to [-1, 1] by the statistics of the training data, and back.

Sources: `normalize_action_and_proprio` of OpenVLA (q99 is its BOUNDS_Q99, bounds its BOUNDS, zscore its NORMAL; Octo's
"bounds" is q99) and `Normalize` of openpi. Dimensions whose mask is False pass through raw (the gripper), except in
openpi's scheme, which knows no mask. With q99 and bounds every dimension that never moved in training (minimum equals
maximum), masked or not, becomes 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.normalisation.choice import Scheme
from dataset_builder.normalisation.statistics import Statistics

EPSILON = 1e-8
OPENPI_EPSILON = 1e-6
NEEDS: dict[Scheme, tuple[str, ...]] = {
    "q99": ("q01", "q99", "minimum", "maximum"),
    "bounds": ("minimum", "maximum"),
    "zscore": ("mean", "std"),
    "openpi": ("q01", "q99"),
    "none": (),
}

Array = NDArray[np.float64]


def check(statistics: Statistics, scheme: Scheme) -> None:
    """Raises ValueError when `statistics` lack what `scheme` needs, as openpi's files lack minimum and maximum."""
    lacking = [name for name in NEEDS[scheme] if np.isnan(getattr(statistics, name)).any()]
    if lacking:
        able = [name for name, needs in NEEDS.items() if not any(np.isnan(getattr(statistics, n)).any() for n in needs)]
        raise ValueError(
            f"normalisation '{scheme}' needs {' and '.join(lacking)}, which these statistics do not have; "
            f"they suffice for: {', '.join(able)}"
        )


def normalise(values: ArrayLike, statistics: Statistics, scheme: Scheme) -> Array:
    """Values (..., D) scaled by `scheme`; with l and h the percentiles 1 and 99 (q99, openpi) or the extremes (bounds):

    q99, bounds: `clip(2 (x - l) / (h - l + 1e-8) - 1, -1, 1)`; zscore: `(x - mean) / (std + 1e-8)`;
    openpi: `2 (x - l) / (h - l + 1e-6) - 1`; none: x. The last three may leave [-1, 1], where a codec clips.
    """
    scaled = unclipped(values, statistics, scheme)
    if scheme not in ("q99", "bounds"):
        return scaled
    changed = statistics.mask | (statistics.minimum == statistics.maximum)
    return np.where(changed, np.clip(scaled, -1.0, 1.0), scaled)


def unclipped(values: ArrayLike, statistics: Statistics, scheme: Scheme) -> Array:
    """As `normalise`, but q99 and bounds are not clipped: what is beyond [-1, 1] is lost there."""
    raw = np.asarray(values, dtype=np.float64)
    if scheme == "none":
        return raw
    if scheme == "zscore":
        return np.where(statistics.mask, (raw - statistics.mean) / (statistics.std + EPSILON), raw)
    low, high = _ends(statistics, scheme)
    if scheme == "openpi":
        return (raw - low) / (high - low + OPENPI_EPSILON) * 2.0 - 1.0
    scaled = np.where(statistics.mask, 2.0 * (raw - low) / (high - low + EPSILON) - 1.0, raw)
    return np.where(statistics.minimum == statistics.maximum, 0.0, scaled)


def unnormalise(values: ArrayLike, statistics: Statistics, scheme: Scheme) -> Array:
    """Back from `normalise`; what was clipped stays clipped.

    q99, bounds: `0.5 (y + 1) (h - l) + l`, as OpenVLA does it, without the 1e-8; a dimension that never moved in
    training gets its one value back, also where the mask is False (OpenVLA returns 0 there). zscore and openpi: the
    exact inverse.
    """
    scaled = np.asarray(values, dtype=np.float64)
    if scheme == "none":
        return scaled
    if scheme == "zscore":
        return np.where(statistics.mask, scaled * (statistics.std + EPSILON) + statistics.mean, scaled)
    low, high = _ends(statistics, scheme)
    if scheme == "openpi":
        return (scaled + 1.0) / 2.0 * (high - low + OPENPI_EPSILON) + low
    restored = np.where(statistics.mask, 0.5 * (scaled + 1.0) * (high - low) + low, scaled)
    return np.where(statistics.minimum == statistics.maximum, statistics.minimum, restored)


def _ends(statistics: Statistics, scheme: Scheme) -> tuple[Array, Array]:
    if scheme == "bounds":
        return statistics.minimum, statistics.maximum
    return statistics.q01, statistics.q99
