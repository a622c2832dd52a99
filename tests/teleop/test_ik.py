import math

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ideal_robot import PANDA

from teleloom import pose
from teleop.config import BoxObstacle, IkConfig, PlaneObstacle
from teleop.governor import Walls
from teleop.ik import InverseKinematics
from teleop.kinematics import Kinematics, ModelError

DT = 0.005
OPEN = Walls((-math.inf,) * 3, (math.inf,) * 3)
COUNTER = PlaneObstacle(name="counter", point_m=(0.0, 0.0, 0.0))
URDF = """<robot name="two"><link name="base"/>
<link name="upper"><visual><geometry><mesh filename="package://two/upper.dae"/></geometry></visual>
 <collision><geometry><mesh filename="upper.stl"/></geometry></collision></link>
<link name="lower"><collision><geometry><box size=".1 .1 .1"/></geometry></collision></link><link name="tool"/>
<joint name="j1" type="revolute"><parent link="base"/><child link="upper"/><origin xyz="0 0 .3"/><axis xyz="0 0 1"/>
 <limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
<joint name="j2" type="revolute"><parent link="upper"/><child link="lower"/><origin xyz=".5 0 0"/><axis xyz="0 1 0"/>
 <limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
<joint name="f" type="fixed"><parent link="lower"/><child link="tool"/><origin xyz=".1 0 0"/></joint></robot>"""


def two_joints(model, **change):
    fields = {
        "name": "two",
        "model": model,
        "joint_names": ("j1", "j2"),
        "q_min": (-1.0, -1.0),
        "q_max": (1.0, 1.0),
        "dq_max": (1.0, 1.0),
        "ddq_max": (5.0, 5.0),
        "effort_max": (9.0, 9.0),
        "home_q": (0.0, 0.0),
    }
    return PANDA.model_copy(update={**fields, **change})


class Arm:
    """The solver integrating its own answers."""

    def __init__(self, config=None, obstacles=()):
        self.kinematics = Kinematics(PANDA, obstacles)
        self.ik = InverseKinematics(self.kinematics, config or IkConfig(), DT)
        self.q, self.dq = PANDA.home_q, (0.0,) * 7

    def step(self, linear, angular=(0.0, 0.0, 0.0)):
        self.kinematics.move_to(self.q)
        solution = self.ik.solve(self.q, self.dq, linear, angular, OPEN)
        self.dq = solution.dq
        self.q = tuple(q + DT * v for q, v in zip(self.q, self.dq, strict=True))
        return solution

    def towards(self, position, gain=20.0, most=0.5):
        self.kinematics.move_to(self.q)
        error = gain * (np.array(position) - self.kinematics.pose[:3])
        length = np.linalg.norm(error)
        return tuple((error * min(1.0, most / max(length, 1e-9))).tolist())


def test_the_tool_pose_is_that_of_the_model():
    model = mujoco.MjModel.from_xml_string(PANDA.model)
    data, kinematics = mujoco.MjData(model), Kinematics(PANDA)
    for q in np.random.default_rng(0).uniform(PANDA.q_min, PANDA.q_max, size=(20, 7)):
        data.qpos[:7] = q
        mujoco.mj_forward(model, data)
        here = kinematics.pose_at(q)
        np.testing.assert_allclose(here[:3], data.site("tool").xpos, atol=1e-12)
        np.testing.assert_allclose(pose.matrix_from_quat(here[3:]).ravel(), data.site("tool").xmat, atol=1e-9)


def test_the_jacobian_is_the_derivative_of_the_pose():
    kinematics = Kinematics(PANDA)
    q = np.array(PANDA.home_q) + 0.2
    kinematics.move_to(q)
    jacobian, step = kinematics.jacobian.copy(), 1e-6
    for joint in range(7):
        ahead, behind = q.copy(), q.copy()
        ahead[joint] += step
        behind[joint] -= step
        a, b = kinematics.pose_at(behind), kinematics.pose_at(ahead)
        np.testing.assert_allclose((np.subtract(b, a) / (2 * step))[:3], jacobian[:3, joint], atol=1e-6)
        np.testing.assert_allclose(pose.rotation_between(a[3:], b[3:]) / (2 * step), jacobian[3:, joint], atol=1e-6)


def test_poses_are_in_the_base_frame_wherever_the_base_stands():
    moved = PANDA.model.replace('<body name="base"', '<body name="base" pos="1 2 3" quat="0.7071068 0 0 0.7071068"')
    there = Kinematics(PANDA.model_copy(update={"model": moved}))
    here = Kinematics(PANDA)
    metres, radians = pose.distance(there.pose, here.pose)
    assert metres < 1e-6
    assert radians < 1e-6
    np.testing.assert_allclose(there.jacobian, here.jacobian, atol=1e-6)


