import math

import pytest
from ideal_robot import PANDA, Bench

from teleloom.clock import VirtualClock
from teleloom.messages import Controller, ControlMode, XrFrame
from teleop import supervisor
from teleop.announcer import Announced, announce
from teleop.config import TeleopConfig, WorkspaceConfig
from teleop.motion import Step
from teleop.supervisor import Admission, admit, confine, output_fault, refuse
from teleop.timing import CycleTimer

CONFIG = TeleopConfig()
HAND = (0.1, -0.2, 1.1, 0.0, 0.0, 0.0, 1.0)
REST = (0.0,) * 7
TOOL = (0.5, 0.0, 0.3)
MS = 1_000_000


def frame(t_ms, squeeze, **hand):
    pose = hand.pop("pose", HAND)
    return XrFrame(t_ns=t_ms * MS, seq=t_ms, right=Controller(pose=pose, squeeze=squeeze, **hand))


def after(*steps):
    """The admission after each (now in ms, frame) in turn."""
    state = Admission()
    for now_ms, given in steps:
        state = admit(now_ms * MS, given, state, CONFIG)
    return state


def test_the_clutch_has_hysteresis():
    state = after((1, frame(1, 0.0)), (6, frame(6, 0.69)))
    assert not state.engaged
    state = admit(11 * MS, frame(11, 0.71), state, CONFIG)
    assert state.engaged
    state = admit(16 * MS, frame(16, 0.31), state, CONFIG)
    assert state.engaged
    assert not admit(21 * MS, frame(21, 0.3), state, CONFIG).engaged


def test_input_is_fresh_up_to_its_age_limit_and_stale_beyond():
    state = after((1, frame(1, 0.0)), (6, frame(6, 1.0)))
    assert admit(106 * MS, None, state, CONFIG).engaged
    stale = admit(106 * MS + 1, None, state, CONFIG)
    assert not stale.engaged
    assert stale.interventions == (supervisor.INPUT_STALE,)
    assert stale.must_release


def test_the_other_hand_does_not_drive_the_arm():
    left = XrFrame(t_ns=MS, seq=1, left=Controller(pose=HAND, squeeze=1.0))
    assert admit(MS, left, Admission(), CONFIG).interventions == (supervisor.CONTROLLER_INACTIVE,)
    assert admit(MS, left, Admission(), TeleopConfig(hand="left")).interventions == (supervisor.CLUTCH_NOT_RELEASED,)


@pytest.mark.parametrize(
    "pose",
    [
        (math.nan, *HAND[1:]),
        (*HAND[:6], math.inf),
        (*HAND[:3], 0.0, 0.0, 0.0, 0.0),
        (*HAND[:6], 1.1),
        (1e6, *HAND[1:]),
    ],
)
def test_a_pose_that_no_hand_can_have_is_not_used(pose):
    state = after((1, frame(1, 0.0)), (6, frame(6, 1.0)), (11, frame(11, 1.0, pose=pose)))
    assert state.hand is None
    assert state.interventions == (supervisor.INPUT_NOT_FINITE,)


def test_a_squeeze_or_trigger_that_is_not_a_number_is_not_used():
    assert after((1, frame(1, math.nan))).interventions == (supervisor.INPUT_NOT_FINITE,)
    assert after((1, frame(1, 0.0, trigger=math.nan))).interventions == (supervisor.INPUT_NOT_FINITE,)


def test_only_a_fault_or_a_closed_clutch_asks_for_a_release():
    open_clutch = after((1, frame(1, 0.0)))
    assert not refuse(open_clutch, supervisor.OUTSIDE_WORKSPACE).must_release
    assert refuse(open_clutch, supervisor.EFFORT_LIMIT).must_release
    closed = admit(6 * MS, frame(6, 1.0), open_clutch, CONFIG)
    assert refuse(closed, supervisor.OUTSIDE_WORKSPACE).must_release


def test_a_target_inside_the_workspace_is_not_touched_and_one_outside_is_brought_to_its_face():
    inside = (0.5, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0)
    assert confine(inside, CONFIG.workspace) == (inside, ())
    target, names = confine((0.9, 0.0, -0.1, 1.0, 0.0, 0.0, 0.0), CONFIG.workspace)
    assert target[:3] == (0.8, 0.0, 0.0)
    assert names == (supervisor.WORKSPACE,)


