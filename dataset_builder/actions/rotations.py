"""The ways an action can write a rotation down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teleloom import pose

RotationName = Literal["rotation_vector", "euler_xyz", "quaternion_xyzw", "rotation_6d"]


@dataclass(frozen=True)
class Rotation:
    """names: of its dimensions. unit: of each, "1" for none. neutral: what no rotation at all is.

    from_quats: (N, 4) unit quaternions to (N, R). to_quats: back; raises ValueError for what is no rotation.
    """

    names: tuple[str, ...]
    unit: str
    neutral: tuple[float, ...]
    from_quats: Callable[[ArrayLike], NDArray[np.float64]]
    to_quats: Callable[[ArrayLike], NDArray[np.float64]]
    words: str


ROTATIONS: dict[RotationName, Rotation] = {
    "rotation_vector": Rotation(
        ("rx", "ry", "rz"),
        "rad",
        (0.0, 0.0, 0.0),
        pose.rotvecs_from_quats,
        pose.quats_from_rotvecs,
        "rotation vector rad",
    ),
    "euler_xyz": Rotation(
        ("roll", "pitch", "yaw"),
        "rad",
        (0.0, 0.0, 0.0),
        pose.euler_xyz_from_quats,
        pose.quats_from_euler_xyz,
        "roll, pitch, yaw rad (about the fixed axes x, y, z in turn)",
    ),
    "quaternion_xyzw": Rotation(
        ("qx", "qy", "qz", "qw"),
        "1",
        (0.0, 0.0, 0.0, 1.0),
        pose.quats_canonical,
        pose.quats_normalize,
        "quaternion x y z w with w >= 0",
    ),
    "rotation_6d": Rotation(
        ("r11", "r21", "r31", "r12", "r22", "r32"),
        "1",
        (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        pose.rotation_6d_from_quats,
        pose.quats_from_rotation_6d,
        "first two columns of the rotation matrix",
    ),
}
