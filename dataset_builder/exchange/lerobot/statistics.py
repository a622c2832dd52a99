"""Statistics as LeRobot keeps them: of each feature min, max, mean, std, count and five quantiles.

lerobot estimates quantiles from histograms of 5000 bins and averages those of the episodes; here they are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
LEVELS = 256
LEAST_SAMPLES, MOST_SAMPLES, SAMPLE_POWER = 100, 10_000, 0.75
LARGE, ENOUGH = 300, 150

Counts = NDArray[np.int64]


def of_values(values: NDArray[Any]) -> dict[str, list[float] | list[int]]:
    """Of a column (T,) or (T, D), T at least 1: lists of D, `count` a list of one."""
    table = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    quantiles = np.quantile(table, list(QUANTILES.values()), axis=0)
    return {
        "min": table.min(axis=0).tolist(),
        "max": table.max(axis=0).tolist(),
        "mean": table.mean(axis=0).tolist(),
        "std": table.std(axis=0).tolist(),
        "count": [len(table)],
        **{name: row.tolist() for name, row in zip(QUANTILES, quantiles, strict=True)},
    }


def image_counts(frames: Sequence[bytes]) -> Counts:
    """How often each level occurs in each channel, (3, 256), in a sample of these JPEGs as lerobot draws it."""
    counts = np.zeros((3, LEVELS), dtype=np.int64)
    for i in sample(len(frames)):
        pixels = simplejpeg.decode_jpeg(frames[i])
        height, width = pixels.shape[:2]
        # As lerobot does: large images are thinned out to about ENOUGH pixels along the longer side.
        step = 1 if max(height, width) < LARGE else max(height, width) // ENOUGH
        for channel in range(3):
            counts[channel] += np.bincount(pixels[::step, ::step, channel].ravel(), minlength=LEVELS)
    return counts


def sample(count: int) -> list[int]:
    """The frames that lerobot looks at: at least 100 of them, `count`^0.75 where that is more."""
    wanted = max(min(count, LEAST_SAMPLES), min(int(count**SAMPLE_POWER), MOST_SAMPLES))
    return [int(i) for i in np.round(np.linspace(0, count - 1, wanted))]


def of_images(counts: Counts, frames: int) -> dict[str, list[Any]]:
    """Of level counts (3, 256) of `frames` images, in [0, 1]: each (3, 1, 1) as nested lists, `count` a list of one."""
    levels = np.arange(LEVELS) / (LEVELS - 1)
    totals = counts.sum(axis=1)
    mean = counts @ levels / totals
    spread = np.sqrt(np.maximum(counts @ levels**2 / totals - mean**2, 0.0))
    cumulative = counts.cumsum(axis=1) / totals[:, None]
    rows: dict[str, NDArray[Any]] = {
        "min": levels[(counts > 0).argmax(axis=1)],
        "max": levels[LEVELS - 1 - (counts[:, ::-1] > 0).argmax(axis=1)],
        "mean": mean,
        "std": spread,
        **{name: levels[(cumulative >= share).argmax(axis=1)] for name, share in QUANTILES.items()},
    }
    stats: dict[str, list[Any]] = {name: row.reshape(3, 1, 1).tolist() for name, row in rows.items()}
    return {**stats, "count": [frames]}


def flat(statistics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """As columns of `meta/episodes`: `stats/action/mean` and so on."""
    return {f"stats/{key}/{name}": value for key, own in statistics.items() for name, value in own.items()}
