"""How things lie to one another: told by positions (3,) of their centres in the base frame, m."""

from __future__ import annotations

import numpy as np

from robots.mujoco.props import BLOCK_HALF_M, BOWL_HEIGHT_M, BOWL_RADIUS_M, PLATE_RADIUS_M, PROPS
from teleloom.pose import Array

_PLATE_TOP_M = 0.006
_SETTLED_M = 0.02
_STACKED_M = 0.006


def is_in_bowl(thing: Array, bowl: Array) -> bool:
    """Inside the rim, and below its height and a little."""
    offset = thing - bowl
    return bool(np.hypot(*offset[:2]) < BOWL_RADIUS_M - 0.015 and offset[2] < BOWL_HEIGHT_M + 0.015)


def rest_on_plate(kind: str) -> float:
    """How high over the plate's frame the centre of a thing of this kind rests, m."""
    return PROPS[kind].half_height + _PLATE_TOP_M


def is_on_plate(thing: Array, kind: str, plate: Array) -> bool:
    """The centre is over the plate, and as low as it rests there."""
    offset = thing - plate
    over = np.hypot(offset[0], offset[1]) < PLATE_RADIUS_M - 0.01
    return bool(over and abs(offset[2] - rest_on_plate(kind)) < _SETTLED_M)


def is_stacked(top: Array, below: Array) -> bool:
    """A block stands on another, within half its width."""
    offset = top - below
    return bool(np.hypot(offset[0], offset[1]) < BLOCK_HALF_M and abs(offset[2] - 2 * BLOCK_HALF_M) < _STACKED_M)
