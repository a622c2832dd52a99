import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from teleloom import pose
from teleop.braking import ToolBrake, braking_velocity, stopping_distance, stopping_time
from teleop.config import GovernorConfig, WorkspaceConfig
from teleop.governor import BRAKE_SHARE, SLACK_S2, approach, govern, stoppable, walls

DT = 0.005
CONFIG = GovernorConfig()
LIMITS = CONFIG.linear
BOX = WorkspaceConfig(lower_m=(0.2, -0.3, 0.0), upper_m=(0.8, 0.3, 0.5))


@given(st.floats(0.0, 5.0), st.floats(0.1, 50.0))
def test_from_the_braking_velocity_steps_end_within_the_distance(distance, deceleration):
    speed, covered = braking_velocity(distance, deceleration, DT), 0.0
    while speed > 0.0:
        covered += speed * DT
        speed -= deceleration * DT
    assert covered <= distance + 1e-9


@given(st.floats(1e-6, 5.0), st.floats(0.1, 50.0))
def test_a_slightly_higher_speed_than_the_braking_velocity_would_not_stop_in_time(distance, deceleration):
    speed, covered = braking_velocity(distance, deceleration, DT) * 1.001 + 1e-9, 0.0
    while speed > 0.0:
        covered += speed * DT
        speed -= deceleration * DT
    assert covered > distance


@given(st.floats(0.0, 5.0), st.floats(0.1, 50.0))
def test_beyond_the_stopping_distance_the_braking_velocity_is_no_limit(speed, deceleration):
    assert braking_velocity(stopping_distance(speed, deceleration, DT), deceleration, DT) >= speed


def drive(targets, start):
    """Positions, velocities and accelerations of a point governed towards each target in turn."""
    p, v, a = np.array(start), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    track = []
    for target in targets:
        room = walls(tuple(p.tolist()), BOX, LIMITS, DT)
        wanted = approach(tuple((target - p).tolist()), (0.0, 0.0, 0.0), CONFIG.gain_per_s, LIMITS.acceleration)
        governed = govern(wanted, v, a, LIMITS, DT, room)
        v, a = governed.velocity, governed.acceleration
        p = p + DT * np.array(v)
        track.append((p, np.array(v), np.array(a)))
    return track


anywhere = st.tuples(*(st.floats(-2.0, 2.0) for _ in range(3)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(anywhere, st.integers(1, 80)), min_size=1, max_size=8))
def test_no_target_breaks_velocity_acceleration_or_the_walls(plan):
    targets = [np.array(target) for target, ticks in plan for _ in range(ticks)]
    for p, v, a in drive(targets, (0.5, 0.0, 0.25)):
        assert np.linalg.norm(v) <= LIMITS.velocity + 1e-9
        assert np.linalg.norm(a) <= LIMITS.acceleration + 1e-6
        assert np.all(p >= np.array(BOX.lower_m) - 1e-9)
        assert np.all(p <= np.array(BOX.upper_m) + 1e-9)


def test_away_from_the_walls_the_jerk_is_limited():
    track = drive([np.array((0.6, 0.1, 0.3))] * 200, (0.4, -0.1, 0.2))
    change = np.diff([(0.0, 0.0, 0.0)] + [a for _, _, a in track], axis=0)
    assert np.linalg.norm(change, axis=1).max() <= LIMITS.jerk * DT + 1e-6


def test_a_jump_of_the_target_is_reached_without_overshoot():
    track = drive([np.array((0.7, 0.0, 0.25))] * 400, (0.3, 0.0, 0.25))
    xs = np.array([p[0] for p, _, _ in track])
    assert abs(xs[-1] - 0.7) < 1e-4
    assert xs.max() < 0.7 + 1e-3


@given(anywhere, anywhere, anywhere, st.tuples(*(st.floats(-3.0, 3.0) for _ in range(3))))
def test_turning_the_world_turns_the_velocity(error, velocity, acceleration, turn):
    q = pose.quat_from_rotvec(turn)

    def turned(v):
        return tuple(pose.quat_rotate(q, v).tolist())

    def answer(e, v, a):
        return govern(approach(e, (0.0, 0.0, 0.0), 30.0, LIMITS.acceleration), v, a, LIMITS, DT).velocity

    there = answer(turned(error), turned(velocity), turned(acceleration))
    np.testing.assert_allclose(there, turned(answer(error, velocity, acceleration)), atol=1e-9)


def test_a_slow_target_is_followed_exactly():
    """Feed-forward: a target that moves within the limits is not lagged behind."""
    p, v, a = 0.3, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    for k in range(600):
        goal, speed = 0.3 + 0.05 * (1 - math.cos(k * DT)), 0.05 * math.sin(k * DT)
        governed = govern(
            approach((goal - p, 0.0, 0.0), (speed, 0.0, 0.0), 30.0, LIMITS.acceleration), v, a, LIMITS, DT
        )
        v, a = governed.velocity, governed.acceleration
        p += DT * v[0]
    assert abs(p - goal) < 3e-4


@given(st.floats(0.05, 0.8), st.floats(1.0, 5.0))
def test_a_tool_that_brakes_badly_still_stops_where_its_target_does(speed, brake):
    """The target goes evenly and then brakes at the governor's acceleration, which the tool cannot."""
    target, tool, v, pace = 0.0, 0.0, 0.0, speed
    for k in range(600):
        if k > 200:
            pace = max(pace - LIMITS.acceleration * DT, 0.0)
        target += DT * pace
        error, ff = (target - tool, 0.0, 0.0), (pace, 0.0, 0.0)
        planned = BRAKE_SHARE * brake
        wanted = stoppable(approach(error, ff, 30.0, planned), error, ff, LIMITS, planned, DT)[0]
        v += min(max(wanted - v, -brake * DT), brake * DT)
        tool += DT * v
        assert tool <= target + 0.5 * pace**2 / LIMITS.acceleration + SLACK_S2 * LIMITS.acceleration + 2e-3
    assert abs(tool - target) < 2e-3


def test_a_tool_that_brakes_as_well_as_its_target_needs_no_distance():
    wanted = stoppable((0.6, 0.0, 0.0), (0.0, 0.0, 0.0), (0.6, 0.0, 0.0), LIMITS, LIMITS.acceleration, DT)
    assert wanted == (0.6, 0.0, 0.0)


def test_the_joint_that_needs_longest_sets_the_stopping_time():
    assert stopping_time((0.5, -2.0, 0.0), (5.0, 10.0, 1.0)) == 0.2


def test_a_tool_at_rest_is_taken_to_brake_as_hard_as_it_may():
    assert ToolBrake(5.0, DT).deceleration(0.0, 0.0) == 5.0


def test_a_posture_that_gets_worse_is_counted_on_for_less():
    steady, worsening = ToolBrake(5.0, DT), ToolBrake(5.0, DT)
    for k in range(40):
        before = steady.deceleration(0.5, 0.2)
        after = worsening.deceleration(0.5, 0.2 * (1.0 - 0.01 * (39 - k)))
    assert abs(before - (0.5 + 0.05) / 0.21) < 0.05
    assert after < 0.9 * before
