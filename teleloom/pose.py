"""Poses and rotations, the one place for them.

A pose is a `(7,)` float64 array `[x y z qx qy qz qw]`, metres and a unit quaternion; `T_a_b` maps b-coordinates into
a. Rotation vectors are axis times angle, rad. Quaternions are `(4,)` `[x y z w]`. The functions take anything that
numpy turns into such an array and never change their arguments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Numbers = Sequence[float] | Array

IDENTITY: Array = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
IDENTITY.setflags(write=False)


def quat_multiply(a: Numbers, b: Numbers) -> Array:
    """Rotation `a` after rotation `b`."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )


def quat_conjugate(q: Numbers) -> Array:
    """The inverse rotation of a unit quaternion."""
    x, y, z, w = q
    return np.array([-x, -y, -z, w])


def quat_normalize(q: Numbers) -> Array:
    """`q` scaled to length 1. Raises ValueError when its length is zero or not finite."""
    array = np.asarray(q, dtype=np.float64)
    length = math.sqrt(float(array @ array))
    if not (math.isfinite(length) and length > 1e-9):
        raise ValueError(f"not a rotation: quaternion {array.tolist()}")
    return array / length


def quat_rotate(q: Numbers, v: Numbers) -> Array:
    """Vector `v` (3,) rotated by the unit quaternion `q`."""
    x, y, z, w = q
    vx, vy, vz = v
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    return np.array(
        [
            vx + w * tx + y * tz - z * ty,
            vy + w * ty + z * tx - x * tz,
            vz + w * tz + x * ty - y * tx,
        ]
    )


def quat_from_rotvec(rotvec: Numbers) -> Array:
    """Unit quaternion of a rotation vector (3,), rad."""
    rx, ry, rz = rotvec
    angle = math.sqrt(rx * rx + ry * ry + rz * rz)
    scale = 0.5 - angle * angle / 48.0 if angle < 1e-6 else math.sin(angle / 2.0) / angle
    return np.array([rx * scale, ry * scale, rz * scale, math.cos(angle / 2.0)])


def rotvec_from_quat(q: Numbers) -> Array:
    """Rotation vector (3,) of a unit quaternion, the short way round: at most π long."""
    x, y, z, w = q
    if w < 0.0:
        x, y, z, w = -x, -y, -z, -w
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 if sine < 1e-9 else 2.0 * math.atan2(sine, w) / sine
    return np.array([x * scale, y * scale, z * scale])


def matrix_from_quat(q: Numbers) -> Array:
    """Rotation matrix (3, 3) of a unit quaternion."""
    return np.stack([quat_rotate(q, axis) for axis in np.eye(3)], axis=1)


def quat_from_matrix(matrix: ArrayLike) -> Array:
    """Unit quaternion of a rotation matrix (3, 3). Raises ValueError unless orthonormal with determinant +1."""
    m = np.asarray(matrix, dtype=np.float64)
    if m.shape != (3, 3) or not np.allclose(m @ m.T, np.eye(3), atol=1e-6) or np.linalg.det(m) < 0.0:
        raise ValueError("not a rotation: the matrix must be 3x3, orthonormal, with determinant +1")
    # Bar-Itzhack (2000): the quaternion is the eigenvector of the largest eigenvalue of this symmetric matrix.
    k = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], 0.0, 0.0, 0.0],
            [m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], 0.0, 0.0],
            [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1], 0.0],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m[0, 0] + m[1, 1] + m[2, 2]],
        ]
    )
    _, vectors = np.linalg.eigh(k / 3.0, UPLO="L")
    q = vectors[:, -1]
    return -q if q[3] < 0.0 else q


def make(position: Numbers, quat: Numbers) -> Array:
    """The pose (7,) with this position (3,) and unit quaternion (4,)."""
    return np.concatenate([np.asarray(position, dtype=np.float64), np.asarray(quat, dtype=np.float64)])


def compose(a: Numbers, b: Numbers) -> Array:
    """`T_x_z` from `T_x_y` and `T_y_z`."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return make(a[:3] + quat_rotate(a[3:], b[:3]), quat_multiply(a[3:], b[3:]))


def inverse(pose: Numbers) -> Array:
    """`T_b_a` from `T_a_b`."""
    pose = np.asarray(pose, dtype=np.float64)
    conjugate = quat_conjugate(pose[3:])
    return make(-quat_rotate(conjugate, pose[:3]), conjugate)


def rotation_between(a: Numbers, b: Numbers) -> Array:
    """Rotation vector (3,), in the outer frame, that turns orientation `a` (4,) into `b` (4,)."""
    return rotvec_from_quat(quat_multiply(b, quat_conjugate(a)))


def distance(a: Numbers, b: Numbers) -> tuple[float, float]:
    """How far two poses lie apart: metres, and rad of the rotation between them."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return float(np.linalg.norm(b[:3] - a[:3])), float(np.linalg.norm(rotation_between(a[3:], b[3:])))


def interpolate(a: Numbers, b: Numbers, fraction: float) -> Array:
    """The pose `fraction` of the way from `a` to `b`: straight in position, about one axis in rotation."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    turn = quat_from_rotvec(fraction * rotation_between(a[3:], b[3:]))
    return make(a[:3] + fraction * (b[:3] - a[:3]), quat_normalize(quat_multiply(turn, a[3:])))
