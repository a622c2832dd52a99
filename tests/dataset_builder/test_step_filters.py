"""Filters: what they take is what the stock rules take, nothing commanded is lost, and no task goes in silence."""

from __future__ import annotations

import dataclasses
import re
from itertools import pairwise

import numpy as np
import pytest
from conftest import Station
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from synthetic_episodes import Episode

from dataset_builder.actions.convert import actions_of, commands_of
from dataset_builder.layouts import get_layout
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.filters import (
    ErasedEpisodeError,
    FilterInput,
    Kept,
    StepFilters,
    TaskErasedError,
    droid_idle,
    keep_steps,
    libero_no_ops,
)
from teleloom import pose
from teleloom.catalog.annotations import Flag, Segment

PERIOD_NS = 100_000_000
RESTS = Episode(seed=1, seconds=4.0, size=(16, 16), still=((1.0, 2.5),))


def steps_of(moves: list[float], grippers: list[float]) -> FilterInput:
    """Steps that move x and the first of two joints by so much each, from a tool that is where it is told to be."""
    count = len(moves)
    travelled = np.cumsum(moves)
    target = np.zeros((count, 8))
    target[:, 0], target[:, 6], target[:, 7] = travelled, 1.0, grippers
    joint_target = np.zeros((count, 3))
    joint_target[:, 0], joint_target[:, 2] = travelled, grippers
    before = travelled - moves
    ee_pose, joints = np.tile([0.0, 0, 0, 0, 0, 0, 1], (count, 1)), np.zeros((count, 2))
    ee_pose[:, 0], joints[:, 0] = before, before
    return FilterInput(np.arange(count) * PERIOD_NS, PERIOD_NS, ee_pose, joints, target, joint_target)


def never(steps: FilterInput) -> NDArray[np.bool_]:
    return np.zeros(len(steps.t_ns), dtype=bool)


def stock_libero(actions: NDArray[np.float64]) -> list[bool]:
    """OpenVLA's loop over recorded actions, the gripper last, against the last one it kept."""
    kept: list[NDArray[np.float64]] = []
    taken = []
    for action in actions:
        no_op = bool(np.linalg.norm(action[:-1]) < 1e-4) and (not kept or action[-1] == kept[-1][-1])
        taken.append(no_op)
        if not no_op:
            kept.append(action)
    return taken


def stock_droid(velocities: NDArray[np.float64], shortest: int) -> list[bool]:
    """openpi's rule, by run lengths: a step is idle when no velocity differs by 1e-3 from the step before."""
    idle = [False, *(max(abs(b - a)) < 1e-3 for a, b in pairwise(velocities))]
    text = "".join("i" if each else "." for each in idle)
    return [
        c == "x" for c in re.sub("i+", lambda run: run[0].replace("i", "x" if len(run[0]) >= shortest else "i"), text)
    ]


moves = st.sampled_from([0.0, 0.0, 0.0, 0.002, -0.03])
grippers = st.sampled_from([0.0, 1.0])
paths = st.lists(st.tuples(moves, grippers), min_size=1, max_size=60)


@given(paths)
def test_libero_takes_what_the_stock_rule_takes(path: list[tuple[float, float]]) -> None:
    steps = steps_of([move for move, _ in path], [gripper for _, gripper in path])
    actions = np.array([[move, 0, 0, 0, 0, 0, gripper] for move, gripper in path])
    assert libero_no_ops(steps, never(steps)).tolist() == stock_libero(actions)


def test_libero_keeps_a_gripper_that_moves_while_the_arm_rests_and_a_turn_on_the_spot() -> None:
    steps = steps_of([0.01, 0, 0, 0, 0], [1, 1, 0, 0, 1])
    steps.target[3:, 3:7] = pose.quat_from_rotvec([0.0, 0.0, 2e-4])
    assert libero_no_ops(steps, never(steps)).tolist() == [False, True, False, False, False]


@given(st.lists(st.floats(-9e-5, 9e-5), min_size=1, max_size=200))
def test_creeping_motion_adds_up_instead_of_vanishing(creep: list[float]) -> None:
    steps = steps_of([0.01, *creep], [1.0] * (len(creep) + 1))
    kept = ~libero_no_ops(steps, never(steps))
    x = steps.target[:, 0]
    last_kept = x[np.maximum.accumulate(np.where(kept, np.arange(len(x)), 0))]
    assert np.abs(x - last_kept).max() < 1e-4
    assert (np.abs(np.diff(x[kept])) >= 1e-4).all()


@given(paths, st.integers(1, 9))
def test_droid_takes_what_the_stock_rule_takes(path: list[tuple[float, float]], run: int) -> None:
    steps = steps_of([move for move, _ in path], [gripper for _, gripper in path])
    velocities = np.array([[move / 0.1, 0.0] for move, _ in path])
    assert droid_idle(steps, never(steps), run).tolist() == stock_droid(velocities, run)


