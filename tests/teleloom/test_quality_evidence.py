"""Every figure of the verdict seeks to the time that shows it, and the signature is the way of the tool."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_quality import START_NS, make_recording, with_rows

from teleloom.quality import judge
from teleloom.quality.assess import QUICK_CHECKS
from teleloom.quality.recording import Recording
from teleloom.quality.signature import resampled, signature
from teleloom.quality.spans import busiest, densest, without_gaps

DURATION_S = 12.0


def seconds(span: tuple[int, int]) -> tuple[float, float]:
    return (span[0] - START_NS) / 1e9, (span[1] - START_NS) / 1e9


def moving(t_s: np.ndarray, q: np.ndarray) -> Recording:
    """A recording of joints (N, 6) that the tool follows with its first three, 1 m per rad."""
    recording = make_recording(duration_s=DURATION_S)
    ee_pose = np.zeros((len(q), 7))
    ee_pose[:, :3], ee_pose[:, 6] = q[:, :3], 1.0
    robot = dict(recording.robot, q=q, dq=np.gradient(q, t_s, axis=0), ee_pose=ee_pose)
    return with_rows(recording, robot=robot, tick=dict(recording.tick, q_command=q))


def times() -> np.ndarray:
    return np.arange(0.0, DURATION_S, 0.005)


def always_on_the_way() -> np.ndarray:
    return 0.3 * np.sin(0.8 * times())[:, None] * np.linspace(0.5, 1.0, 6)


def within(t_s: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    return ((t_s >= start_s) & (t_s < end_s))[:, None]


def test_every_evidence_lies_within_the_episode_and_belongs_to_a_figure() -> None:
    report = judge(make_recording())
    start, end = report.evidence["duration_s"]
    assert set(report.evidence) <= set(report.metrics)
    assert all(start <= first <= last <= end for first, last in report.evidence.values())
    shown = {"sparc", "ldlj", "shake_rad_s", "path_efficiency", "idle_longest_s", "cameras/front.sharpness"}
    assert shown <= set(report.evidence)


def test_shaking_is_measured_and_shown_where_it_is() -> None:
    t_s = times()
    shake = 0.02 * np.sin(2 * np.pi * 4.5 * t_s)[:, None] * within(t_s, 7.0, 8.5)
    calm = judge(moving(t_s, always_on_the_way()), run=QUICK_CHECKS)
    jerky = judge(moving(t_s, always_on_the_way() + shake), run=QUICK_CHECKS)
    assert jerky.metrics["shake_rad_s"] > 10.0 * calm.metrics["shake_rad_s"]
    start, end = seconds(jerky.evidence["shake_rad_s"])
    assert 6.9 < start < end < 8.6
    assert jerky.evidence["sparc"] == jerky.evidence["shake_rad_s"]


def test_a_pause_on_the_way_is_idle_though_the_hand_trembles_and_the_elbow_drifts() -> None:
    t_s = times()
    clock_s = np.where(t_s < 4.0, t_s, np.where(t_s < 8.5, 4.0, t_s - 4.5))
    q = 0.4 * np.sin(1.2 * clock_s)[:, None] * np.ones(6)
    q += 0.0004 * np.sin(2 * np.pi * 9.0 * t_s)[:, None]
    q[:, 5] += 0.03 * t_s
    report = judge(moving(t_s, q), run=QUICK_CHECKS)
    assert seconds(report.evidence["idle_longest_s"]) == pytest.approx((4.0, 8.5), abs=0.5)
    assert report.metrics["idle_longest_s"] == pytest.approx(4.5, abs=0.6)
    assert [finding.kind for finding in report.findings if finding.kind == "pause"] == ["pause"]


def test_a_pause_is_no_jerk() -> None:
    t_s = times()
    clock_s = np.where(t_s < 4.0, t_s, np.where(t_s < 8.5, 4.0, t_s - 4.5))
    paused = judge(moving(t_s, 0.4 * np.sin(1.2 * clock_s)[:, None] * np.ones(6)), run=QUICK_CHECKS)
    sparc, whole = paused.metrics["sparc"], judge(moving(t_s, always_on_the_way()), run=QUICK_CHECKS).metrics["sparc"]
    assert abs(sparc - whole) < 1.0


def test_lost_frames_are_shown_where_most_were_lost() -> None:
    recording = make_recording(duration_s=DURATION_S)
    t_s = (recording.cameras["front"] - START_NS) / 1e9
    lost = (np.abs(t_s - 2.0) < 0.05) | (np.isin(np.arange(len(t_s)), (70, 72, 73, 75)))
    report = judge(with_rows(recording, camera=recording.cameras["front"][~lost]), run=QUICK_CHECKS)
    (drops,) = [finding for finding in report.findings if finding.kind == "drops"]
    assert seconds((drops.start_ns, drops.end_ns)) == pytest.approx((6.9, 7.6))
    assert report.metrics["cameras/front.drop_share"] == pytest.approx(5 / len(t_s))


def test_saturation_is_shown_where_the_joint_is_at_its_limit() -> None:
    t_s = times()
    q = always_on_the_way()
    fast = np.clip(t_s - 5.0, 0.0, 1.0) * 2.0
    q[:, 2] += fast
    report = judge(moving(t_s, q), run=QUICK_CHECKS)
    assert report.metrics["saturation_share"] > 0.02
    start, end = seconds(report.evidence["saturation_share"])
    assert 4.9 <= start < end <= 6.1


def test_empty_steps_are_shown_where_most_of_them_are() -> None:
    recording = make_recording(duration_s=DURATION_S)
    step_t_ns = START_NS + np.arange(120) * 100_000_000
    valid = np.ones(120, dtype=bool)
    valid[[3, 60, 61, 62, 64]] = False
    stepped = replace(recording, step_t_ns=step_t_ns, step_valid={"cameras/front": valid})
    (finding,) = [f for f in judge(stepped, run=QUICK_CHECKS).findings if f.kind == "invalid-steps"]
    assert seconds((finding.start_ns, finding.end_ns)) == pytest.approx((6.0, 6.4))


def test_the_safety_chain_s_work_is_counted_even_where_there_was_none() -> None:
    recording = make_recording()
    ticks = len(recording.tick["t_ns"])
    bits = dict(recording.tick, interventions=np.zeros(ticks, dtype=np.uint64))
    assert judge(with_rows(recording, tick=bits), run=QUICK_CHECKS).metrics["interventions"] == 0.0
    active = np.zeros(ticks, dtype=bool)
    active[400:420] = active[900:910] = True
    some = replace(with_rows(recording, tick=bits), interventions={"workspace": active})
    assert judge(some, run=QUICK_CHECKS).metrics["interventions"] == 2.0


def test_the_signature_is_the_way_of_the_tool_whatever_the_pauses() -> None:
    recording = make_recording()
    points = np.array(signature(recording)).reshape(16, 4)
    assert points[0, 0] == pytest.approx(recording.robot["ee_pose"][0, 0], abs=0.02)
    assert points[-1, 0] == pytest.approx(recording.robot["ee_pose"][-1, 0], abs=0.02)
    assert (points[0, 3], points[-1, 3]) == (recording.meta.robot.gripper_max_m, 0.0)
    t_ns = np.arange(0, 8_000_000_000, 5_000_000)
    way = np.column_stack([np.linspace(0.0, 0.5, len(t_ns)), np.sin(np.linspace(0.0, 3.0, len(t_ns)))])
    half = len(way) // 2
    paused = np.concatenate([way[:half], np.repeat(way[half : half + 1], 600, axis=0), way[half:]])
    with_pause = resampled(np.arange(len(paused)) * 5_000_000, paused)
    assert np.abs(with_pause - resampled(t_ns, way)).max() < 0.01


def test_an_episode_without_a_pose_has_no_signature() -> None:
    recording = make_recording()
    nowhere = np.full_like(recording.robot["ee_pose"], np.nan)
    assert signature(with_rows(recording, robot=dict(recording.robot, ee_pose=nowhere))) == ()
    assert judge(replace(recording, robot={})).signature == ()


def test_spans_are_found() -> None:
    t_ns = np.arange(10) * 1_000_000_000
    assert busiest(np.array([0, 0, 1, 5, 5, 1, 0, 0, 0, 0.0]), t_ns, 2) == ((3_000_000_000, 4_000_000_000), 5.0)
    assert densest(t_ns[[0, 5, 6]], t_ns[[0, 5, 6]], np.array([1.5, 1.0, 1.0]), 1.0) == (5_000_000_000, 6_000_000_000)
    mask = np.array([False, True, False, True, False, False, False, True])
    assert without_gaps(mask, 2).tolist() == [False, True, True, True, False, False, False, True]
