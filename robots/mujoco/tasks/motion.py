"""Moves that plans share: poses with the tool pointing down, picking a thing up, setting it down."""

from __future__ import annotations

import math

import numpy as np

from robots.mujoco.tasks.waypoint import Look, Plan, Waypoint
from teleloom import pose
from teleloom.pose import Array, Numbers

HOVER_M = 0.12
CLEAR_M = 0.045
_POINTING_DOWN = pose.quat_from_rotvec((math.pi, 0.0, 0.0))
_TRIES = 4
_HELD_M = 0.045


def tool_down(position: Numbers, yaw: float = 0.0, lean: float = 0.0) -> Array:
    """The tool at `position` (3,) pointing down, its x axis turned by `yaw` from the base's; fingers open across it.

    lean: how far the hand leans out to the tool's right, rad: at yaw 0 towards +y, off the cabinet.
    """
    turn = pose.quat_multiply(pose.quat_from_rotvec((0.0, 0.0, yaw)), pose.quat_from_rotvec((-lean, 0.0, 0.0)))
    return pose.make(position, pose.quat_multiply(turn, _POINTING_DOWN))


def above(position: Numbers, height_m: float) -> Array:
    """The point (3,) straight above `position` (3,)."""
    x, y, z = np.asarray(position, dtype=np.float64)
    return np.array([x, y, z + height_m])


def half_turn(yaw: float) -> float:
    """The same line's direction in [-1.2, π - 1.2): a parallel gripper does not care which finger is which.

    The window keeps clear of the Panda's last joint limit over the whole workspace, where q7 = π/4 + q1 - yaw.
    """
    return (yaw + 1.2) % math.pi - 1.2


def long_side_yaw(thing: Numbers) -> float:
    """Direction of a thing's long side (its x axis) on the counter, as `half_turn` gives it."""
    along = pose.quat_rotate(np.asarray(thing, dtype=np.float64)[3:], (1.0, 0.0, 0.0))
    return half_turn(math.atan2(along[1], along[0]))


def nearest_quarter(yaw: float) -> float:
    """The same square's direction within ±π/4."""
    return (yaw + math.pi / 4) % (math.pi / 2) - math.pi / 4


def yaw_of(tool: Numbers) -> float:
    """How far a tool pointing down is turned from the base's x axis."""
    along = pose.quat_rotate(np.asarray(tool, dtype=np.float64)[3:], (1.0, 0.0, 0.0))
    return math.atan2(along[1], along[0])


def pick(look: Look, name: str, turned: bool, depth_m: float = 0.0) -> Plan:
    """Take the thing and lift it: hover, come down, close, lift; look, and try again if it slipped.

    turned: whether the fingers must lie across the thing's long side. depth_m: how far below its centre the tool aims.
    """
    for _ in range(_TRIES):
        yaw = long_side_yaw(look().objects[name]) if turned else 0.0
        over = look().objects[name][:3]
        yield Waypoint(tool_down(above(over, HOVER_M), yaw), 1.0, 0.02, 0.15, label=f"over the {name}")
        at = look().objects[name][:3]
        yaw = long_side_yaw(look().objects[name]) if turned else 0.0
        yield Waypoint(tool_down(above(at, CLEAR_M), yaw), 1.0, 0.008, 0.10, label=f"down to the {name}")
        grasp = tool_down((at[0], at[1], max(at[2] - depth_m, 0.014)), yaw)
        yield Waypoint(grasp, 1.0, 0.006, 0.10, label=f"around the {name}")
        yield Waypoint(grasp, 0.0, 0.012, 0.15, 0.5, label=f"grasp the {name}")
        yield Waypoint(tool_down(above(at, HOVER_M), yaw), 0.0, 0.02, 0.15, label=f"lift the {name}")
        if is_held(look, name):
            return


def is_held(look: Look, name: str) -> bool:
    """Whether the thing is where the tool is."""
    view = look()
    return float(np.linalg.norm(view.objects[name][:3] - view.ee_pose[:3])) < _HELD_M


def release(look: Look, name: str, at: Numbers, yaw: float, over_m: float = HOVER_M) -> Plan:
    """Set the held thing down with the tool at `at` (3,): carry over it, lower, open, rise."""
    hover = above(at, over_m)
    yield Waypoint(tool_down(hover, yaw), 0.0, 0.02, 0.15, label=f"carry the {name}")
    yield Waypoint(tool_down(at, yaw), 0.0, 0.008, 0.12, 0.15, label=f"lower the {name}")
    yield Waypoint(tool_down(at, yaw), 1.0, 0.015, 0.15, 0.4, label=f"let go of the {name}")
    yield Waypoint(tool_down(hover, yaw), 1.0, 0.03, 0.2, label="move away")
