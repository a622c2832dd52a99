"""Mistakes that operators make, as changes to a plan before it is carried out.

A plan looks at the scene between its aims and tries again by itself, so most mistakes are seen and corrected; an
operator who gives up stops once the mistake has shown.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from teleloom import pose
from teleloom.pose import Array

if TYPE_CHECKING:
    from robots.mujoco.tasks.waypoint import Plan, Waypoint


class Mistake(enum.Enum):
    """What goes wrong."""

    BESIDE = "comes down beside the thing"
    TOO_HIGH = "closes the gripper above the thing"
    DROPPED = "opens the gripper on the way"
    SHORT = "sets the thing down short of the place"


def spoiled(plan: Plan, rng: np.random.Generator, mistake_rate: float, give_up_rate: float) -> Plan:
    """The plan, with a mistake in the given share of cases, and no retry after it in the given share of those."""
    if rng.random() >= mistake_rate:
        return plan
    mistake = list(Mistake)[int(rng.integers(len(Mistake)))]
    gives_up = bool(rng.random() < give_up_rate)
    return with_mistake(plan, mistake, rng, gives_up)


def with_mistake(plan: Plan, mistake: Mistake, rng: np.random.Generator, gives_up: bool) -> Plan:
    """The plan with this mistake the first time that there is an occasion for it."""
    heading = rng.uniform(-math.pi, math.pi)
    aside = np.array([math.cos(heading), math.sin(heading), 0.0])
    if mistake is Mistake.BESIDE:
        yield from _shifted_until_closed(plan, rng.uniform(0.04, 0.06) * aside)
    elif mistake is Mistake.TOO_HIGH:
        yield from _shifted_until_closed(plan, np.array([0.0, 0.0, rng.uniform(0.05, 0.07)]))
    elif mistake is Mistake.DROPPED:
        yield from _opened_on_the_way(plan)
    else:
        yield from _shifted_until_opened(plan, rng.uniform(0.11, 0.15) * aside)
    yield from islice(plan, 1) if gives_up else plan


def _shifted_until_closed(plan: Plan, offset: Array) -> Iterator[Waypoint]:
    """Shifted aims up to the one that closes the gripper."""
    for waypoint in plan:
        yield _shifted(waypoint, offset)
        if waypoint.gripper < 0.5:
            break


def _shifted_until_opened(plan: Plan, offset: Array) -> Iterator[Waypoint]:
    """Aims as they are until the thing is lifted; from there shifted up to the one that opens the gripper."""
    yield from _until_lifted(plan)
    for waypoint in plan:
        yield _shifted(waypoint, offset)
        if waypoint.gripper > 0.5:
            break


def _opened_on_the_way(plan: Plan) -> Iterator[Waypoint]:
    """Aims as they are until the thing is lifted; then the gripper opens half-way to the next."""
    lifted = yield from _until_lifted(plan)
    onward = next(plan, None)
    if lifted is not None and onward is not None:
        half_way = pose.interpolate(lifted.pose, onward.pose, 0.5)
        yield replace(onward, pose=half_way, gripper=1.0, dwell_s=0.3)


def _until_lifted(plan: Plan) -> Generator[Waypoint, None, Waypoint | None]:
    """Aims up to the first move with a closed gripper; returns that, None where the plan ends before."""
    closed = False
    for waypoint in plan:
        yield waypoint
        if closed and waypoint.gripper < 0.5:
            return waypoint
        closed = waypoint.gripper < 0.5
    return None


def _shifted(waypoint: Waypoint, offset: Array) -> Waypoint:
    return replace(waypoint, pose=pose.make(waypoint.pose[:3] + offset, waypoint.pose[3:]))
