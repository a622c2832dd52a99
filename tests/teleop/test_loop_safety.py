"""The whole control loop against anything that may come out of a headset."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ideal_robot import PANDA, Bench

from teleloom import pose
from teleloom.messages import ControlMode
from teleop import supervisor
from teleop.config import MappingConfig, PlaneObstacle, TeleopConfig, WorkspaceConfig
from teleop.kinematics import Kinematics

HAND = (0.1, -0.2, 1.1, 0.0, 0.0, 0.0, 1.0)
DT = 0.005
COUNTER = PlaneObstacle(name="counter", point_m=(0.0, 0.0, 0.0))


def moved(x=0.0, y=0.0, z=0.0, hand=HAND):
    return (hand[0] + x, hand[1] + y, hand[2] + z, *hand[3:])


def assert_limits_kept(bench):
    """Every command since the start within position, velocity and acceleration limits, and the tool in its box."""
    ruler, box = Kinematics(PANDA), bench.config.workspace
    q_before, dq_before = np.array(PANDA.home_q), np.zeros(7)
    for command in bench.robot.commands:
        q, dq = np.array(command.q), np.array(command.dq)
        assert np.all(q >= np.array(PANDA.q_min) - 1e-9)
        assert np.all(q <= np.array(PANDA.q_max) + 1e-9)
        assert np.all(np.abs(dq) <= np.array(PANDA.dq_max) + 1e-9)
        assert np.all(np.abs(q - q_before) <= np.array(PANDA.dq_max) * DT + 1e-9)
        assert np.all(np.abs(dq - dq_before) <= np.array(PANDA.ddq_max) * DT + 1e-9)
        np.testing.assert_allclose(q - q_before, dq * DT, atol=1e-9)
        assert supervisor.inside(ruler.pose_at(q)[:3], box, box.tolerance_m)
        assert 0.0 <= command.gripper <= 1.0
        q_before, dq_before = q, dq


speeds = st.tuples(*(st.floats(-6.0, 6.0) for _ in range(3)))
spins = st.tuples(*(st.floats(-15.0, 15.0) for _ in range(3)))
strange = st.sampled_from([math.nan, math.inf, -math.inf, 1e308, 0.0, 50.0])
acts = st.one_of(
    st.tuples(st.just("move"), speeds, spins, st.integers(1, 80)),
    st.tuples(st.just("move"), speeds, spins, st.integers(1, 80)),
    st.tuples(st.just("squeeze"), st.floats(0.0, 1.0), st.booleans(), st.integers(1, 5)),
    st.tuples(st.just("jump"), speeds, spins, st.integers(1, 5)),
    st.tuples(st.just("strange"), strange, st.integers(0, 8), st.integers(1, 3)),
    st.tuples(st.just("silence"), st.none(), st.none(), st.integers(1, 40)),
    st.tuples(st.just("time"), st.floats(-1.0, 1.0), st.none(), st.integers(1, 3)),
    st.tuples(st.just("lost"), st.sampled_from(["no hand", "inactive", "untracked"]), st.none(), st.integers(1, 5)),
)


class Hand:
    """Plays acts as frames of a hand that is squeezed, unless told otherwise."""

    def __init__(self, bench):
        self.bench = bench
        self.position, self.quat = np.array(HAND[:3]), np.array(HAND[3:])
        self.squeeze = 1.0

    def pose(self):
        return (*self.position.tolist(), *self.quat.tolist())

    def carry(self, velocity, spin, seconds):
        self.position = self.position + np.array(velocity) * seconds
        turn = pose.quat_from_rotvec([value * seconds for value in spin])
        self.quat = pose.quat_normalize(pose.quat_multiply(turn, self.quat))

    def frames(self, act):
        kind, a, b, ticks = act
        bench = self.bench
        for k in range(ticks):
            if kind == "silence":
                yield None
            elif kind == "move":
                self.carry(a, b, DT)
                # A headset gives about one frame in two ticks.
                yield bench.frame(self.pose(), self.squeeze) if k % 2 == 0 else None
            elif kind == "squeeze":
                self.squeeze = 1.0 if b else a
                yield bench.frame(self.pose(), self.squeeze if k else 0.0)
            elif kind == "jump":
                self.carry(a, b, 1.0)
                yield bench.frame(self.pose(), self.squeeze)
            elif kind == "strange":
                values = [*self.pose(), self.squeeze, 0.0]
                values[b] = a
                yield bench.frame(tuple(values[:7]), values[7], trigger=values[8])
            elif kind == "time":
                yield bench.frame(self.pose(), self.squeeze, age_s=a)
            elif a == "no hand":
                yield bench.frame(None, self.squeeze)
            else:
                yield bench.frame(self.pose(), self.squeeze, active=a != "inactive", tracked=a != "untracked")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(acts, min_size=1, max_size=14), st.booleans())
def test_no_sequence_of_frames_breaks_the_limits_or_the_workspace(plan, with_counter):
    bench = Bench(TeleopConfig(obstacles=(COUNTER,) if with_counter else ()))
    bench.engage(HAND)
    hand = Hand(bench)
    for act in plan:
        for frame in hand.frames(act):
            bench.tick(frame)
    for _ in range(150):
        tick = bench.tick()
    assert tick.mode == ControlMode.HOLD
    assert_limits_kept(bench)
    # Whatever the operator's device sends, the arm comes to rest within its limits: never by a hard stop.
    assert bench.robot.hard_stops == 0


def test_a_wild_hand_drives_the_tool_against_every_wall_but_not_through():
    bench = Bench()
    bench.engage(HAND)
    for corner in ((2.0, 2.0, 2.0), (-2.0, -2.0, -2.0), (2.0, -2.0, -2.0), (-2.0, 2.0, 2.0)):
        for k in range(240):
            share = min(k / 120.0, 1.0)
            bench.show(moved(*(share * value for value in corner)), 1.0)
        for k in range(240):
            bench.show(moved(*((1.0 - k / 240.0) * value for value in corner)), 1.0)
    assert_limits_kept(bench)
    assert "workspace" in bench.events("intervention")


def test_the_engaging_tick_asks_for_the_measured_tool_pose():
    for scale in (0.1, 1.0, 7.0):
        bench = Bench(TeleopConfig(mapping=MappingConfig(translation_scale=scale, rotation_scale=scale)))
        measured = bench.robot.read().ee_pose
        bench.show(HAND, 0.0)
        tick = bench.show(HAND, 1.0)
        assert tick.target_raw == tick.target_filtered == measured


def test_a_thousand_re_clutches_at_the_arm_leave_no_drift():
    bench = Bench()
    bench.engage(HAND)
    for k in range(100):
        bench.show(moved(0.001 * k, 0.0005 * k, -0.0005 * k), 1.0)
    rest = moved(0.1, 0.05, -0.05)
    bench.show(rest, 1.0, 300)
    before = bench.show(rest, 0.0, 20)
    for _ in range(1000):
        bench.show(rest, 1.0)
        after = bench.show(rest, 0.0)
    metres, radians = pose.distance(before.target_executed, after.target_executed)
    assert metres < 1e-9
    assert radians < 1e-7


def test_changing_the_scale_at_run_time_does_not_jump():
    bench = Bench()
    bench.engage(HAND)
    for k in range(100):
        before = bench.show(moved(0.001 * k), 1.0)
    bench.loop.rescale(MappingConfig(translation_scale=3.0))
    after = bench.show(moved(0.099), 1.0)
    assert math.dist(before.target_raw[:3], after.target_raw[:3]) < 1e-12
    assert bench.show(moved(0.109), 1.0, 200).target_raw[0] == pytest.approx(after.target_raw[0] + 0.03)


def moving_bench(**hand):
    """A bench whose arm follows a moving hand; where the hand is."""
    bench = Bench()
    bench.engage(HAND)
    for k in range(60):
        bench.show(moved(0.0, 0.002 * k), 1.0, **hand)
    return bench, moved(0.0, 0.12)


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ({"active": False}, supervisor.CONTROLLER_INACTIVE),
        ({"tracked": False}, supervisor.TRACKING_LOST),
        (None, supervisor.CONTROLLER_INACTIVE),
    ],
)
def test_a_lost_controller_holds_within_two_ticks(loss, name):
    bench, hand = moving_bench()
    speed = max(map(abs, bench.robot.commands[-1].dq))
    assert speed > 0.05
    ticks = [bench.tick(bench.frame(hand if loss else None, 1.0, **(loss or {}))) for _ in range(60)]
    assert ticks[0].mode == ControlMode.HOLD
    assert name in ticks[0].interventions
    assert ticks[-1].dq_command == (0.0,) * 7
    rest = next(k for k, tick in enumerate(ticks) if not any(tick.dq_command))
    assert rest * DT <= 0.2
    assert bench.robot.holds == 1
    assert_limits_kept(bench)


def test_a_pose_that_is_not_a_number_holds_in_the_same_tick():
    bench, hand = moving_bench()
    tick = bench.tick(bench.frame((math.nan, *hand[1:]), 1.0))
    assert tick.mode == ControlMode.HOLD
    assert tick.interventions == (supervisor.INPUT_NOT_FINITE,)


def test_a_frozen_sender_holds_within_100_ms():
    bench, _ = moving_bench()
    start = bench.clock.now_ns()
    tick = bench.tick()
    while tick.mode != ControlMode.HOLD:
        tick = bench.tick()
    # The last frame was one period old at the start.
    assert tick.t_ns - start + 5_000_000 <= 105_000_000
    assert supervisor.INPUT_STALE in tick.interventions


def test_a_frozen_sender_does_not_carry_the_arm_on():
    """What is left of the hand's velocity moves the target for at most the filter's extrapolation."""
    bench, _ = moving_bench()
    before = bench.tick().target_filtered
    for _ in range(15):
        after = bench.tick().target_filtered
    assert math.dist(before[:3], after[:3]) <= 0.4 * bench.config.filter.extrapolation_s + 1e-6


def test_a_repeated_frame_with_the_old_time_goes_stale():
    bench, hand = moving_bench()
    frame = bench.frame(hand, 1.0)
    modes = [bench.tick(frame).mode for _ in range(30)]
    assert modes[0] == ControlMode.HUMAN
    assert modes[-1] == ControlMode.HOLD


def test_after_a_fault_nothing_moves_until_the_clutch_was_released_and_squeezed():
    bench, hand = moving_bench()
    bench.tick(bench.frame(hand, 1.0, tracked=False))
    bench.show(hand, 1.0, 100)
    still = bench.loop.tick().q_command
    for k in range(50):
        hand = moved(0.0, 0.12 - 0.002 * k)
        tick = bench.show(hand, 1.0)
        assert tick.mode == ControlMode.HOLD
        assert supervisor.CLUTCH_NOT_RELEASED in tick.interventions
    assert tick.q_command == still
    bench.show(hand, 0.0)
    assert bench.show(hand, 1.0).engaged


def test_a_release_that_was_not_seen_valid_does_not_count():
    bench, hand = moving_bench()
    bench.tick(bench.frame(hand, 1.0, tracked=False))
    bench.tick(bench.frame(hand, 0.0, tracked=False))
    assert not bench.show(hand, 1.0).engaged


def test_a_clutch_squeezed_from_the_start_does_not_engage():
    bench = Bench()
    assert not bench.show(HAND, 1.0, 50).engaged
    assert bench.robot.commands == []
    bench.show(HAND, 0.0)
    assert bench.show(HAND, 1.0).engaged


def test_releasing_the_clutch_stops_and_squeezing_again_elsewhere_does_not_jump():
    bench, hand = moving_bench()
    bench.show(hand, 0.0, 60)
    before = bench.loop.tick().q_command
    elsewhere = moved(0.4, -0.3, 0.2)
    for k in range(30):
        bench.show(moved(0.4 * k / 30, 0.12 - 0.42 * k / 30, 0.2 * k / 30), 0.0)
    tick = bench.show(elsewhere, 1.0, 40)
    assert tick.engaged
    np.testing.assert_allclose(tick.q_command, before, atol=1e-6)


def test_a_jump_of_the_pose_is_a_fault():
    bench, _ = moving_bench()
    tick = bench.show(moved(0.5, 0.12), 1.0)
    assert tick.mode == ControlMode.HOLD
    assert supervisor.INPUT_JUMP in tick.interventions


def test_input_from_the_past_or_the_future_is_ignored_and_named():
    bench, hand = moving_bench()
    for age in (1.0, -1.0):
        tick = bench.tick(bench.frame(moved(0.0, 0.5), 1.0, age_s=age))
        assert tick.mode == ControlMode.HUMAN
        assert supervisor.INPUT_OUT_OF_ORDER in tick.interventions
        assert supervisor.INPUT_OUT_OF_ORDER not in bench.show(hand, 1.0).interventions


def test_an_emergency_stop_holds_the_robot_at_once_and_stays():
    bench, hand = moving_bench()
    sent = len(bench.robot.commands)
    bench.loop.stop_now()
    assert bench.robot.holds == 1
    for squeeze in (1.0, 0.0, 1.0):
        tick = bench.show(hand, squeeze, 10)
        assert tick.mode == ControlMode.HOLD
        assert supervisor.EMERGENCY_STOP in tick.interventions
    assert len(bench.robot.commands) == sent
    bench.loop.clear_stop()
    assert not bench.show(hand, 1.0).engaged
    bench.show(hand, 0.0)
    assert bench.show(hand, 1.0).engaged


def test_an_emergency_stop_holds_even_while_the_input_is_stale():
    bench, _ = moving_bench()
    bench.loop.stop_now()
    sent = len(bench.robot.commands)
    for _ in range(40):
        bench.tick()
    assert len(bench.robot.commands) == sent


def test_a_robot_that_does_not_follow_is_a_fault_after_a_moment():
    bench, hand = moving_bench()
    bench.robot.offset = 0.3
    ticks = [bench.show(hand, 1.0) for _ in range(40)]
    first = next(k for k, tick in enumerate(ticks) if supervisor.TRACKING_ERROR in tick.interventions)
    assert first * DT == pytest.approx(bench.config.safety.patience_s, abs=2 * DT)
    assert ticks[-1].mode == ControlMode.HOLD
    assert bench.robot.holds >= 1


def test_pushing_too_hard_is_a_fault_after_a_moment_and_a_short_peak_is_not():
    bench, hand = moving_bench()
    bench.robot.effort = (0.0, 86.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert supervisor.EFFORT_LIMIT not in bench.show(hand, 1.0, 10).interventions
    bench.robot.effort = (0.0,) * 7
    assert bench.show(hand, 1.0, 40).engaged
    bench.robot.effort = (0.0, 86.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert not bench.show(hand, 1.0, 30).engaged
    assert supervisor.EFFORT_LIMIT in bench.events("intervention")


def test_a_robot_state_that_is_not_a_number_holds():
    bench, hand = moving_bench()
    bench.robot.offset = math.nan
    tick = bench.show(hand, 1.0)
    assert tick.mode == ControlMode.HOLD
    assert supervisor.ROBOT_STATE in tick.interventions
    assert bench.robot.holds == 1


def test_an_arm_moved_while_holding_is_taken_up_where_it_is():
    bench, hand = moving_bench()
    bench.show(hand, 0.0, 80)
    bench.robot.offset = 0.1
    bench.show(hand, 0.0, 5)
    measured = bench.robot.read().q
    bench.robot.offset = 0.0
    bench.robot._q = measured
    tick = bench.show(hand, 1.0)
    assert tick.engaged
    np.testing.assert_allclose(tick.q_command, measured, atol=1e-9)


def test_a_tool_outside_the_workspace_does_not_engage():
    bench = Bench()
    bench.robot._q = (1.5, *PANDA.home_q[1:])
    bench.show(HAND, 0.0)
    tick = bench.show(HAND, 1.0)
    assert not tick.engaged
    assert supervisor.OUTSIDE_WORKSPACE in tick.interventions


def test_the_tool_leans_no_further_than_its_cone():
    bench = Bench(TeleopConfig(workspace=WorkspaceConfig(cone_rad=0.5)))
    bench.engage(HAND)
    for k in range(400):
        bench.show((*HAND[:3], *pose.quat_from_rotvec([0.0, 0.003 * k, 0.0]).tolist()), 1.0)
    axis = pose.quat_rotate(bench.loop.tick().target_executed[3:], (0.0, 0.0, 1.0))
    assert math.acos(-axis[2]) <= 0.5 + 5e-3
    assert supervisor.ORIENTATION in bench.events("intervention")


def test_the_gripper_follows_the_trigger_only_while_engaged():
    bench = Bench()
    bench.engage(HAND)
    assert bench.tick(bench.frame(HAND, 1.0, trigger=1.0)).gripper_command == 0.0
    assert bench.tick(bench.frame(HAND, 0.0, trigger=0.0)).gripper_command == 0.0
    assert bench.tick(bench.frame(HAND, 1.0, trigger=0.25)).gripper_command == 0.75
