"""The ways an action can say how far the gripper is open."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

GripperPolarity = Literal["opening", "closing", "sign_open", "sign_closed"]

# value = factor * opening + offset, where the opening is 0 closed, 1 open.
_LINES: dict[GripperPolarity, tuple[float, float]] = {
    "opening": (1.0, 0.0),
    "closing": (-1.0, 1.0),
    "sign_open": (2.0, -1.0),
    "sign_closed": (-2.0, 1.0),
}
WORDS: dict[GripperPolarity, str] = {
    "opening": "1 is open, 0 closed",
    "closing": "1 is closed, 0 open",
    "sign_open": "+1 is open, -1 closed",
    "sign_closed": "+1 is closed, -1 open",
}


def from_opening(opening: ArrayLike, polarity: GripperPolarity) -> NDArray[np.float64]:
    """What an action says of an opening, 0 closed to 1 open."""
    factor, offset = _LINES[polarity]
    return factor * np.asarray(opening, dtype=np.float64) + offset


def to_opening(value: ArrayLike, polarity: GripperPolarity) -> NDArray[np.float64]:
    """The opening, 0 closed to 1 open, that an action asks for."""
    factor, offset = _LINES[polarity]
    return (np.asarray(value, dtype=np.float64) - offset) / factor
