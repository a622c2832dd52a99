from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from teleloom import pose
from teleloom.pose import Array

components = st.floats(-1.0, 1.0)
metres = st.floats(-10.0, 10.0)
vectors = st.tuples(metres, metres, metres).map(np.array)
quats = (
    st.tuples(components, components, components, components)
    .map(np.array)
    .filter(lambda q: np.linalg.norm(q) > 0.1)
    .map(pose.quat_normalize)
)
poses = st.builds(pose.make, vectors, quats)
fractions = st.floats(0.0, 1.0)


def same_rotation(a: Array, b: Array, tolerance: float = 1e-9) -> bool:
    return min(float(np.abs(a - b).max()), float(np.abs(a + b).max())) < tolerance


def same_pose(a: Array, b: Array) -> bool:
    return bool(np.allclose(a[:3], b[:3], atol=1e-9)) and same_rotation(a[3:], b[3:])


@given(poses, poses, poses)
def test_composing_is_associative(a: Array, b: Array, c: Array) -> None:
    assert same_pose(pose.compose(pose.compose(a, b), c), pose.compose(a, pose.compose(b, c)))


@given(poses)
def test_identity_and_inverse_are_those_of_a_group(a: Array) -> None:
    assert same_pose(pose.compose(a, pose.IDENTITY), a)
    assert same_pose(pose.compose(pose.IDENTITY, a), a)
    assert same_pose(pose.compose(a, pose.inverse(a)), pose.IDENTITY)
    assert same_pose(pose.compose(pose.inverse(a), a), pose.IDENTITY)
    assert same_pose(pose.inverse(pose.inverse(a)), a)


@given(poses, poses, vectors)
def test_a_composed_pose_maps_points_as_its_parts_do_in_turn(a: Array, b: Array, point: Array) -> None:
    def maps(t: Array, p: Array) -> Array:
        return t[:3] + pose.quat_rotate(t[3:], p)

    np.testing.assert_allclose(maps(pose.compose(a, b), point), maps(a, maps(b, point)), atol=1e-9)


@given(quats, quats, vectors)
def test_rotations_agree_with_scipy(a: Array, b: Array, v: Array) -> None:
    ours, theirs = pose.quat_multiply(a, b), (Rotation.from_quat(a) * Rotation.from_quat(b)).as_quat()
    assert same_rotation(ours, theirs)
    np.testing.assert_allclose(pose.quat_rotate(a, v), Rotation.from_quat(a).apply(v), atol=1e-9)
    np.testing.assert_allclose(pose.matrix_from_quat(a), Rotation.from_quat(a).as_matrix(), atol=1e-9)
    rotvec = pose.rotvec_from_quat(a)
    assert np.linalg.norm(rotvec) == pytest.approx(Rotation.from_quat(a).magnitude(), abs=1e-9)


@given(quats)
def test_quaternion_matrix_and_rotation_vector_carry_the_same_rotation(q: Array) -> None:
    assert same_rotation(pose.quat_from_matrix(pose.matrix_from_quat(q)), q)
    assert same_rotation(pose.quat_from_rotvec(pose.rotvec_from_quat(q)), q)
    assert np.linalg.norm(pose.rotvec_from_quat(q)) <= math.pi + 1e-9


@given(st.tuples(components, components, components).map(np.array), st.floats(0.0, 3.14))
def test_a_rotation_vector_up_to_pi_comes_back(axis: Array, angle: float) -> None:
    length = float(np.linalg.norm(axis))
    rotvec = axis / length * angle if length > 1e-3 else np.zeros(3)
    np.testing.assert_allclose(pose.rotvec_from_quat(pose.quat_from_rotvec(rotvec)), rotvec, atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-7, 9.99e-7, 1.01e-6, 1e-3, math.pi - 1e-9, math.pi])
def test_tiny_and_half_turns_stay_exact(angle: float) -> None:
    q = pose.quat_from_rotvec([0.0, angle, 0.0])
    assert np.linalg.norm(q) == pytest.approx(1.0, abs=1e-14)
    assert abs(pose.rotvec_from_quat(q)[1]) == pytest.approx(angle, rel=1e-9, abs=1e-15)


@given(quats, quats)
def test_the_rotation_between_two_orientations_turns_one_into_the_other(a: Array, b: Array) -> None:
    turned = pose.quat_multiply(pose.quat_from_rotvec(pose.rotation_between(a, b)), a)
    assert same_rotation(turned, b)


@given(poses, poses, fractions)
def test_interpolation_begins_at_one_pose_ends_at_the_other_and_goes_evenly(a: Array, b: Array, f: float) -> None:
    assert same_pose(pose.interpolate(a, b, 0.0), a)
    assert same_pose(pose.interpolate(a, b, 1.0), b)
    part, whole = pose.distance(a, pose.interpolate(a, b, f)), pose.distance(a, b)
    np.testing.assert_allclose(part, (f * whole[0], f * whole[1]), atol=1e-7)


@given(poses, poses, poses)
def test_distance_is_symmetric_and_does_not_depend_on_the_frame(a: Array, b: Array, frame: Array) -> None:
    there = pose.distance(a, b)
    np.testing.assert_allclose(there, pose.distance(b, a), atol=1e-7)
    np.testing.assert_allclose(there, pose.distance(pose.compose(frame, a), pose.compose(frame, b)), atol=1e-6)
    assert pose.distance(a, a) == pytest.approx((0.0, 0.0), abs=1e-7)


@pytest.mark.parametrize("q", [[0.0] * 4, [math.nan, 0, 0, 1], [math.inf, 0, 0, 1]])
def test_what_is_no_quaternion_is_refused(q: list[float]) -> None:
    with pytest.raises(ValueError, match="not a rotation: quaternion"):
        pose.quat_normalize(q)


@pytest.mark.parametrize("matrix", [-np.eye(3), 2 * np.eye(3), np.eye(2), np.full((3, 3), math.nan)])
def test_what_is_no_rotation_matrix_is_refused(matrix: Array) -> None:
    with pytest.raises(ValueError, match="not a rotation: the matrix"):
        pose.quat_from_matrix(matrix)


def test_functions_take_lists_and_leave_their_arguments_alone() -> None:
    a = np.array([1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 1.0])
    before = a.copy()
    pose.interpolate(a, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0], 0.5)
    pose.inverse(a)[:] = 0.0
    pose.compose(a, a)[:] = 0.0
    np.testing.assert_array_equal(a, before)
    with pytest.raises(ValueError, match="read-only"):
        pose.IDENTITY[0] = 1.0
