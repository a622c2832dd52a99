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


# Many rotations at once: one row each, (N, 3) rotation vectors or angles, (N, 4) quaternions, (N, 6) columns.


def quats_multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """Row by row, rotation `a` after rotation `b`."""
    return quat_multiply(np.asarray(a, dtype=np.float64).T, np.asarray(b, dtype=np.float64).T).T


def quats_conjugate(q: ArrayLike) -> Array:
    """The inverse rotation of each unit quaternion."""
    conjugates: Array = np.asarray(q, dtype=np.float64) * [-1.0, -1.0, -1.0, 1.0]
    return conjugates


def quats_rotate(q: ArrayLike, v: ArrayLike) -> Array:
    """Row by row, vector `v` (N, 3) rotated by the unit quaternion `q`."""
    return quat_rotate(np.asarray(q, dtype=np.float64).T, np.asarray(v, dtype=np.float64).T).T


def quats_normalize(q: ArrayLike) -> Array:
    """Each row scaled to length 1. Raises ValueError when a length is zero or not finite."""
    rows = np.asarray(q, dtype=np.float64)
    length: Array = np.linalg.norm(rows, axis=1, keepdims=True)
    bad = ~(np.isfinite(length) & (length > 1e-9))[:, 0]
    if bad.any():
        raise ValueError(f"not a rotation: quaternion {rows[bad][0].tolist()} in row {int(np.argmax(bad))}")
    unit: Array = rows / length
    return unit


def quats_canonical(q: ArrayLike) -> Array:
    """Of the two quaternions of each rotation the one with w > 0; where w is 0, with z > 0, and so on."""
    rows = np.asarray(q, dtype=np.float64)
    signs = np.sign(rows[:, [3, 2, 1, 0]])
    first = np.take_along_axis(signs, np.argmax(signs != 0.0, axis=1)[:, None], axis=1)
    return rows * np.where(first < 0.0, -1.0, 1.0)


def quats_from_rotvecs(rotvecs: ArrayLike) -> Array:
    """Unit quaternions of rotation vectors, rad."""
    rows = np.asarray(rotvecs, dtype=np.float64)
    angle = np.linalg.norm(rows, axis=1, keepdims=True)
    # np.sinc(x) is sin(πx)/(πx), which is exact at 0.
    return np.hstack([rows * (0.5 * np.sinc(angle / (2.0 * np.pi))), np.cos(angle / 2.0)])


def rotvecs_from_quats(q: ArrayLike) -> Array:
    """Rotation vectors of unit quaternions, the short way round: at most π long."""
    rows = quats_canonical(q)
    sine = np.linalg.norm(rows[:, :3], axis=1, keepdims=True)
    tiny = sine < 1e-9
    return rows[:, :3] * np.where(tiny, 2.0, 2.0 * np.arctan2(sine, rows[:, 3:]) / np.where(tiny, 1.0, sine))


def quats_from_euler_xyz(angles: ArrayLike) -> Array:
    """Unit quaternions of roll, pitch, yaw: turns about the FIXED axes x, then y, then z, rad.

    The same as scipy's `from_euler("xyz", …)` and as intrinsic z-y'-x''.
    """
    half = np.asarray(angles, dtype=np.float64).T / 2.0
    (cx, cy, cz), (sx, sy, sz) = np.cos(half), np.sin(half)
    return np.stack(
        [
            sx * cy * cz - cx * sy * sz,
            cx * sy * cz + sx * cy * sz,
            cx * cy * sz - sx * sy * cz,
            cx * cy * cz + sx * sy * sz,
        ],
        axis=1,
    )


def euler_xyz_from_quats(q: ArrayLike) -> Array:
    """Roll and yaw in (-π, π], pitch in [-π/2, π/2], of unit quaternions: the inverse of `quats_from_euler_xyz`.

    Bernardes and Viollet (2022): the sum and the difference of roll and yaw come from one pair of components each, so
    the angles give the rotation back to float64's precision even where pitch is ±π/2 and roll and yaw are not unique.
    """
    x, y, z, w = np.asarray(q, dtype=np.float64).T
    pitch = 2.0 * np.arctan2(np.hypot(y + w, z - x), np.hypot(w - y, x + z)) - np.pi / 2.0
    half_sum, half_difference = np.arctan2(x + z, w - y), np.arctan2(z - x, y + w)
    angles = np.stack([half_sum - half_difference, pitch, half_sum + half_difference], axis=1)
    return np.where(angles > np.pi, angles - 2.0 * np.pi, np.where(angles <= -np.pi, angles + 2.0 * np.pi, angles))


def rotation_6d_from_quats(q: ArrayLike) -> Array:
    """The first two columns of each rotation matrix, one after the other (Zhou et al. 2019)."""
    rows = np.asarray(q, dtype=np.float64)
    axes = np.broadcast_to(np.eye(3)[:, None], (3, len(rows), 3))
    return np.hstack([quats_rotate(rows, axes[0]), quats_rotate(rows, axes[1])])


def quats_from_rotation_6d(columns: ArrayLike) -> Array:
    """Unit quaternions of two columns each, made orthonormal as Zhou et al. (2019) do: the first keeps its direction.

    Raises ValueError when a column is zero or not finite, or both point the same way.
    """
    rows = np.asarray(columns, dtype=np.float64)
    first = _unit(rows[:, :3])
    second = _unit(rows[:, 3:] - np.sum(first * rows[:, 3:], axis=1, keepdims=True) * first)
    return _quats_from_columns(first, second, np.cross(first, second))


def _unit(vectors: Array) -> Array:
    length: Array = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = ~(np.isfinite(length) & (length > 1e-9))[:, 0]
    if bad.any():
        raise ValueError(f"not a rotation: row {int(np.argmax(bad))} has no two columns that span a plane")
    unit: Array = vectors / length
    return unit


def _quats_from_columns(a: Array, b: Array, c: Array) -> Array:
    """Shepperd (1978): four times each component's square, and the quaternion from the largest of them."""
    candidates = np.stack(
        [
            [1.0 + a[:, 0] - b[:, 1] - c[:, 2], a[:, 1] + b[:, 0], c[:, 0] + a[:, 2], b[:, 2] - c[:, 1]],
            [a[:, 1] + b[:, 0], 1.0 - a[:, 0] + b[:, 1] - c[:, 2], b[:, 2] + c[:, 1], c[:, 0] - a[:, 2]],
            [c[:, 0] + a[:, 2], b[:, 2] + c[:, 1], 1.0 - a[:, 0] - b[:, 1] + c[:, 2], a[:, 1] - b[:, 0]],
            [b[:, 2] - c[:, 1], c[:, 0] - a[:, 2], a[:, 1] - b[:, 0], 1.0 + a[:, 0] + b[:, 1] + c[:, 2]],
        ]
    )
    squares = candidates[np.arange(4), np.arange(4)]
    largest = np.argmax(squares, axis=0)
    return quats_canonical(quats_normalize(candidates[largest, :, np.arange(len(a))]))