@given(paths, st.integers(1, 9), st.sampled_from(["libero", "droid"]), st.sets(st.integers(0, 59)))
def test_every_step_stays_or_is_counted_once_and_what_is_left_adds_up_to_what_was_commanded(
    path: list[tuple[float, float]], run: int, rule: str, marked: set[int]
) -> None:
    steps = steps_of([move for move, _ in path], [gripper for _, gripper in path])
    flags = [flag(i * PERIOD_NS, i * PERIOD_NS) for i in sorted(marked)]
    filters = StepFilters.model_validate({"no_ops": rule, "idle_run": run, "drop_flags": ["mistake"]})
    kept = steps_left(steps, filters, flags)
    assert len(kept.rows) + sum(kept.left_out.values()) == len(path)
    assert kept.left_out.get("flag:mistake", 0) == len([i for i in marked if i < len(path)])
    assert kept.after_cut.tolist() == expected_cuts(kept, marked)
    semantics = BuildManifest(name="k").action
    target, measured = steps.target[kept.rows], steps.ee_pose[kept.rows]
    if len(target):
        actions = actions_of(target, measured, semantics, restarts=kept.after_cut)
        assert commands_of(actions, measured, semantics, restarts=kept.after_cut) == pytest.approx(target, abs=1e-12)


def steps_left(steps: FilterInput, filters: StepFilters, flags: list[Flag]) -> Kept:
    """What is left, which may be nothing at all."""
    try:
        return keep_steps(steps, filters, flags, ())
    except ErasedEpisodeError as error:
        return Kept(np.empty(0, dtype=np.int64), np.empty(0, dtype=bool), error.left_out)


def expected_cuts(kept: Kept, marked: set[int]) -> list[bool]:
    rows = kept.rows.tolist()
    return [False for _ in rows[:1]] + [any(before < i < row for i in marked) for before, row in pairwise(rows)]


@given(paths)
def test_libero_takes_nothing_more_from_what_it_left(path: list[tuple[float, float]]) -> None:
    steps = steps_of([move for move, _ in path], [gripper for _, gripper in path])
    once = steps.rows(~libero_no_ops(steps, never(steps)))
    assert not len(once.t_ns) or not libero_no_ops(once, never(once)).any()


def flag(start_ns: int, end_ns: int, label: str = "mistake") -> Flag:
    return Flag(label=label, start_ns=start_ns, end_ns=end_ns)


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "taken"),
    [
        (300_000_000, 500_000_000, [3, 4]),
        (350_000_000, 500_000_001, [3, 4, 5]),
        (300_000_000, 300_000_000, [3]),
        (399_999_999, 399_999_999, [3]),
        (5_000_000_000, 6_000_000_000, []),
    ],
)
def test_a_flag_takes_every_step_it_touches(start_ns: int, end_ns: int, taken: list[int]) -> None:
    steps = steps_of([0.01] * 10, [1.0] * 10)
    flags = [flag(start_ns, end_ns), flag(0, 900_000_000, "look here")]
    kept = keep_steps(steps, StepFilters(drop_flags=("mistake",)), flags, ())
    assert sorted(set(range(10)) - set(kept.rows.tolist())) == taken


def test_segments_go_by_their_outcome_and_are_marked_as_cuts() -> None:
    steps = steps_of([0.01] * 10, [1.0] * 10)
    ends = [("success", 2), ("failure", 4), (None, 6), ("partial", 8), ("unknown", 10)]
    segments = [
        Segment.model_validate({"start_ns": (end - 2) * PERIOD_NS, "end_ns": end * PERIOD_NS, "outcome": outcome})
        for outcome, end in ends
    ]
    kept = keep_steps(steps, StepFilters(drop_segments=("failure", "unknown")), (), segments)
    assert kept.rows.tolist() == [0, 1, 4, 5, 6, 7]
    assert kept.after_cut.tolist() == [False, False, True, False, False, False]
    assert kept.left_out == {"segment:failure": 2, "segment:unknown": 2}


@pytest.mark.parametrize("preset", ["teleloom", "openvla"])
def test_actions_of_what_is_left_add_up_to_the_commanded_path(station: Station, preset: str) -> None:
    station.add(RESTS, {"kind": "flag", "label": "mistake", "start_ns": 3_000_000_000, "end_ns": 3_300_000_000})
    whole = BuildManifest.model_validate({"name": "k", "preset": preset, "filters": {"no_ops": "keep"}})
    filters = {"no_ops": "libero", "drop_flags": ["mistake"]}
    manifest = BuildManifest.model_validate({"name": "k", "preset": preset, "filters": filters})
    (everything,), (left,) = station.gather(whole).kept, station.gather(manifest).kept
    assert len(everything) - len(left) == left.left_out["no-ops"] + left.left_out["flag:mistake"]
    assert left.left_out["no-ops"] >= 14
    assert left.left_out["flag:mistake"] in (3, 4)
    assert left.after_cut.sum() == 1
    actions = get_layout(manifest.preset, manifest.action).action(left).astype(np.float64)
    path = commands_of(actions, left.ee_pose, manifest.action, restarts=left.after_cut)
    rows = np.searchsorted(everything.t_ns, left.t_ns)
    for got, commanded in zip(path, everything.target[rows], strict=True):
        metres, radians = pose.distance(got[:7], commanded[:7])
        assert metres < 1e-6
        assert radians < 1e-6
        assert got[7] == commanded[7]


