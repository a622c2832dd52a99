"""The way of the tool in so few numbers that every episode can be laid beside every other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teleloom.quality.recording import Recording, usable

Array = NDArray[np.float64]
Times = NDArray[np.int64]

POINTS, VALUES = 16, 4
BIN_NS = 100_000_000
"""The way is measured between means over this time: a hand that trembles on the spot goes nowhere."""


def signature(recording: Recording) -> tuple[float, ...]:
    """The tool's x, y, z in the base frame and the opening of the gripper, all in m, at 16 points of its way.

    64 floats, point by point, to 0.1 mm; `resampled` says which points. () without two usable poses.
    """
    robot = recording.robot
    if "ee_pose" not in robot or "gripper" not in robot:
        return ()
    rows = usable(robot, "ee_pose", "gripper")
    if np.count_nonzero(rows) < 2:
        return ()
    opening = robot["gripper"][rows] * recording.meta.robot.gripper_max_m
    way = np.column_stack([robot["ee_pose"][rows, :3], opening])
    return tuple(resampled(robot["t_ns"][rows], way).round(4).ravel().tolist())


def resampled(t_ns: Times, way: Array) -> Array:
    """16 points (16, D) spread evenly along the length of `way` (N, D), first and last included; N at least 1.

    Along its length and not in time, so that a pause, or a hand that was let go, does not make another way of it.
    """
    _, first = np.unique((t_ns - t_ns[0]) // BIN_NS, return_index=True)
    counts = np.diff(np.append(first, len(way)))
    coarse = np.add.reduceat(way, first, axis=0) / counts[:, None]
    walked = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(coarse, axis=0), axis=1))))
    places = np.linspace(0.0, walked[-1], POINTS)
    return np.stack([np.interp(places, walked, column) for column in coarse.T], axis=1)
