"""The built-in arms move as their makers publish: forward kinematics, limits, and a home that suits the counter."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from robots.mujoco.arm import load_arm
from teleloom import pose

PI = np.pi


def turn(axis: str, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.eye(4)
    if axis == "x":
        matrix[1:3, 1:3] = [[c, -s], [s, c]]
    else:
        matrix[0:2, 0:2] = [[c, -s], [s, c]]
    return matrix


def shift(x: float = 0.0, z: float = 0.0) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 3], matrix[2, 3] = x, z
    return matrix


def panda_tool(q: np.ndarray) -> np.ndarray:
    """Craig's convention, values of Franka's FCI documentation; then flange, hand (-45 deg) and finger tips."""
    a = (0.0, 0.0, 0.0, 0.0825, -0.0825, 0.0, 0.088)
    d = (0.333, 0.0, 0.316, 0.0, 0.384, 0.0, 0.0)
    alpha = (0.0, -PI / 2, PI / 2, PI / 2, -PI / 2, PI / 2, PI / 2)
    chain = np.eye(4)
    for i in range(7):
        chain = chain @ turn("x", alpha[i]) @ shift(x=a[i]) @ turn("z", q[i]) @ shift(z=d[i])
    return chain @ shift(z=0.107) @ turn("z", -PI / 4) @ shift(z=0.1034)


def ur5e_tool(q: np.ndarray) -> np.ndarray:
    """Classic convention, values of Universal Robots' DH table; base half a turn round, gripper 0.145 m long."""
    d = (0.1625, 0.0, 0.0, 0.1333, 0.0997, 0.0996)
    a = (0.0, -0.425, -0.3922, 0.0, 0.0, 0.0)
    alpha = (PI / 2, 0.0, 0.0, PI / 2, -PI / 2, 0.0)
    chain = turn("z", PI)
    for i in range(6):
        chain = chain @ turn("z", q[i]) @ shift(z=d[i]) @ shift(x=a[i]) @ turn("x", alpha[i])
    return chain @ shift(z=0.145)


@pytest.mark.parametrize(("name", "published"), [("panda", panda_tool), ("ur5e", ur5e_tool)])
def test_forward_kinematics_equals_the_published_parameters(name, published):
    spec = load_arm(name).spec
    model = mujoco.MjModel.from_xml_string(spec.model)
    data = mujoco.MjData(model)
    addresses = [int(model.joint(joint).qposadr[0]) for joint in spec.joint_names]
    site = model.site(spec.tool_site).id
    rng = np.random.default_rng(7)
    worst_m = worst_rotation = 0.0
    for q in rng.uniform(spec.q_min, spec.q_max, (500, len(spec.q_min))):
        data.qpos[addresses] = q
        mujoco.mj_kinematics(model, data)
        expected = published(q)
        worst_m = max(worst_m, np.abs(data.site_xpos[site] - expected[:3, 3]).max())
        worst_rotation = max(worst_rotation, np.abs(data.site_xmat[site].reshape(3, 3) - expected[:3, :3]).max())
    assert worst_m < 1e-6
    assert worst_rotation < 1e-6


def test_panda_limits_equal_the_data_sheet():
    spec = load_arm("panda").spec
    assert spec.q_min == (-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973)
    assert spec.q_max == (2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973)
    assert spec.dq_max == (2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61)
    assert spec.ddq_max == (15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0)
    assert spec.effort_max == (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
    assert spec.gripper_max_m == pytest.approx(0.08)


def test_ur5e_limits_equal_the_data_sheet():
    spec = load_arm("ur5e").spec
    assert spec.q_max == pytest.approx((2 * PI,) * 6)
    assert spec.q_min == pytest.approx((-2 * PI,) * 6)
    assert spec.dq_max == pytest.approx((PI,) * 6)
    assert spec.effort_max == (150.0, 150.0, 150.0, 28.0, 28.0, 28.0)


@pytest.mark.parametrize(("name", "published"), [("panda", panda_tool), ("ur5e", ur5e_tool)])
def test_home_points_the_tool_down_above_the_counter(name, published):
    tool = published(np.array(load_arm(name).spec.home_q))
    assert tool[:3, 3] == pytest.approx((0.42, 0.0, 0.30), abs=1e-3)
    down = pose.matrix_from_quat((1.0, 0.0, 0.0, 0.0))
    assert np.abs(tool[:3, :3] - down).max() < 2e-3


@pytest.mark.parametrize("name", ["panda", "ur5e"])
def test_every_colliding_geom_of_an_arm_has_a_name(name):
    model = mujoco.MjModel.from_xml_string(load_arm(name).spec.model)
    collides = [i for i in range(model.ngeom) if model.geom_contype[i] or model.geom_conaffinity[i]]
    assert len(collides) > 15
    assert all(model.geom(i).name for i in collides)
