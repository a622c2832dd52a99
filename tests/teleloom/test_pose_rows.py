"""Rotations by the row: each row is what the function for one rotation gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from teleloom import pose

QUATS = npst.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(4)), elements=st.floats(-1.0, 1.0)).filter(
    lambda rows: bool((np.linalg.norm(rows, axis=1) > 1e-3).all())
)


@given(QUATS, st.integers(0, 1000))
def test_rows_agree_with_one_at_a_time(rows: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    quats = pose.quats_normalize(rows)
    others = pose.quats_normalize(rng.normal(size=rows.shape))
    vectors = rng.normal(size=(len(rows), 3))
    turned = pose.rotvecs_from_quats(quats)
    for i, quat in enumerate(quats):
        assert np.allclose(quat, pose.quat_normalize(rows[i]), atol=1e-15)
        assert np.allclose(pose.quats_multiply(quats, others)[i], pose.quat_multiply(quat, others[i]), atol=1e-15)
        assert np.allclose(pose.quats_conjugate(quats)[i], pose.quat_conjugate(quat), atol=0)
        assert np.allclose(pose.quats_rotate(quats, vectors)[i], pose.quat_rotate(quat, vectors[i]), atol=1e-14)
        assert np.allclose(pose.quats_from_rotvecs(turned)[i], pose.quat_from_rotvec(turned[i]), atol=1e-15)
        columns = pose.matrix_from_quat(quat)[:, :2].T.ravel()
        assert np.allclose(pose.rotation_6d_from_quats(quats)[i], columns, atol=1e-14)
        if quat[3] > 1e-9:
            assert np.allclose(turned[i], pose.rotvec_from_quat(quat), atol=1e-12)


@given(QUATS)
def test_every_way_of_writing_gives_the_rotation_back(rows: np.ndarray) -> None:
    quats = pose.quats_normalize(rows)
    back = (
        pose.quats_from_rotvecs(pose.rotvecs_from_quats(quats)),
        pose.quats_from_euler_xyz(pose.euler_xyz_from_quats(quats)),
        pose.quats_from_rotation_6d(pose.rotation_6d_from_quats(quats)),
        pose.quats_canonical(quats),
    )
    for again in back:
        off = pose.rotvecs_from_quats(pose.quats_multiply(again, pose.quats_conjugate(quats)))
        assert np.abs(off).max() < 1e-13


@given(QUATS)
def test_both_quaternions_of_a_rotation_are_written_the_same(rows: np.ndarray) -> None:
    quats = pose.quats_normalize(rows)
    assert np.array_equal(pose.quats_canonical(quats), pose.quats_canonical(-quats))
    assert np.array_equal(pose.rotvecs_from_quats(quats), pose.rotvecs_from_quats(-quats))
    assert (pose.quats_canonical(quats)[:, 3] >= 0.0).all()


def test_angles_turn_about_the_fixed_axes_one_after_the_other() -> None:
    roll, pitch, yaw = 0.4, -1.1, 2.5
    turns = [pose.quat_from_rotvec(angle * axis) for angle, axis in zip((roll, pitch, yaw), np.eye(3), strict=True)]
    one_after_the_other = pose.quat_multiply(turns[2], pose.quat_multiply(turns[1], turns[0]))
    (together,) = pose.quats_from_euler_xyz([[roll, pitch, yaw]])
    assert np.allclose(together, one_after_the_other, atol=1e-15)
    assert np.allclose(pose.euler_xyz_from_quats([together]), [[roll, pitch, yaw]], atol=1e-14)


def test_rows_that_are_no_rotation_are_refused_by_their_number() -> None:
    with pytest.raises(ValueError, match=r"not a rotation: quaternion \[0.0, 0.0, 0.0, 0.0\] in row 1"):
        pose.quats_normalize([[0, 0, 0, 1], [0, 0, 0, 0]])
    with pytest.raises(ValueError, match="row 1 has no two columns that span a plane"):
        pose.quats_from_rotation_6d([[1, 0, 0, 0, 1, 0], [1, 0, 0, 2, 0, 0]])
