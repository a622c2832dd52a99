import threading
import time

import pytest
from ideal_robot import Bench, FramePlayer, IdealRobot

from teleloom.clock import MonotonicClock
from teleloom.config import ConfigError
from teleloom.messages import STAGES, Controller, ControlMode, XrFrame, decode, encode
from teleop import supervisor
from teleop.config import ClutchConfig, TeleopConfig, WorkspaceConfig
from teleop.loop import TeleopLoop
from teleop.operator import HapticPattern
from teleop.supervisor import INTERVENTIONS

HAND = (0.1, -0.2, 1.1, 0.0, 0.0, 0.0, 1.0)


def test_every_tick_publishes_the_robot_and_the_tick_and_each_frame_once():
    bench = Bench()
    bench.engage(HAND)
    frame = bench.frame(HAND, 1.0)
    for _ in range(3):
        bench.tick(frame)
    topics = [topic for topic, _ in bench.messages]
    assert topics.count("robot") == topics.count("tick") == 5
    assert topics.count("xr") == 3
    for _, message in bench.messages:
        assert decode(encode(message)) == message


def test_an_intervention_is_one_event_however_often_it_flickers():
    bench = Bench()
    bench.engage(HAND)
    for k in range(100):
        bench.tick(bench.frame(HAND, 1.0, age_s=1.0 if k % 2 else 0.0))
    assert bench.events("intervention").count(supervisor.INPUT_OUT_OF_ORDER) == 1
    bench.show(HAND, 1.0, 60)
    assert bench.events("intervention_end") == [supervisor.INPUT_OUT_OF_ORDER]


def test_the_operator_feels_and_reads_why_the_arm_refused():
    bench = Bench()
    bench.engage(HAND)
    assert bench.operator.felt[-1] == HapticPattern.ENGAGED
    assert bench.operator.seen[-1].mode == "human"
    bench.tick(bench.frame(HAND, 1.0, tracked=False))
    assert bench.operator.felt[-1] == HapticPattern.FAULT
    assert INTERVENTIONS[supervisor.TRACKING_LOST].explanation in bench.operator.seen[-1].refusal
    count = len(bench.operator.seen)
    bench.loop.recording = "recording 12 s"
    bench.tick(bench.frame(HAND, 1.0, tracked=False))
    assert len(bench.operator.seen) == count + 1
    assert bench.operator.seen[-1].recording == "recording 12 s"


def test_each_press_of_a_button_is_one_event():
    bench = Bench()
    for primary, secondary in ((False, False), (True, False), (True, False), (False, True), (True, True)):
        bench.tick(bench.frame(HAND, 0.0, primary=primary, secondary=secondary))
    assert bench.events("button") == ["primary", "secondary", "primary"]


def test_a_tick_tells_what_was_asked_and_what_was_done():
    bench = Bench()
    bench.engage(HAND)
    for k in range(100):
        bench.show((0.1, -0.2 + 0.001 * k, 1.1, *HAND[3:]), 1.0)
    tick = bench.show((0.1, -0.1, 1.1, *HAND[3:]), 1.0, 200)
    assert tick.mode == ControlMode.HUMAN
    assert tick.human_target == (tick.target_filtered, 1.0)
    assert tick.policy_target is None
    assert not tick.is_intervention
    assert tick.target_executed[1] == pytest.approx(tick.target_raw[1], abs=1e-3)
    assert bench.robot.commands[-1].q == tick.q_command
    assert tick.interventions == ()
    released = bench.show(HAND, 0.0)
    assert released.target_raw is released.human_target is None


def test_in_lockstep_the_same_frames_give_the_same_messages():
    def run():
        bench = Bench()
        bench.engage(HAND)
        for k in range(100):
            bench.show((0.1, -0.2 + 0.002 * k, 1.1, *HAND[3:]), 1.0)
        return [encode(message) for _, message in bench.messages]

    assert run() == run()


def test_in_real_time_each_stage_is_timed_and_the_pace_is_kept():
    clock = MonotonicClock()
    robot, operator, ticks = IdealRobot(clock), FramePlayer(), []
    loop = TeleopLoop(
        robot,
        operator,
        TeleopConfig(rate_hz=100.0),
        clock,
        lambda topic, m: ticks.append(m) if topic == "tick" else None,
    )
    stop = threading.Event()
    thread = threading.Thread(target=lambda: reports.append(loop.run(stop)))
    reports = []
    thread.start()
    for k in range(30):
        squeeze = 0.0 if k < 3 else 1.0
        operator.next = XrFrame(t_ns=clock.now_ns(), seq=k, right=Controller(pose=HAND, squeeze=squeeze))
        time.sleep(0.01)
    stop.set()
    thread.join()
    (report,) = reports
    assert 10 <= report.ticks <= 45
    assert set(report.stages) == set(STAGES)
    assert report.stages["read"].p50_us > 0.0
    assert 0.0 < report.stages["input_to_command"].p50_us < 1e6
    assert any(tick.engaged for tick in ticks)
    assert robot.holds >= 1


def test_a_workspace_without_the_start_pose_is_refused_by_name():
    with pytest.raises(ConfigError, match="the tool of 'panda' starts at"):
        Bench(TeleopConfig(workspace=WorkspaceConfig(lower_m=(0.6, -0.1, 0.0))))


def test_a_workspace_that_can_never_act_is_refused_by_name():
    far = WorkspaceConfig(lower_m=(-2.0, -2.0, -2.0), upper_m=(2.0, 2.0, 2.0))
    with pytest.raises(ConfigError, match="none of its walls can be reached"):
        Bench(TeleopConfig(workspace=far))


def test_a_wall_beyond_reach_is_a_warning_that_names_it():
    bench = Bench(TeleopConfig(workspace=WorkspaceConfig(upper_m=(5.0, 0.5, 0.8))))
    (warning,) = bench.loop.warnings
    assert "upper x wall at 5.00 m is beyond the reach of 'panda'" in warning


def test_a_clutch_without_hysteresis_and_an_empty_workspace_are_refused():
    with pytest.raises(ValueError, match="chatters"):
        ClutchConfig(engage_above=0.3, release_below=0.3)
    with pytest.raises(ValueError, match="workspace is empty along y"):
        WorkspaceConfig(lower_m=(0.0, 1.0, 0.0), upper_m=(1.0, 0.5, 1.0))


def test_every_intervention_has_an_explanation():
    names = {value for name, value in vars(supervisor).items() if name.isupper() and isinstance(value, str)}
    assert names == set(INTERVENTIONS)
    assert all(entry.explanation for entry in INTERVENTIONS.values())
