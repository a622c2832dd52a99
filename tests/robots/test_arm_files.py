"""An arm from a user's own file: what is found in it, and what the error says when something is missing."""

from __future__ import annotations

import struct

import mujoco
import numpy as np
import pytest

from robots.contract import RobotError
from robots.mujoco.arm import load_arm
from robots.mujoco.station import SimulatedStation
from teleloom.messages import JointCommand

THREE_JOINTS = """
<mujoco model="three">
  <compiler angle="radian"/>
  {asset}
  <worldbody>
    <body name="base_link" pos="0 0 0.05" gravcomp="1"><geom size="0.05" mass="1"/>
      <body name="a" pos="0 0 0.1" gravcomp="1"><joint name="pan" axis="0 0 1" range="-3 3"/>
        <geom size="0.04" mass="1"/>
        <body name="b" pos="0 0 0.2" gravcomp="1"><joint name="lift" axis="0 1 0" range="-2 2"/>
          <geom type="capsule" size="0.03" fromto="0 0 0 0.3 0 0" mass="1"/>
          <body name="c" pos="0.3 0 0" gravcomp="1"><joint name="elbow" axis="0 1 0" range="-2.5 2.5"/>
            {geom}
            <site name="{site}" pos="0.2 0 0"/>
          </body></body></body></body>
  </worldbody>
  <actuator>
    <position name="m1" joint="pan" kp="900" kv="90" forcerange="-50 50"/>
    <position name="m2" joint="lift" kp="900" kv="90"/>
    {last}
  </actuator>
</mujoco>
"""
CAPSULE = '<geom type="capsule" size="0.02" fromto="0 0 0 0.18 0 0" mass="0.5"/>'
LAST_SERVO = '<position name="m3" joint="elbow" kp="900" kv="90"/>'

URDF = """
<robot name="two">
  <link name="base_link"><inertial><mass value="2"/><inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/>
    </inertial><visual><geometry><cylinder radius="0.05" length="0.1"/></geometry></visual></link>
  <link name="upper"><inertial><origin xyz="0 0 0.15"/><mass value="1"/>
    <inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><origin xyz="0 0 0.15"/><geometry><cylinder radius="0.03" length="0.3"/></geometry></collision></link>
  <link name="lower"><inertial><origin xyz="0 0 0.1"/><mass value="1"/>
    <inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><origin xyz="0 0 0.1"/><geometry><cylinder radius="0.03" length="0.2"/></geometry></collision></link>
  <link name="{tool}"/>
  <joint name="shoulder" type="revolute"><parent link="base_link"/><child link="upper"/><origin xyz="0 0 0.1"/>
    <axis xyz="0 1 0"/><limit lower="-1.5" upper="1.5" effort="40" velocity="2"/></joint>
  <joint name="elbow" type="revolute"><parent link="upper"/><child link="lower"/><origin xyz="0 0 0.3"/>
    <axis xyz="0 1 0"/><limit lower="-2" upper="2" effort="20" velocity="2"/></joint>
  <joint name="fixed" type="fixed"><parent link="lower"/><child link="{tool}"/><origin xyz="0 0 0.25"/></joint>
</robot>
"""


@pytest.fixture
def write(tmp_path):
    def to_file(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return to_file


def mjcf(asset: str = "", geom: str = CAPSULE, site: str = "tcp", last: str = LAST_SERVO) -> str:
    return THREE_JOINTS.format(asset=asset, geom=geom, site=site, last=last)


def test_an_mjcf_without_gripper_drives_in_the_kitchen(write):
    station = SimulatedStation(write("three.xml", mjcf()), "open-drawer", seed=1)
    robot = station.robot
    assert robot.spec.joint_names == ("pan", "lift", "elbow")
    assert robot.spec.effort_max == (50.0, 100.0, 100.0)
    robot.command(JointCommand(t_ns=0, seq=0, q=(0.4, -0.3, 0.5), dq=(0.0, 0.0, 0.0), gripper=0.0))
    station.step(400)
    state = robot.read()
    assert state.q == pytest.approx((0.4, -0.3, 0.5), abs=2e-3)
    assert state.gripper == 1.0
    assert state.wrench is None
    station.close()


def test_the_tool_pose_is_in_the_frame_of_the_base_body(write):
    station = SimulatedStation(write("three.xml", mjcf()), "open-drawer", seed=1)
    assert station.robot.read().ee_pose[:3] == pytest.approx((0.5, 0.0, 0.3), abs=2e-3)
    station.close()


def test_a_urdf_gets_servos_with_its_limits(write):
    station = SimulatedStation(write("two.urdf", URDF.format(tool="tool0")), "open-drawer", seed=1)
    spec = station.robot.spec
    assert spec.joint_names == ("shoulder", "elbow")
    assert spec.q_max == pytest.approx((1.5, 2.0))
    assert spec.effort_max == pytest.approx((40.0, 20.0))
    station.robot.command(JointCommand(t_ns=0, seq=0, q=(0.5, -0.5), dq=(0.0, 0.0), gripper=0.0))
    station.step(400)
    assert station.robot.read().q == pytest.approx((0.5, -0.5), abs=2e-3)
    station.close()


def test_the_spec_keeps_the_kinematics_without_the_meshes(write, tmp_path):
    corners = np.array([[0, 0, 0], [0.2, 0, 0], [0, 0.03, 0], [0, 0, 0.03]], dtype=np.float32)
    faces = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
    body = b"".join(struct.pack("<12fH", 0, 0, 0, *corners[list(face)].ravel(), 0) for face in faces)
    (tmp_path / "wedge.stl").write_bytes(b"\0" * 80 + struct.pack("<I", len(faces)) + body)
    asset = '<asset><mesh name="wedge" file="wedge.stl"/></asset>'
    path = write("meshed.xml", mjcf(asset=asset, geom='<geom type="mesh" mesh="wedge"/>'))
    arm = load_arm(path)
    alone = mujoco.MjModel.from_xml_string(arm.spec.model)
    assert alone.nmesh == 0
    whole = mujoco.MjModel.from_xml_path(path)
    assert alone.body_mass == pytest.approx(whole.body_mass)
    station = SimulatedStation(path, "open-drawer", seed=1)
    assert station.simulation.model.nmesh == 1
    station.step(2)
    station.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (mjcf(site="somewhere"), r"has no tool site; .*It has: somewhere"),
        (mjcf(last=""), r"no position actuator moves elbow; add <position"),
        ("<mujoco><worldbody>", r"is not an MJCF or URDF"),
    ],
)
def test_the_error_names_what_is_missing(write, text, says):
    with pytest.raises(RobotError, match=says):
        load_arm(write("arm.xml", text))


def test_an_urdf_without_a_tool_link_says_so(write):
    with pytest.raises(RobotError, match=r"has no tool site; .*in a URDF: a link.*It has: none"):
        load_arm(write("two.urdf", URDF.format(tool="end")))


def test_an_unknown_name_lists_the_built_in_arms():
    with pytest.raises(RobotError, match=r"no robot 'pandas': neither a built-in arm \(panda, ur5e\) nor a file"):
        load_arm("pandas")