def test_a_tool_pointing_straight_up_is_brought_into_the_cone():
    target, names = confine((0.5, 0.0, 0.3, 0.0, 0.0, 0.0, 1.0), WorkspaceConfig(cone_rad=1.0))
    assert names == (supervisor.ORIENTATION,)
    x, y, _, w = target[3:]
    lean = math.acos(-(1.0 - 2.0 * (x * x + y * y)))
    assert lean == pytest.approx(1.0, abs=1e-9)
    assert abs(math.hypot(*target[3:]) - 1.0) < 1e-9
    assert w != 1.0


@pytest.mark.parametrize(
    ("q", "dq"),
    [
        ((math.nan, *PANDA.home_q[1:]), REST),
        (PANDA.home_q, (math.inf, *REST[1:])),
        ((2.9, *PANDA.home_q[1:]), REST),
        ((0.02, *PANDA.home_q[1:]), REST),
        (PANDA.home_q, (0.2, *REST[1:])),
    ],
)
def test_the_output_guard_refuses_what_breaks_a_limit(q, dq):
    before = (PANDA.home_q, REST)
    assert output_fault(PANDA.home_q, REST, before, (TOOL, TOOL), PANDA, CONFIG) is None
    assert output_fault(q, dq, before, (TOOL, TOOL), PANDA, CONFIG) == supervisor.OUTPUT_GUARD


def test_the_output_guard_lets_a_tool_outside_the_workspace_move_only_inward():
    before = (PANDA.home_q, REST)
    near, far = (0.81, 0.0, 0.3), (0.82, 0.0, 0.3)
    assert output_fault(PANDA.home_q, REST, before, (near, far), PANDA, CONFIG) == supervisor.OUTPUT_GUARD
    assert output_fault(PANDA.home_q, REST, before, (far, near), PANDA, CONFIG) is None


def test_a_command_that_the_guard_refuses_is_not_sent_and_the_robot_holds():
    """Fault injection: the planner answers with a leap."""
    bench = Bench()
    bench.engage(HAND)
    sent, motion = len(bench.robot.commands), bench.loop._motion
    leap = tuple(value + 0.5 for value in PANDA.home_q)
    motion.plan = lambda target: Step(leap, REST, motion.tool)
    tick = bench.show(HAND, 1.0)
    assert tick.mode == ControlMode.HOLD
    assert tick.interventions == (supervisor.OUTPUT_GUARD,)
    assert len(bench.robot.commands) == sent
    assert bench.robot.holds == 1
    del motion.plan
    assert not bench.show(HAND, 1.0).engaged
    bench.show(HAND, 0.0)
    assert bench.show(HAND, 1.0).engaged


def test_an_announcement_is_made_when_it_begins_and_when_it_has_ended():
    said, state = announce(0, ControlMode.HUMAN, True, (supervisor.WORKSPACE,), Announced())
    assert [(n.kind, n.reason) for n in said] == [
        ("intervention", "workspace"),
        ("mode", "human"),
        ("clutch", "engaged"),
    ]
    said, state = announce(100 * MS, ControlMode.HUMAN, True, (), state)
    assert said == []
    said, state = announce(200 * MS, ControlMode.HUMAN, True, (supervisor.WORKSPACE,), state)
    assert said == []
    said, state = announce(500 * MS, ControlMode.HUMAN, True, (), state)
    assert [(n.kind, n.reason) for n in said] == [("intervention_end", "workspace")]
    assert state.seen == {}


class LateClock(VirtualClock):
    """A virtual clock on a machine that oversleeps once."""

    def __init__(self, late_ns):
        super().__init__()
        self._late_ns = [0, 0, late_ns, 0, 0]

    def sleep_until(self, t_ns):
        super().sleep_until(t_ns + (self._late_ns.pop(0) if self._late_ns else 0))


def test_a_late_tick_is_counted_and_named_and_the_pace_returns_to_the_grid(caplog):
    clock = LateClock(23 * MS)
    timer = CycleTimer(clock, 100.0, ("a", "b"))
    times = []
    for k in range(5):
        timer.record((1000 * k, -1))
        timer.wait()
        times.append(clock.now_ns() // MS)
    report = timer.report()
    assert times == [10, 20, 53, 60, 70]
    assert (report.ticks, report.late) == (5, 1)
    assert report.worst_late_ms == pytest.approx(23.0)
    assert report.stages["a"].p50_us == pytest.approx(2.0)
    assert report.stages["b"].p99_us == 0.0
    assert "control tick 23.0 ms late" in caplog.text
