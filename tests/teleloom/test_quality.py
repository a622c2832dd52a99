"""The instant verdict on arrays whose faults are known."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from episode_samples import make_meta as make_episode_meta
from episode_samples import make_streams
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.writer import write_episode
from teleloom.quality import motion, timing
from teleloom.quality.assess import QUICK_CHECKS, assess, judge
from teleloom.quality.recording import Recording, timing_of
from teleloom.quality.report import QualityReport
from teleloom.specs import CameraSpec, RobotSpec

START_NS = 5_000_000_000


def min_jerk(fraction: np.ndarray) -> np.ndarray:
    return 10 * fraction**3 - 15 * fraction**4 + 6 * fraction**5


def reach_speed(duration_s: float, rate_hz: float) -> np.ndarray:
    u = np.arange(0.0, 1.0, 1.0 / (duration_s * rate_hz))
    return (30 * u**2 - 60 * u**3 + 30 * u**4) / duration_s


def make_meta(joints: int = 6, cameras: tuple[str, ...] = ("front",), **changes) -> EpisodeMeta:
    robot = RobotSpec(
        name="arm",
        joint_names=tuple(f"joint{i}" for i in range(joints)),
        q_min=(-3.0,) * joints,
        q_max=(3.0,) * joints,
        dq_max=(2.0,) * joints,
        ddq_max=(10.0,) * joints,
        effort_max=(80.0,) * joints,
        home_q=(0.0,) * joints,
        rate_hz=200.0,
        model="<mujoco/>",
    )
    task = TaskInfo(name="put_in_bowl", instructions=(Instruction(text="put the pear into the bowl", spoken=True),))
    known = {
        "episode_id": "0197",
        "station": "test",
        "operator": "tester",
        "task": task,
        "robot": robot,
        "cameras": tuple(CameraSpec(name=name, width=96, height=72, rate_hz=10.0) for name in cameras),
        "anchor": WallAnchor(monotonic_ns=0, wall_ns=0),
        "software_version": "0",
    }
    return EpisodeMeta.model_validate(known | changes)


def make_joints(t_s: np.ndarray, joints: int) -> np.ndarray:
    """There and back, each joint by its own amount, with a pause in the middle."""
    duration = t_s[-1] - t_s[0]
    out = min_jerk(np.clip((t_s - 0.5) / (0.4 * duration), 0, 1))
    back = min_jerk(np.clip((t_s - 0.55 * duration) / (0.4 * duration), 0, 1))
    return np.outer(out - 0.8 * back, np.linspace(0.4, 1.2, joints))


def picture(shift: float, noise: int = 0) -> bytes:
    columns = np.arange(96)
    row = (127 + 100 * np.sin((columns + shift) / 6.0)).astype(np.uint8)
    image = np.repeat(np.tile(row, (72, 1))[:, :, None], 3, axis=2).copy()
    if noise:
        image[0, 0] = noise
    return simplejpeg.encode_jpeg(image, quality=90, colorspace="RGB")


def make_recording(duration_s: float = 8.0, joints: int = 6, pictures: list[bytes] | None = None) -> Recording:
    t_s = np.arange(0.0, duration_s, 0.005)
    t_ns = START_NS + np.round(t_s * 1e9).astype(np.int64)
    q = make_joints(t_s, joints)
    seq = np.arange(len(t_ns))
    ee_pose = np.zeros((len(t_ns), 7))
    ee_pose[:, 0], ee_pose[:, 6] = q[:, 0], 1.0
    robot = {
        "t_ns": t_ns,
        "seq": seq,
        "q": q,
        "dq": np.gradient(q, 0.005, axis=0),
        "ee_pose": ee_pose,
        "gripper": (t_s < duration_s / 2).astype(float),
    }
    tick = {
        "t_ns": t_ns.copy(),
        "seq": seq,
        "q_command": make_joints(t_s + 0.05, joints),
        "target_executed": ee_pose,
        "gripper_command": robot["gripper"],
        "engaged": np.ones(len(t_ns), dtype=bool),
        "mode": np.ones(len(t_ns), dtype=np.uint8),
    }
    camera_ns = START_NS + np.arange(0, round(duration_s * 1e9), 100_000_000)
    frames = pictures or [picture(float(index)) for index in range(len(camera_ns))]
    camera = {"t_ns": camera_ns, "seq": np.arange(len(camera_ns))}
    return Recording(
        meta=make_meta(joints),
        start_ns=START_NS,
        end_ns=int(t_ns[-1]),
        robot=robot,
        tick=tick,
        cameras={"front": camera_ns},
        timing=timing_of({"robot": robot, "tick": tick, "cameras/front": camera}),
        frames=lambda name, indices: (frames[i] for i in indices),
    )


def with_rows(recording: Recording, robot: dict | None = None, tick: dict | None = None, camera=None) -> Recording:
    """The recording with other columns, its timing measured anew."""
    robot, tick = robot or recording.robot, tick or recording.tick
    camera_ns = recording.cameras["front"] if camera is None else camera
    camera = {"t_ns": camera_ns, "seq": np.arange(len(camera_ns))}
    streams = {"robot": robot, "tick": tick, "cameras/front": camera}
    return replace(recording, robot=robot, tick=tick, cameras={"front": camera_ns}, timing=timing_of(streams))


def kinds(report: QualityReport, severity: str) -> set[str]:
    return {finding.kind for finding in report.findings if finding.severity == severity}


def test_a_single_reach_has_the_published_sparc() -> None:
    assert motion.sparc(reach_speed(1.0, 100.0), 100.0) == pytest.approx(-1.41, abs=0.05)


def test_two_reaches_with_a_pause_are_less_smooth_than_one() -> None:
    one = reach_speed(1.0, 100.0)
    two = np.concatenate([one, np.zeros(50), one])
    assert motion.sparc(two, 100.0) < motion.sparc(one, 100.0) - 0.5
    assert motion.log_dimensionless_jerk(two, 100.0) < motion.log_dimensionless_jerk(one, 100.0) - 1.0


def test_ldlj_of_a_minimum_jerk_reach_is_the_closed_form() -> None:
    # v = 30u²(1-u)²/T: ∫v̈²dt = 720/T⁵ and v_max = 1.875/T, so LDLJ = -ln(720/1.875²) = -5.324.
    assert motion.log_dimensionless_jerk(reach_speed(1.0, 1000.0), 1000.0) == pytest.approx(-5.324, abs=0.02)


def test_smoothness_of_a_still_arm_is_unknown_rather_than_perfect() -> None:
    assert motion.sparc(np.zeros(100), 100.0) is None
    assert motion.log_dimensionless_jerk(np.zeros(100), 100.0) is None
    assert motion.path_efficiency(np.zeros((100, 6)), np.array([], dtype=int)) is None


def test_there_and_back_is_efficient_only_when_a_grasp_lies_between() -> None:
    out = np.linspace(0.0, 1.0, 101)[:, None]
    path = np.concatenate([out, out[::-1]])
    assert motion.path_efficiency(path, np.array([101])) == pytest.approx(1.0)
    assert motion.path_efficiency(path, np.array([], dtype=int)) == pytest.approx(0.0, abs=1e-9)


def test_rest_is_measured_at_both_ends() -> None:
    resting = np.concatenate([np.ones(150), np.zeros(100), np.ones(250)]).astype(bool)
    assert motion.rest(resting, 100.0) == pytest.approx((0.8, 1.5, 2.5))


def test_the_lag_between_command_and_state_is_found() -> None:
    t_s = np.arange(0.0, 6.0, 0.005)
    t_ns = np.round(t_s * 1e9).astype(np.int64)
    command = motion.even_motion(t_ns, make_joints(t_s + 0.07, 6), 100.0, 8.0)
    measured = motion.even_motion(t_ns, make_joints(t_s, 6), 100.0, 8.0)
    assert motion.command_lag(command, measured) == pytest.approx(0.07, abs=0.011)


def test_timing_counts_a_hole_by_time_and_by_number() -> None:
    t_ns = np.delete(np.arange(100) * 10_000_000, [40, 41, 42])
    seq = np.delete(np.arange(100), [40, 41, 42])
    measured = timing.stream_timing(t_ns, seq)
    assert (measured.rate_hz, measured.drops, measured.lost) == (100.0, 3, 3)
    assert (measured.worst_gap_ns, measured.worst_gap_at_ns) == (40_000_000, 390_000_000)


def test_nearest_distance_looks_both_ways() -> None:
    reference = np.array([0, 100, 200])
    assert timing.nearest_distance(np.array([-5, 40, 60, 250]), reference).tolist() == [5, 40, 40, 50]


def test_a_clean_reach_is_good() -> None:
    report = judge(make_recording())
    assert (report.verdict, report.score) == ("good", 1.0), report.findings
    assert report.metrics["path_efficiency"] > 0.9
    assert report.metrics["tick.rate_hz"] == pytest.approx(200.0)
    assert report.reason == ""


def test_a_frozen_camera_is_bad_and_its_span_is_named() -> None:
    pictures = [picture(float(min(index, 10) if index < 40 else index)) for index in range(80)]
    report = judge(make_recording(pictures=pictures))
    assert report.verdict == "bad"
    (finding,) = [f for f in report.findings if f.severity == "fault"]
    assert (finding.kind, finding.source) == ("frozen", "cameras/front")
    assert (finding.start_ns - START_NS, finding.end_ns - START_NS) == (1_000_000_000, 3_900_000_000)
    assert "front" in report.reason


def test_a_picture_frozen_but_for_one_flickering_pixel_is_still_frozen() -> None:
    pictures = [picture(0.0, noise=1 + index % 7) for index in range(80)]
    assert len(set(pictures)) > 1
    assert kinds(judge(make_recording(pictures=pictures)), "fault") == {"frozen"}


def test_a_still_picture_of_a_still_arm_is_no_fault() -> None:
    recording = make_recording(pictures=[picture(0.0)] * 80)
    still = dict(recording.robot, q=np.zeros_like(recording.robot["q"]))
    assert "frozen" not in kinds(judge(with_rows(recording, robot=still)), "fault")


def test_a_frame_that_is_no_jpeg_is_a_fault() -> None:
    pictures = [picture(float(index)) for index in range(79)] + [b"not a picture"]
    assert "unreadable" in kinds(judge(make_recording(pictures=pictures)), "fault")


def test_an_arm_that_never_moves_is_bad() -> None:
    recording = make_recording()
    still = dict(
        recording.robot,
        q=np.zeros_like(recording.robot["q"]),
        ee_pose=np.tile([0.0, 0, 0, 0, 0, 0, 1], (len(recording.robot["q"]), 1)),
    )
    assert kinds(judge(with_rows(recording, robot=still), run=QUICK_CHECKS), "fault") == {"no-motion"}


@pytest.mark.parametrize(("silence_s", "severity"), [(0.2, "warning"), (0.8, "fault")])
def test_a_silent_robot_is_reported_with_the_time_it_was_silent(silence_s: float, severity: str) -> None:
    recording = make_recording()
    t_ns = recording.robot["t_ns"]
    hole = (t_ns > START_NS + 3_000_000_000) & (t_ns < START_NS + 3_000_000_000 + silence_s * 1e9)
    report = judge(with_rows(recording, robot={k: v[~hole] for k, v in recording.robot.items()}), run=QUICK_CHECKS)
    (gap,) = [f for f in report.findings if f.kind == "gap"]
    assert (gap.severity, gap.source, gap.start_ns) == (severity, "robot", START_NS + 3_000_000_000)
    assert gap.end_ns - gap.start_ns == pytest.approx(silence_s * 1e9, abs=6e6)


def test_a_camera_that_stops_before_the_end_is_a_fault() -> None:
    recording = make_recording()
    report = judge(with_rows(recording, camera=recording.cameras["front"][:60]), run=QUICK_CHECKS)
    (gap,) = [f for f in report.findings if f.severity == "fault"]
    assert (gap.kind, gap.source, gap.end_ns) == ("gap", "cameras/front", recording.end_ns)


def test_a_promised_camera_without_frames_is_a_fault() -> None:
    recording = replace(make_recording(), meta=make_meta(cameras=("front", "wrist")))
    assert kinds(judge(recording, run=QUICK_CHECKS), "fault") == {"no-camera"}


def test_numbers_that_are_none_are_a_fault_and_break_no_other_check() -> None:
    recording = make_recording()
    q = recording.robot["q"].copy()
    q[400:402, 2] = np.nan
    report = judge(with_rows(recording, robot=dict(recording.robot, q=q)), run=QUICK_CHECKS)
    (fault,) = [f for f in report.findings if f.severity == "fault"]
    assert (fault.kind, fault.end_ns - fault.start_ns) == ("not-finite", 5_000_000)
    assert all(np.isfinite(value) for value in report.metrics.values())


def test_a_leap_of_the_command_is_found_and_a_quick_start_from_rest_is_not() -> None:
    recording = make_recording()
    q_command = recording.tick["q_command"].copy()
    q_command[1000:, 3] += 0.5
    leap = judge(with_rows(recording, tick=dict(recording.tick, q_command=q_command)), run=QUICK_CHECKS)
    jump = next(f for f in leap.findings if f.kind == "jump")
    assert jump.start_ns == recording.tick["t_ns"][999]
    assert leap.metrics["jumps_tick"] == 1.0
    assert judge(recording, run=QUICK_CHECKS).metrics["jumps_tick"] == 0.0


def busy_loop(catches_up: bool, stall_s: float, seconds: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """When the samples of a 200 Hz loop came, and when they were due, if one in twenty is held up for a while.

    catches_up: what was missed is made up for at once; otherwise it is passed over.
    """
    rng = np.random.default_rng(4)
    came, due = [0.0], [0.0]
    while due[-1] < seconds:
        free = came[-1] + 0.0002
        next_due = due[-1] + 0.005
        due.append(next_due if catches_up else max(next_due, np.ceil(free / 0.005) * 0.005))
        came.append(max(free, due[-1]) + (rng.exponential(stall_s) if rng.random() < 0.05 else 0.0))
    return np.array(came), np.array(due)


@pytest.mark.parametrize("catches_up", [True, False])
@pytest.mark.parametrize("stall_s", [0.0005, 0.004, 0.01, 0.04])
def test_late_samples_of_a_busy_machine_are_no_jumps_and_a_leap_among_them_is_one(
    catches_up: bool, stall_s: float
) -> None:
    recording = make_recording(duration_s=9.0)
    came_s, due_s = busy_loop(catches_up, stall_s)
    t_ns = START_NS + np.round(came_s * 1e9).astype(np.int64)
    q = np.sin(2.0 * due_s)[:, None] * 0.95 * np.array(recording.meta.robot.dq_max) / 2.0
    robot = {name: column[: len(q)] for name, column in recording.robot.items()} | {"t_ns": t_ns, "q": q}
    tick = {name: column[: len(q)] for name, column in recording.tick.items()} | {"t_ns": t_ns, "q_command": q}
    calm = judge(with_rows(recording, robot=robot, tick=tick), run=QUICK_CHECKS).metrics
    assert (calm["jumps_tick"], calm["jumps_robot"]) == (0.0, 0.0)
    leaping = np.where(np.arange(len(q))[:, None] < 700, q, q + 0.4)
    leap = judge(with_rows(recording, robot=robot, tick=tick | {"q_command": leaping}), run=QUICK_CHECKS)
    assert leap.metrics["jumps_tick"] == 1.0


def test_a_step_takes_a_period_at_least_and_more_after_a_late_sample() -> None:
    ms = np.array([0, 5, 10, 24, 25, 30, 35])
    taken = motion.step_seconds(ms * 1_000_000)
    assert (1000 * taken).round(6).tolist() == [5.0, 5.0, 14.0, 15.0, 5.0, 5.0]


def test_frames_of_the_hand_that_were_overtaken_are_no_loss(tmp_path: Path) -> None:
    verdicts = []
    for step in (1, 3):
        streams = make_streams(2.0)
        streams["xr"] = streams["xr"].rows(np.arange(0, len(streams["xr"]), step))
        path = tmp_path / f"{step}.h5"
        write_episode(path, make_episode_meta(), streams)
        with EpisodeReader(path) as reader:
            verdicts.append(assess(reader))
    assert verdicts[0] == verdicts[1]


def test_a_blocked_arm_is_a_warning_with_its_span() -> None:
    recording = make_recording()
    q = recording.robot["q"].copy()
    q[600:800, 1] += 0.3
    report = judge(with_rows(recording, robot=dict(recording.robot, q=q)), run=QUICK_CHECKS)
    (finding,) = [f for f in report.findings if f.kind == "tracking"]
    assert finding.start_ns == recording.robot["t_ns"][600]
    assert finding.end_ns == recording.robot["t_ns"][799]


def test_two_kinds_of_warning_make_an_episode_doubtful_and_ten_of_a_kind_do_not() -> None:
    recording = make_recording(duration_s=20.0)
    t_ns = recording.robot["t_ns"]
    holes = ((t_ns - START_NS) % 2_000_000_000 > 1_850_000_000) & (t_ns < START_NS + 19_000_000_000)
    gappy = {k: v[~holes] for k, v in recording.robot.items()}
    one_kind = judge(with_rows(recording, robot=gappy), run=QUICK_CHECKS)
    assert one_kind.metrics["robot.drops"] > 100
    meta = make_meta(outcome="success", success_check=False)
    still = replace(recording, meta=meta, interventions={"workspace": np.ones(len(t_ns), dtype=bool)})
    assert judge(still, run=QUICK_CHECKS).verdict == "good"
    assert judge(with_rows(replace(recording, meta=meta), robot=gappy), run=QUICK_CHECKS).verdict == "doubtful"


def test_an_empty_episode_is_bad_and_raises_nothing() -> None:
    recording = make_recording()
    empty = {name: column[:0] for name, column in recording.robot.items()}
    tick = {name: column[:0] for name, column in recording.tick.items()}
    report = judge(with_rows(recording, robot=empty, tick=tick, camera=recording.cameras["front"][:0]))
    assert report.verdict == "bad"
    assert {"no-state", "no-camera"} <= kinds(report, "fault")


SHORT = make_recording(duration_s=1.0)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), rows=st.integers(0, 12))
def test_no_numbers_and_no_times_break_the_verdict(data: st.DataObject, rows: int) -> None:
    floats = st.floats(allow_nan=True, allow_infinity=True)
    instants = st.integers(0, 10_000_000_000) | st.integers(0, 2**62)
    times = np.sort(data.draw(arrays.arrays(np.int64, rows, elements=instants)))
    frames = np.sort(data.draw(arrays.arrays(np.int64, 3, elements=instants)))
    robot = {
        "t_ns": times,
        "seq": np.arange(rows),
        "q": data.draw(arrays.arrays(np.float64, (rows, 6), elements=floats)),
        "dq": data.draw(arrays.arrays(np.float64, (rows, 6), elements=floats)),
        "ee_pose": data.draw(arrays.arrays(np.float64, (rows, 7), elements=floats)),
        "gripper": data.draw(arrays.arrays(np.float64, rows, elements=floats)),
    }
    tick = {
        "t_ns": times,
        "seq": np.arange(rows),
        "q_command": robot["q"][::-1],
        "target_executed": robot["ee_pose"],
        "gripper_command": robot["gripper"],
        "engaged": np.zeros(rows, dtype=bool),
        "mode": data.draw(arrays.arrays(np.uint8, rows)),
    }
    recording = with_rows(SHORT, robot=robot, tick=tick, camera=frames)
    everything = np.concatenate([times, frames])
    report = judge(replace(recording, start_ns=int(everything.min()), end_ns=int(everything.max())))
    assert report.verdict == "bad" or rows > 2
    assert all(np.isfinite(value) for value in report.metrics.values())


def test_half_a_minute_of_fourteen_joints_is_judged_in_little_time() -> None:
    recording = make_recording(duration_s=30.0, joints=14)
    judge(recording, run=QUICK_CHECKS)
    spent = []
    for _ in range(5):
        before = time.process_time()
        judge(recording, run=QUICK_CHECKS)
        spent.append(time.process_time() - before)
    assert min(spent) < 0.06