def test_a_urdf_serves_without_its_mesh_files():
    assert Kinematics(two_joints(URDF)).pose_at((0.0, 0.0))[:3] == pytest.approx((0.6, 0.0, 0.3))


def test_a_missing_name_lists_those_that_exist():
    with pytest.raises(ModelError, match=r"tool_site 'grip' .* it has: tool"):
        Kinematics(PANDA.model_copy(update={"tool_site": "grip"}))
    with pytest.raises(ModelError, match=r"joint_names 'j9' .* joint1"):
        Kinematics(PANDA.model_copy(update={"joint_names": ("j9", *PANDA.joint_names[1:])}))


twists = st.tuples(*(st.floats(-20.0, 20.0) for _ in range(6)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(twists, st.integers(1, 60)), min_size=1, max_size=6))
def test_no_wanted_velocity_breaks_position_velocity_or_acceleration_limits(plan):
    arm = Arm()
    for twist, ticks in plan:
        for _ in range(ticks):
            before = arm.dq
            assert not arm.step(twist[:3], twist[3:]).failed
            q, dq = np.array(arm.q), np.array(arm.dq)
            assert np.all(q >= np.array(PANDA.q_min) - 1e-9)
            assert np.all(q <= np.array(PANDA.q_max) + 1e-9)
            assert np.all(np.abs(dq) <= np.array(PANDA.dq_max))
            assert np.all(np.abs(dq - before) <= np.array(PANDA.ddq_max) * DT + 1e-9)


def test_the_wanted_velocity_is_reached_where_limits_allow():
    arm = Arm()
    for _ in range(40):
        arm.step((0.1, 0.05, -0.02), (0.0, 0.1, 0.0))
    arm.kinematics.move_to(arm.q)
    twist = arm.kinematics.jacobian @ arm.dq
    np.testing.assert_allclose(twist, (0.1, 0.05, -0.02, 0.0, 0.1, 0.0), atol=2e-3)


@pytest.mark.parametrize("depth", [0.12, 0.5])
def test_pushed_below_the_counter_the_hand_stops_at_the_clearance(depth):
    config = IkConfig()
    arm = Arm(config, (COUNTER,))
    for _ in range(800):
        arm.step(arm.towards((0.5, 0.0, -depth)))
    arm.kinematics.move_to(arm.q)
    assert arm.ik.clearance.smallest() >= config.clearance_m - 1e-3


def test_an_obstacle_may_ask_for_its_own_clearance():
    arm = Arm(IkConfig(), (PlaneObstacle(name="counter", point_m=(0.0, 0.0, 0.0), clearance_m=0.03),))
    for _ in range(800):
        arm.step(arm.towards((0.5, 0.0, -0.2)))
    arm.kinematics.move_to(arm.q)
    assert arm.ik.clearance.smallest() == pytest.approx(0.03, abs=1e-3)


def test_pushed_into_a_box_from_the_side_the_arm_stops_at_the_clearance():
    config = IkConfig()
    box = BoxObstacle(name="box", center_m=(0.45, 0.45, 0.3), half_size_m=(0.2, 0.1, 0.3))
    arm = Arm(config, (box,))
    for _ in range(800):
        arm.step(arm.towards((0.5, 0.6, 0.3)))
    assert arm.step((0.0, 0.3, 0.0)).clearance_limited
    assert arm.ik.clearance.smallest() >= config.clearance_m - 1e-3


def test_the_hand_pulled_into_the_base_stops_before_it():
    config = IkConfig()
    arm = Arm(config)
    smallest = math.inf
    for _ in range(1200):
        arm.step(arm.towards((0.0, 0.0, 0.1)))
        smallest = min(smallest, arm.ik.clearance.smallest())
    assert smallest >= config.clearance_m - 2e-3


def test_a_lost_clearance_is_regained():
    """A counter that turns out to be higher than the hand pushes it out."""
    config = IkConfig()
    tool = Kinematics(PANDA).pose
    high = PlaneObstacle(name="counter", point_m=(0.0, 0.0, tool[2] - 0.005))
    arm = Arm(config, (high,))
    start = arm.ik.clearance.smallest()
    assert start < config.clearance_m
    for _ in range(400):
        arm.step((0.0, 0.0, 0.0))
    arm.kinematics.move_to(arm.q)
    assert arm.ik.clearance.smallest() >= config.clearance_m - 1e-3


def test_the_answer_depends_on_the_arguments_alone():
    arm, other = Arm(obstacles=(COUNTER,)), Arm(obstacles=(COUNTER,))
    for _ in range(50):
        other.step((0.1, 0.3, -0.2), (1.0, 0.0, 0.5))
    other.q, other.dq = arm.q, arm.dq
    for _ in range(50):
        assert arm.step((0.0, 0.1, -0.3)) == other.step((0.0, 0.1, -0.3))
