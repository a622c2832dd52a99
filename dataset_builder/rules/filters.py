"""Leaving steps out: those that do nothing, and those that review marked.

What is left out are rows of ABSOLUTE commanded targets. An action that is the difference to the step before is made
from the rows that remain, so it spans the no-ops that were left out, and actions still add up to the commanded path.
In a span that review marked the arm did move: what follows it is marked, so that no action spans it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dataset_builder.ledger import UnfitEpisodeError
from teleloom import pose
from teleloom.catalog.annotations import Flag, Segment
from teleloom.clock import NS_PER_S
from teleloom.config import Config

LIBERO_NORM = 1e-4
DROID_SPEED_CHANGE_RAD_S = 1e-3
NO_OPS = "no-ops"

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Times = NDArray[np.int64]


class StepFilters(Config):
    """Which steps of an episode are left out.

    no_ops: "libero" drops steps that neither move the tool nor the gripper (norm of the delta under 1e-4), "droid"
    drops runs of at least `idle_run` steps in which no joint's speed changes by 1e-3 rad/s. drop_flags: spans that
    review flagged so. drop_segments: segments that ended so. may_erase_tasks: a build refuses to lose a whole task to
    these filters unless this allows it.
    """

    no_ops: Literal["keep", "libero", "droid"] = "keep"
    idle_run: int = Field(default=7, ge=1)
    drop_flags: tuple[str, ...] = ()
    drop_segments: tuple[Literal["partial", "failure", "unknown"], ...] = ()
    may_erase_tasks: bool = False


class ErasedEpisodeError(UnfitEpisodeError):
    """An episode of which the filters leave no step. left_out: how many steps each filter took."""

    def __init__(self, left_out: Mapping[str, int]) -> None:
        total = sum(left_out.values())
        taken = ", ".join(f"{name} {count}" for name, count in sorted(left_out.items()))
        most = max(sorted(left_out), key=lambda name: left_out[name])
        super().__init__(
            {NO_OPS: "only-no-ops", "flag": "only-flagged", "segment": "only-dropped-segments"}[most.split(":")[0]],
            f"the filters leave none of its {total} steps ({taken}); change `filters` in the manifest, or leave it out",
        )
        self.left_out = dict(left_out)


class TaskErasedError(RuntimeError):
    """A task of which the filters leave no episode. The message names it, what each filter took, and both remedies."""


@dataclass(frozen=True, eq=False)
class FilterInput:
    """What filters look at, T steps. t_ns: (T,); a step lasts `period_ns`. ee_pose: (T, 7), joints: (T, J) measured.

    target: (T, 8) tool pose and gripper opening commanded; joint_target: (T, J+1) the same in joints.
    """

    t_ns: Times
    period_ns: int
    ee_pose: Floats
    joints: Floats
    target: Floats
    joint_target: Floats

    def rows(self, kept: Flags) -> FilterInput:
        """The steps chosen."""
        arrays = (self.ee_pose, self.joints, self.target, self.joint_target)
        return FilterInput(self.t_ns[kept], self.period_ns, *(array[kept] for array in arrays))


@dataclass(frozen=True, eq=False)
class Kept:
    """What filters leave, K steps.

    rows: (K,) which ones. after_cut: (K,) a flag or a segment was left out right before. left_out: how many steps each
    filter took: `flag:<label>`, `segment:<outcome>` and `no-ops`.
    """

    rows: Times
    after_cut: Flags
    left_out: dict[str, int]


def keep_steps(steps: FilterInput, filters: StepFilters, flags: Sequence[Flag], segments: Sequence[Segment]) -> Kept:
    """The steps that stay.

    A step that several filters would take counts for the first one, in that order; no-ops are judged on what flags and
    segments leave. Raises ErasedEpisodeError when nothing is left.
    """
    kept = np.ones(len(steps.t_ns), dtype=bool)
    left_out: Counter[str] = Counter()
    marked = [(f"flag:{flag.label}", during(steps, flag)) for flag in flags if flag.label in filters.drop_flags]
    marked += [
        (f"segment:{segment.outcome}", (steps.t_ns >= segment.start_ns) & (steps.t_ns < segment.end_ns))
        for segment in segments
        if segment.outcome in filters.drop_segments
    ]
    for name, taken in marked:
        left_out[name] += int(np.count_nonzero(kept & taken))
        kept &= ~taken
    cut = ~kept
    if filters.no_ops != "keep" and kept.any():
        rest, afresh = steps.rows(kept), _after_cut(cut, np.flatnonzero(kept))
        libero = filters.no_ops == "libero"
        idle = libero_no_ops(rest, afresh) if libero else droid_idle(rest, afresh, filters.idle_run)
        left_out[NO_OPS] += int(np.count_nonzero(idle))
        kept[np.flatnonzero(kept)[idle]] = False
    taken_by = {name: count for name, count in left_out.items() if count}
    if not kept.any():
        raise ErasedEpisodeError(taken_by)
    rows = np.flatnonzero(kept)
    return Kept(rows, _after_cut(cut, rows), taken_by)


def _after_cut(cut: Flags, rows: Times) -> Flags:
    """Which of the steps `rows` (K,) had steps left out by `cut` (T,) since the one before."""
    cut_so_far = np.cumsum(cut)[rows]
    return np.diff(cut_so_far, prepend=cut_so_far[:1]) > 0


def during(steps: FilterInput, flag: Flag) -> Flags:
    """The steps (T,) that a flag's span touches; of a moment, the step that was under way."""
    ends = steps.t_ns + steps.period_ns
    until = max(flag.end_ns, flag.start_ns + 1)
    return (steps.t_ns < until) & (ends > flag.start_ns)


