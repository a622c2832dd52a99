"""What a plan is made of: where a person would aim the tool next, and what they see when they look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from teleloom.pose import Array


@dataclass(frozen=True)
class Waypoint:
    """One aim. pose: tool pose (7,) in the base frame. gripper: 0 closed to 1 open, from the start of the move.

    It is reached when the measured tool pose is within position_tolerance_m and rotation_tolerance_rad; it is then
    kept for dwell_s. label: what a person would say they are doing.
    """

    pose: Array
    gripper: float
    position_tolerance_m: float = 0.010
    rotation_tolerance_rad: float = 0.10
    dwell_s: float = 0.0
    label: str = ""


@dataclass(frozen=True)
class View:
    """What a person sees at a glance: tool pose (7,), opening of the gripper, poses of things, whether it is done."""

    ee_pose: Array
    gripper: float
    objects: dict[str, Array]
    success: bool


Look = Callable[[], View]
Plan = Iterator[Waypoint]
