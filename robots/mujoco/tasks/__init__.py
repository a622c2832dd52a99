"""Tasks in the kitchen, by name."""

from __future__ import annotations

from robots.mujoco.tasks.drawer import CloseDrawer, OpenDrawer
from robots.mujoco.tasks.put_in_bowl import PutInBowl
from robots.mujoco.tasks.put_on_plate import PutOnPlate
from robots.mujoco.tasks.stack import Stack
from robots.mujoco.tasks.task import Task
from robots.mujoco.tasks.waypoint import Look, Plan, View, Waypoint
from robots.mujoco.tasks.wipe_counter import WipeCounter

_ALL: tuple[type[Task], ...] = (PutInBowl, PutOnPlate, Stack, OpenDrawer, CloseDrawer, WipeCounter)
TASKS: dict[str, type[Task]] = {task.name: task for task in _ALL}

__all__ = ["TASKS", "Look", "Plan", "Task", "UnknownTaskError", "View", "Waypoint", "make_task"]


class UnknownTaskError(ValueError):
    """A task that does not exist. The message lists those that do."""


def make_task(name: str, seed: int) -> Task:
    """The task of that name, drawn from the seed. Raises UnknownTaskError."""
    if name not in TASKS:
        raise UnknownTaskError(f"no task '{name}'; there are: {', '.join(sorted(TASKS))}")
    return TASKS[name](seed)