def test_droid_takes_the_run_in_which_nothing_moves(station: Station) -> None:
    station.add(RESTS)
    (left,) = station.gather(BuildManifest(name="k", filters=StepFilters(no_ops="droid"))).kept
    gone_ns = set(range(int(left.t_ns[0]), int(left.t_ns[-1]) + 1, PERIOD_NS)) - set(left.t_ns.tolist())
    assert left.left_out == {"no-ops": len(gone_ns)}
    assert 12 <= len(gone_ns) <= 15
    assert all(1.0e9 <= t_ns <= 2.6e9 for t_ns in gone_ns)


def test_an_episode_without_a_step_left_is_in_the_ledger_by_what_took_most(station: Station) -> None:
    still = dataclasses.replace(RESTS, still=((0.0, 4.0),))
    station.add(RESTS)
    idle = station.add(dataclasses.replace(still, seed=2))
    marked = {"kind": "flag", "label": "mistake", "start_ns": 0, "end_ns": 9_000_000_000}
    flagged = station.add(dataclasses.replace(RESTS, seed=3), marked)
    failed = {"start_ns": 0, "end_ns": 9_000_000_000, "outcome": "failure"}
    segmented = station.add(dataclasses.replace(RESTS, seed=4), {"kind": "segments", "segments": [failed]})
    filters = {"no_ops": "droid", "drop_flags": ["mistake"], "drop_segments": ["failure"], "idle_run": 1}
    gathered = station.gather(BuildManifest.model_validate({"name": "k", "filters": filters}))
    assert {entry.episode_id: entry.reason for entry in gathered.rejected} == {
        flagged: "only-flagged",
        segmented: "only-dropped-segments",
    }
    # By openpi's rule the first step never is idle; from it to the second, the velocity falls to zero.
    assert {t.candidate.episode_id: len(t) for t in gathered.kept}[idle] == 2
    counts = gathered.filtered.to_json()["put_in_bowl"]
    assert (counts["episodes"], counts["episodes_lost"]) == (4, 2)
    assert counts["steps"] == counts["kept"] + sum(counts["left_out"].values())
    assert set(counts["left_out"]) == {"no-ops", "flag:mistake", "segment:failure"}
    assert gathered.warnings == ()


def test_a_task_is_never_erased_in_silence(station: Station) -> None:
    station.add(RESTS)
    station.add(dataclasses.replace(RESTS, seed=2, task="hold_still"), everywhere("mistake"))
    station.add(dataclasses.replace(RESTS, seed=3, task="hold_still"), everywhere("mistake"))
    filters = {"no_ops": "libero", "drop_flags": ["mistake"]}
    with pytest.raises(TaskErasedError) as error:
        station.gather(BuildManifest.model_validate({"name": "k", "filters": filters}))
    said = str(error.value)
    assert "erase task 'hold_still' whole: all 80 steps of its 2 episodes (flag:mistake 80)" in said
    assert "leave the task out by `select.tasks`, or set `filters.may_erase_tasks: true`" in said
    allowed = station.gather(
        BuildManifest.model_validate({"name": "k", "filters": filters | {"may_erase_tasks": True}})
    )
    assert [t.task for t in allowed.kept] == ["put_in_bowl"]
    assert [entry.reason for entry in allowed.rejected] == ["only-flagged"] * 2
    assert [entry.task for entry in allowed.rejected] == ["hold_still"] * 2
    (warning,) = allowed.warnings
    assert "hold_still" in warning
    without = {"name": "k", "filters": filters, "select": {"tasks": ["put_in_bowl"]}}
    assert len(station.gather(BuildManifest.model_validate(without)).kept) == 1


def test_episodes_of_another_robot_save_no_task_from_being_erased(station: Station) -> None:
    station.add(RESTS)
    station.add(dataclasses.replace(RESTS, seed=2))
    station.add(dataclasses.replace(RESTS, seed=3, task="hold_still"), everywhere("mistake"))
    station.add(dataclasses.replace(RESTS, seed=4, task="hold_still", robot="ur5e", joints=6))
    with pytest.raises(TaskErasedError, match=r"erase task 'hold_still' whole: all 40 steps of its 1 episodes"):
        station.gather(BuildManifest.model_validate({"name": "k", "filters": {"drop_flags": ["mistake"]}}))


def everywhere(label: str) -> dict[str, object]:
    return {"kind": "flag", "label": label, "start_ns": 0, "end_ns": 9_000_000_000}


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 40))
def test_an_episode_that_only_rests_is_rejected_as_only_no_ops(count: int) -> None:
    steps = steps_of([0.0] * count, [1.0] * count)
    with pytest.raises(ErasedEpisodeError, match=rf"none of its {count} steps \(no-ops {count}\)") as error:
        keep_steps(steps, StepFilters(no_ops="libero"), (), ())
    assert error.value.reason == "only-no-ops"
