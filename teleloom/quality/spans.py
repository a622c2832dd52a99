"""Where a condition holds: runs of true values, as index pairs and as times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


def runs(mask: Mask) -> NDArray[np.int64]:
    """The runs of true values as (K, 2) index pairs [first, last], both inclusive."""
    edges = np.diff(np.concatenate(([0], np.asarray(mask, dtype=np.int8), [0])))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1], axis=1)


def time_spans(mask: Mask, t_ns: Times, at_least_s: float = 0.0) -> list[tuple[int, int]]:
    """The runs of true values as [start_ns, end_ns], those at least this long; `mask` and `t_ns` are both (N,)."""
    spans = [(int(t_ns[first]), int(t_ns[last])) for first, last in runs(mask)]
    return [(start, end) for start, end in spans if (end - start) >= at_least_s * 1e9]
