"""Actions in chunks, as models that predict several steps at once want them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.actions.semantics import ActionSemantics


def chunks(actions: ArrayLike, length: int, semantics: ActionSemantics) -> NDArray[np.float64]:
    """From each step of actions (T, D) the window of the next `length` actions: (T, length, D).

    Past the end the robot stays where it is: absolute dimensions keep their last value, changes and velocities are
    those of no motion.
    """
    rows = np.asarray(actions, dtype=np.float64)
    count, width = rows.shape
    index = np.arange(count)[:, None] + np.arange(length)
    windows = rows[np.minimum(index, count - 1)]
    joints = width - 1
    still = np.where(semantics.is_absolute(joints), windows, semantics.neutral(joints))
    return np.where((index < count)[:, :, None], windows, still)
