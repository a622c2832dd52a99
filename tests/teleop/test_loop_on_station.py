"""The control loop on a simulated arm with dynamics, led by a hand that draws a figure-8 and turns."""

import math

import numpy as np
import pytest
from ideal_robot import FramePlayer

from robots.mujoco.station import SimulatedStation
from station.config import kitchen_teleop
from station.rehearsal import rehearse
from teleloom import pose
from teleloom.clock import NS_PER_S
from teleloom.messages import Controller, XrFrame
from teleop import supervisor
from teleop.config import FilterConfig, TeleopConfig
from teleop.filters import delay_s
from teleop.loop import TeleopLoop

FILTER = FilterConfig()
SECONDS = 8.0
SETTLED_S = 1.5


def hand_at(t):
    """Pose (7,) of the hand at t: 24 cm wide, 12 cm deep, turning by up to 0.4 rad, once in 6 s."""
    w = 2.0 * math.pi / 6.0
    position = (0.12 * math.sin(w * t), 0.06 * math.sin(2 * w * t), 1.0 + 0.05 * math.sin(w * t))
    turn = (0.2 * math.sin(w * t), 0.3 * math.sin(2 * w * t), 0.4 * math.sin(w * t))
    return tuple(pose.make(position, pose.quat_from_rotvec(turn)).tolist())


def target_at(t, home):
    """Where the tool should be at t with the filter's known delay taken out, separately in place and in turn."""
    metres, radians = pose.distance(hand_at(t - 1e-4), hand_at(t + 1e-4))
    late = hand_at(t - delay_s(metres / 2e-4, FILTER.position_min_cutoff_hz, FILTER.position_beta_hz_s_m))
    turned = hand_at(t - delay_s(radians / 2e-4, FILTER.rotation_min_cutoff_hz, FILTER.rotation_beta_hz_s_rad))
    start = hand_at(0.0)
    position = np.array(home[:3]) + np.array(late[:3]) - np.array(start[:3])
    return pose.make(
        position, pose.quat_multiply(pose.quat_multiply(turned[3:], pose.quat_conjugate(start[3:])), home[3:])
    )


@pytest.mark.parametrize("arm", ["panda", "ur5e"])
def test_a_hand_pressed_down_stops_at_the_counter_of_the_kitchen(arm):
    """The fingers come to the counter, to take what lies on it, and lean on it no harder than the arm may."""
    station = SimulatedStation(arm, "open-drawer", seed=0, cameras=())
    operator, events = FramePlayer(), []
    loop = TeleopLoop(
        station.robot,
        operator,
        kitchen_teleop(),
        station.clock,
        lambda topic, message: events.append(message.reason) if topic == "events" else None,
    )
    station.robot.connect()
    for k in range(500):
        pose_now = (0.0, 0.0, 1.0 - 0.6 * min(max(k - 10, 0) / 290.0, 1.0), 0.0, 0.0, 0.0, 1.0)
        operator.next = XrFrame(
            t_ns=station.clock.now_ns(), seq=k, right=Controller(pose=pose_now, squeeze=float(k > 5))
        )
        tick = loop.tick()
        station.step()
    station.close()
    assert tick.engaged
    assert "clearance" in events
    assert 0.005 < tick.target_executed[2] < 0.02


@pytest.mark.parametrize("arm", ["panda", "ur5e"])
def test_a_figure_eight_with_rotation_is_followed(arm):
    station = SimulatedStation(arm, "put-in-bowl", seed=0, cameras=())
    operator, events = FramePlayer(), []
    loop = TeleopLoop(
        station.robot,
        operator,
        TeleopConfig(filter=FILTER),
        station.clock,
        lambda topic, message: events.append(message.reason) if topic == "events" else None,
    )
    station.robot.connect()
    errors, seq, due, home = [], 0, 0.0, None

    def show(t, squeeze):
        operator.next = XrFrame(
            t_ns=station.clock.now_ns(), seq=seq, right=Controller(pose=hand_at(t), squeeze=squeeze)
        )

    show(0.0, 0.0)
    loop.tick()
    station.step()
    start_ns = station.clock.now_ns()
    while (t := (station.clock.now_ns() - start_ns) / NS_PER_S) < SECONDS:
        if t >= due:
            seq, due = seq + 1, due + 1.0 / 90.0
            show(t, 1.0)
        tick = loop.tick()
        assert tick.engaged
        home = home or tick.target_raw
        station.step()
        if t > SETTLED_S:
            reached = (station.clock.now_ns() - start_ns) / NS_PER_S
            errors.append(pose.distance(station.robot.read().ee_pose, target_at(reached, home)))
    station.close()
    metres, radians = np.sqrt(np.mean(np.square(errors), axis=0))
    assert metres < 2e-3
    assert math.degrees(radians) < 0.5
    assert "clearance" not in events


def test_wiping_the_counter_meets_neither_the_effort_nor_the_acceleration_limit():
    """A quick reach for the sponge: an arm that overshoots it drives its fingers into the counter with 400 N."""
    attempt = rehearse("panda", "wipe-counter", 19)
    assert attempt.success
    assert not {supervisor.EFFORT_LIMIT, supervisor.ACCELERATION_LIMIT} & set(attempt.interventions)
