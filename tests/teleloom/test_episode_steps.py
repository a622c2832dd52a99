"""The step table is exactly what a slow, obvious search through the samples finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from episode_samples import JOINTS, MS, camera, control_tick, pose, robot_state, table
from hypothesis import given, settings
from hypothesis import strategies as st

from teleloom.episode.steps import (
    MAX_STEPS,
    Steps,
    align,
    build_steps,
    camera_state_error_ns,
    default_max_age_ns,
    grid,
)
from teleloom.episode.streams import Columns, Stream, time_order
from teleloom.messages import ControlMode

NAMES = tuple(f"joint{i}" for i in range(JOINTS))


def steps_of(streams: dict[str, Stream], rate_hz: float = 10.0, **limits: int) -> Steps:
    return build_steps({name: stream.columns for name, stream in streams.items()}, rate_hz, NAMES, limits)


@given(
    start=st.integers(0, 2**60), span=st.integers(0, 10**10), rate_hz=st.sampled_from([1.0, 3.0, 10.0, 29.97, 200.0])
)
def test_grid_is_regular_starts_at_the_start_and_never_passes_the_end(start: int, span: int, rate_hz: float) -> None:
    times = grid(start, start + span, rate_hz)
    assert times[0] == start
    assert times[-1] <= start + span < times[-1] + math.ceil(1e9 / rate_hz) + 1
    assert [int(t) - start for t in times] == [round(k * (1e9 / rate_hz)) for k in range(len(times))]


def test_grid_without_common_time_is_empty_and_an_absurd_one_is_refused() -> None:
    assert len(grid(10, 9, 10.0)) == 0
    with pytest.raises(ValueError, match=str(MAX_STEPS)):
        grid(0, 2**62, 10.0)


@given(
    times=st.lists(st.integers(0, 1000), max_size=30),
    at=st.lists(st.integers(0, 1000), max_size=30),
    limit=st.integers(0, 300),
)
def test_align_shows_the_newest_sample_that_is_not_from_the_future(times: list[int], at: list[int], limit: int) -> None:
    times.sort()
    aligned = align(np.array(times, dtype=np.int64), np.array(at, dtype=np.int64), limit)
    for k, t in enumerate(at):
        past = [i for i, sample in enumerate(times) if sample <= t]
        index = past[-1] if past else -1
        age = t - times[index] if past else -1
        assert (aligned.index[k], aligned.age_ns[k], aligned.valid[k]) == (index, age, bool(past) and age <= limit)


stamps = st.lists(st.integers(0, 400).map(lambda i: i * MS * 5), min_size=1, max_size=60)


def expected_steps(sources: dict[str, list[tuple[int, int]]], rate_hz: float) -> list[dict[str, float]]:
    """The oracle: sources hold (t_ns, seq) in any order with repeats; every step is searched for in plain Python."""
    rows = {name: sorted(set(samples)) for name, samples in sources.items()}
    start = max(samples[0][0] for samples in rows.values())
    end = min(samples[-1][0] for samples in rows.values())
    period = 1e9 / rate_hz
    steps, k = [], 0
    while start + round(k * period) <= end:
        t, following = start + round(k * period), start + round((k + 1) * period)
        newest = {name: max(s for s in samples if s[0] <= t) for name, samples in rows.items()}
        commanded = max(s for s in rows["tick"] if s[0] < following)
        steps.append(
            {
                "t_ns": t,
                "q": newest["robot"][1],
                "camera": rows["cameras/front"].index(newest["cameras/front"]),
                "age": t - newest["cameras/front"][0],
                "action": commanded[1],
                "mode": commanded[1] % 4,
            }
        )
        k += 1
    return steps


@settings(max_examples=150, deadline=None)
@given(
    robot=stamps,
    tick=stamps,
    front=stamps,
    offset=st.integers(0, 40 * MS),
    rate_hz=st.sampled_from([7.0, 10.0, 30.0]),
    data=st.data(),
)
def test_offset_jitter_gaps_and_duplicates_give_exactly_the_oracles_table(
    robot: list[int], tick: list[int], front: list[int], offset: int, rate_hz: float, data: st.DataObject
) -> None:
    sources = {
        name: [(t + shift, seq) for seq, t in enumerate(sorted(times))]
        for name, times, shift in (("robot", robot, 0), ("tick", tick, 1), ("cameras/front", front, offset))
    }
    arrived = {
        name: data.draw(st.permutations(samples + samples[: len(samples) // 2])) for name, samples in sources.items()
    }
    streams = {
        "robot": table([robot_state(t, seq) for t, seq in arrived["robot"]]),
        "tick": table([control_tick(t, seq, mode=ControlMode(seq % 4)) for t, seq in arrived["tick"]]),
        "cameras/front": camera([t for t, _ in arrived["cameras/front"]]),
    }
    streams["cameras/front"].columns["seq"] = np.array([seq for _, seq in arrived["cameras/front"]])
    ordered = {name: s.rows(time_order(s.columns["t_ns"], s.columns["seq"])) for name, s in streams.items()}
    steps, expected = steps_of(ordered, rate_hz), expected_steps(arrived, rate_hz)
    assert steps.t_ns.tolist() == [step["t_ns"] for step in expected]
    assert steps.state[:, 0].tolist() == [step["q"] for step in expected]
    assert steps.action[:, 0].tolist() == steps.action_joint[:, 0].tolist() == [step["action"] for step in expected]
    assert steps.control_mode.tolist() == [step["mode"] for step in expected]
    assert steps.streams["cameras/front"].index.tolist() == [step["camera"] for step in expected]
    assert steps.streams["cameras/front"].age_ns.tolist() == [step["age"] for step in expected]


def test_a_hole_is_marked_and_grows_old_and_no_row_shifts() -> None:
    frames = [i for i in range(40) if not 10 <= i < 20]
    streams = {
        "robot": table([robot_state(i * 5 * MS, i) for i in range(800)]),
        "tick": table([control_tick(i * 5 * MS, i) for i in range(800)]),
        "cameras/front": camera([i * 100 * MS for i in frames]),
    }
    steps = steps_of(streams)
    shown = steps.streams["cameras/front"]
    assert steps.state[:, 0].tolist() == [20.0 * k for k in range(40)]
    assert shown.index.tolist() == [*range(10), *[9] * 10, *range(10, 30)]
    assert shown.age_ns[9:21].tolist() == [k * 100 * MS for k in range(11)] + [0]
    assert shown.valid.tolist() == [k <= 12 or k >= 20 for k in range(40)]
    assert shown.max_age_ns == 300 * MS


def test_an_action_is_the_newest_tick_before_the_next_step() -> None:
    streams = {
        "robot": table([robot_state(i * 5 * MS, i) for i in range(81)]),
        "tick": table([control_tick(i * 5 * MS, i) for i in range(81)]),
    }
    assert steps_of(streams).action[:, 0].tolist() == [19, 39, 59, 79, 80]


def test_who_moved_the_arm_and_what_each_pilot_asked_for_is_told_from_the_first_step() -> None:
    modes = [ControlMode.POLICY] * 20 + [ControlMode.HUMAN] * 20 + [ControlMode.POLICY] * 21
    ticks = [
        control_tick(
            i * 5 * MS,
            i,
            mode=mode,
            is_intervention=mode is ControlMode.HUMAN,
            human_target=(pose(-i), 1.0) if mode is ControlMode.HUMAN else None,
            policy_target=(pose(i), 0.0),
        )
        for i, mode in enumerate(modes)
    ]
    steps = steps_of({"robot": table([robot_state(i * 5 * MS, i) for i in range(61)]), "tick": table(ticks)})
    assert steps.control_mode.tolist() == [2, 1, 2, 2]
    assert steps.is_intervention.tolist() == [False, True, False, False]
    assert steps.handover.tolist() == [False, True, True, False]
    assert steps.action_policy[:, 0].tolist() == [19, 39, 59, 60]
    np.testing.assert_array_equal(steps.action_human[:, 0], [np.nan, -39, np.nan, np.nan])
    assert steps.action_human[1, 7] == 1.0


def test_what_nobody_said_is_nan() -> None:
    steps = steps_of({"cameras/front": camera([0, 100 * MS, 200 * MS])})
    assert len(steps) == 3
    for values in (steps.state, steps.ee_pose, steps.action, steps.action_joint, steps.action_human):
        assert np.isnan(values).all()
    assert steps.control_mode.tolist() == [ControlMode.HOLD] * 3
    assert not steps.is_intervention.any()


def test_streams_that_never_overlap_give_no_steps() -> None:
    streams = {
        "robot": table([robot_state(t, t) for t in range(5)]),
        "tick": table([control_tick(10 + t, t) for t in range(5)]),
    }
    assert len(steps_of(streams)) == 0
    assert len(build_steps({}, 10.0, NAMES)) == 0


def test_an_optional_stream_that_begins_late_does_not_hold_up_the_steps() -> None:
    late = table([robot_state(250 * MS, 0)]).columns
    base: dict[str, Columns] = {
        "robot": table([robot_state(i * 5 * MS, i) for i in range(81)]).columns,
        "xr": late,
    }
    steps = build_steps(base, 10.0, NAMES)
    assert steps.streams["xr"].index.tolist() == [-1, -1, -1, 0, 0]
    assert steps.streams["xr"].age_ns.tolist() == [-1, -1, -1, 50 * MS, 150 * MS]
    assert steps.streams["xr"].valid.tolist() == [False, False, False, True, False]


def test_age_limit_is_three_usual_intervals_and_never_under_50_ms() -> None:
    assert default_max_age_ns(np.arange(0, 10**9, 5 * MS)) == 50 * MS
    assert default_max_age_ns(np.arange(0, 10**9, 100 * MS)) == 300 * MS
    assert default_max_age_ns(np.array([7])) == 50 * MS


def test_camera_state_error_is_the_distance_in_time_of_what_a_step_pairs() -> None:
    streams = {
        "robot": table([robot_state(i * 5 * MS, i) for i in range(200)]),
        "cameras/front": camera([i * 100 * MS + 2 * MS for i in range(9)]),
    }
    columns = {name: stream.columns for name, stream in streams.items()}
    error = camera_state_error_ns(columns, steps_of(streams), "cameras/front")
    assert error.tolist() == [2 * MS] * 9
