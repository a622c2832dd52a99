"""The simulated arm as a Robot: what it measures, what it refuses, how closely it follows, how firmly it grips."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from robots.contract import Robot, RobotError
from robots.mujoco.station import SimulatedStation
from robots.mujoco.tasks import make_task
from teleloom.messages import JointCommand, RobotState

ARMS = ["panda", "ur5e"]


@pytest.fixture(params=ARMS)
def station(request):
    built = SimulatedStation(request.param, "put-in-bowl", seed=4)
    yield built
    built.close()


def command(q, dq=None, gripper: float = 1.0) -> JointCommand:
    still = (0.0,) * len(q)
    return JointCommand(t_ns=0, seq=0, q=tuple(q), dq=still if dq is None else tuple(dq), gripper=gripper)


def test_it_is_a_robot_and_measures_every_field(station):
    assert isinstance(station.robot, Robot)
    station.robot.connect()
    station.step(10)
    state = station.robot.read()
    assert isinstance(state, RobotState)
    assert state.t_ns == 50_000_000
    assert len(state.q) == len(state.dq) == len(state.effort) == len(station.robot.spec.joint_names)
    assert state.ee_pose[:3] == pytest.approx((0.42, 0.0, 0.30), abs=3e-3)
    assert np.linalg.norm(state.ee_pose[3:]) == pytest.approx(1.0)
    assert state.gripper == pytest.approx(1.0, abs=0.01)
    assert station.robot.read().seq == state.seq + 1


def test_at_rest_the_wrench_is_zero_and_a_hanging_weight_pulls_down(station):
    station.step(100)
    assert np.abs(station.robot.read().wrench).max() < 0.2
    data, model = station.simulation.data, station.simulation.model
    data.xfrc_applied[int(model.body("arm/hand").id), 2] = -5.0
    station.step(200)
    assert station.robot.read().wrench[2] == pytest.approx(-5.0, abs=0.3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda q: command(q[:-1]), "command for"),
        (lambda q: command((float("nan"), *q[1:])), "not a finite number"),
        (lambda q: command(q, gripper=float("inf")), "not a finite number"),
        (lambda q: command((7.0, *q[1:])), "its limits are"),
    ],
)
def test_a_bad_command_is_refused_and_changes_nothing(station, change, says):
    before = station.simulation.data.ctrl.copy()
    with pytest.raises(RobotError, match=says):
        station.robot.command(change(station.robot.spec.home_q))
    assert np.array_equal(station.simulation.data.ctrl, before)


def test_hold_stops_a_motion_where_it_is(station):
    home = np.array(station.robot.spec.home_q)
    station.robot.command(command(home + 0.3))
    station.step(10)
    station.robot.hold()
    held = np.array(station.robot.read().q)
    station.step(200)
    assert np.abs(np.array(station.robot.read().q) - held).max() < 0.05
    assert np.abs(np.array(station.robot.read().dq)).max() < 1e-3


def test_no_joint_keeps_swinging_after_its_servo_met_the_force_limit(station):
    station.robot.connect()
    data, model = station.simulation.data, station.simulation.model
    for joint in station.robot.spec.joint_names:
        data.qvel[int(model.joint(f"arm/{joint}").dofadr[0])] = 1.5
    station.step(300)
    assert np.abs(np.array(station.robot.read().dq)).max() < 2e-3


def tracking_error_m(station: SimulatedStation, feed_forward: bool) -> float:
    """Worst distance between the tool and where the command would put it, swinging at up to 0.25 m/s."""
    model, data = station.simulation.model, mujoco.MjData(station.simulation.model)
    site = model.site("arm/tool").id
    addresses = [int(model.joint(f"arm/{joint}").qposadr[0]) for joint in station.robot.spec.joint_names]
    home = np.array(station.robot.spec.home_q)
    amplitude, omega = 0.12, 2 * np.pi * 0.8
    worst = 0.0
    for tick in range(400):
        t = tick * 0.005
        q, dq = home.copy(), np.zeros_like(home)
        q[0] += amplitude * np.sin(omega * t)
        dq[0] = amplitude * omega * np.cos(omega * t) if feed_forward else 0.0
        station.robot.command(command(q, dq))
        station.step()
        data.qpos[addresses] = q
        data.qpos[addresses[0]] = home[0] + amplitude * np.sin(omega * (t + 0.005))
        mujoco.mj_kinematics(model, data)
        if tick > 100:
            error = np.linalg.norm(np.array(station.robot.read().ee_pose[:3]) - data.site_xpos[site])
            worst = max(worst, float(error))
    return worst


def test_velocity_feed_forward_takes_the_lag_away(station):
    assert tracking_error_m(station, feed_forward=False) > 0.015
    assert tracking_error_m(station, feed_forward=True) < 0.003


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("kind", ["apple", "orange", "plum", "lemon", "pear", "banana"])
def test_a_grasp_holds_while_the_arm_shakes(name, kind):
    seed = next(s for s in range(200) if holds_only(kind, s))
    station = SimulatedStation(name, "put-in-bowl", seed=seed)
    model, data = station.simulation.model, station.simulation.data
    tool = np.array(station.robot.read().ee_pose[:3])
    address = int(model.joint(kind).qposadr[0])
    home = np.array(station.robot.spec.home_q)
    for _ in range(120):
        data.qpos[address : address + 7] = [*tool, 1.0, 0.0, 0.0, 0.0]
        data.qvel[int(model.joint(kind).dofadr[0]) :][:6] = 0.0
        station.robot.command(command(home, gripper=0.0))
        station.step()
    held = grasp_offset(station, kind)
    slip = shake(station, kind, home, held)
    assert slip < 0.015
    station.close()


def holds_only(kind: str, seed: int) -> bool:
    return make_task("put-in-bowl", seed).parameters()["target"] == kind


def grasp_offset(station: SimulatedStation, kind: str) -> np.ndarray:
    data, model = station.simulation.data, station.simulation.model
    site = model.site("arm/tool").id
    return data.site_xmat[site].reshape(3, 3).T @ (station.simulation.pose_of(kind)[:3] - data.site_xpos[site])


def shake(station: SimulatedStation, kind: str, home: np.ndarray, held: np.ndarray) -> float:
    """Twenty seconds of swinging three joints at 1.1 to 1.7 Hz; how far the thing moved in the hand, metres."""
    slip = 0.0
    rates = 2 * np.pi * np.array([1.1, 1.4, 1.7])
    for tick in range(4000):
        t = tick * 0.005
        q, dq = home.copy(), np.zeros_like(home)
        q[[0, 3, -2]] += 0.08 * np.sin(rates * t)
        dq[[0, 3, -2]] += 0.08 * rates * np.cos(rates * t)
        station.robot.command(command(q, dq, gripper=0.0))
        station.step()
        if tick % 200 == 199:
            slip = max(slip, float(np.linalg.norm(grasp_offset(station, kind) - held)))
    return slip