def libero_no_ops(steps: FilterInput, afresh: Flags) -> Flags:
    """The steps (T,) that LIBERO's rule takes, as OpenVLA's `regenerate_libero_dataset.py` has it.

    A step is a no-op when the norm of its action without the gripper is under 1e-4 and its gripper is that of the last
    step kept; before one was kept the norm alone decides. The action judged is the one that the dataset would hold,
    from the last target KEPT (for the first, and where `afresh`, from the tool pose measured then), in metres and
    radians: so creeping motion adds up instead of vanishing, and filtering what was filtered takes nothing more.
    LIBERO's own actions are controller inputs, where 1 stands for 0.05 m or 0.5 rad.
    """
    if not np.isfinite(steps.target[:, :7]).any():
        raise UnfitEpisodeError("no-tool-pose", "filters.no_ops: libero needs tool poses, which it has not; use droid")
    poses, openings = steps.target[:, :7], steps.target[:, 7].tolist()
    from_measured = _motion(steps.ee_pose, poses).tolist()
    from_previous = _motion(np.concatenate([poses[:1], poses[:-1]]), poses).tolist()
    idle = np.zeros(len(openings), dtype=bool)
    last: int | None = None
    opening: float | None = None
    for i in range(len(openings)):
        if last is None or afresh[i]:
            last, moved = None, from_measured[i]
        elif last == i - 1:
            moved = from_previous[i]
        else:
            moved = float(_motion(poses[last : last + 1], poses[i : i + 1])[0])
        idle[i] = moved < LIBERO_NORM and opening in (None, openings[i])
        if not idle[i]:
            last, opening = i, openings[i]
    return idle


def _motion(start: Floats, end: Floats) -> Floats:
    """The norm (N,) of translation, m, and rotation vector, rad, from one tool pose (N, 7) to another."""
    turns = pose.rotvecs_from_quats(pose.quats_multiply(end[:, 3:], pose.quats_conjugate(start[:, 3:])))
    norms: Floats = np.linalg.norm(np.hstack([end[:, :3] - start[:, :3], turns]), axis=1)
    return norms


def droid_idle(steps: FilterInput, afresh: Flags, run: int) -> Flags:
    """The steps (T,) that openpi's rule for DROID takes, as its `compute_droid_nonidle_ranges.py` has it.

    A step is idle when no joint's commanded velocity differs by 1e-3 rad/s from the step before, the first one never
    and none that begins `afresh`; runs of at least `run` idle steps go. Motion at an even speed counts as idle, and
    the gripper is not looked at. What else openpi does there (ranges under 16 steps, the last 10 of each) is left to
    its loader.
    """
    arm = steps.joint_target[:, :-1]
    if not np.isfinite(arm).any():
        raise UnfitEpisodeError("no-joints", "filters.no_ops: droid needs joints, which it has not; use libero")
    afresh = np.concatenate([[True], afresh[1:]])
    before = np.where(afresh[:, None], steps.joints, np.concatenate([arm[:1], arm[:-1]]))
    elapsed_ns = np.where(afresh, steps.period_ns, np.diff(steps.t_ns, prepend=0))
    velocity = (arm - before) / (elapsed_ns / NS_PER_S)[:, None]
    still = ~afresh
    still[1:] &= (np.abs(np.diff(velocity, axis=0)) < DROID_SPEED_CHANGE_RAD_S).all(axis=1)
    edges = np.diff(np.concatenate([[False], still, [False]]).astype(np.int8))
    for start, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        if end - start < run:
            still[start:end] = False
    return still


@dataclass
class TaskCounts:
    """What the filters did to a task. steps: before them; kept: after; left_out: by filter.

    episodes_lost: of its `episodes`, those that were left without any step.
    """

    episodes: int = 0
    episodes_lost: int = 0
    steps: int = 0
    kept: int = 0
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)


class FilterCounts:
    """What the filters took from each task."""

    def __init__(self) -> None:
        self.tasks: dict[str, TaskCounts] = {}

    def add(self, task: str, kept: int, left_out: Mapping[str, int]) -> None:
        """Count an episode of which `kept` steps stayed."""
        counts = self.tasks.setdefault(task, TaskCounts())
        counts.episodes += 1
        counts.episodes_lost += kept == 0
        counts.steps += kept + sum(left_out.values())
        counts.kept += kept
        counts.left_out.update(left_out)

    @property
    def erased(self) -> tuple[str, ...]:
        """The tasks that lost every episode, sorted."""
        return tuple(sorted(task for task, counts in self.tasks.items() if counts.episodes == counts.episodes_lost))

    def describe_erased(self) -> str:
        """One line for each erased task, with what each filter took."""
        return "\n".join(
            f"the filters erase task '{task}' whole: all {counts.steps} steps of its {counts.episodes} episodes "
            f"({', '.join(f'{name} {count}' for name, count in sorted(counts.left_out.items()))})"
            for task, counts in ((task, self.tasks[task]) for task in self.erased)
        )

    def to_json(self) -> dict[str, Any]:
        """By task, as data."""
        return {
            task: dataclasses.asdict(counts) | {"left_out": dict(sorted(counts.left_out.items()))}
            for task, counts in sorted(self.tasks.items())
        }
