"""Open or close the drawer of the cabinet that stands at the arm's right."""

from __future__ import annotations

import numpy as np

from robots.mujoco.layout import Layout, scatter
from robots.mujoco.props import PROPS
from robots.mujoco.simulation import Simulation
from robots.mujoco.tasks.motion import above, tool_down
from robots.mujoco.tasks.task import Task, fruit, kitchen, thing
from robots.mujoco.tasks.waypoint import Look, Plan, Waypoint
from teleloom.pose import Array

OPEN_M = 0.12
CLOSED_M = 0.012
STILL_DRAWER_M_S = 0.01
# The handle of the closed drawer in front of the cabinet's centre, m: see scenes/kitchen.xml.
HANDLE_OUT_M = 0.201
_CLEAR_OF_DRAWER_Y = (0.04, 0.32)
_LEAN_RAD = 0.30
_PULL_M = 0.155
# Offsets from the handle or the tool, m. The hand takes the handle a little to the outside, so that the finger behind
# it stays clear of the drawer's front.
_AROUND = np.array([0.0, 0.008, 0.002])
_OVER = np.array([0.0, 0.02, 0.10])
_RISE = np.array([0.0, 0.01, 0.10])
_IN_FRONT = np.array([0.0, 0.055, 0.0])
_BACK = np.array([0.0, 0.05, 0.01])
_TRIES = 4


class OpenDrawer(Task):
    """Success: the drawer is open by more than OPEN_M, still, and the arm is off it."""

    name = "open-drawer"

    def arrange(self, rng: np.random.Generator) -> Layout:
        return _with_fruit(rng, drawer_m=0.0)

    def phrases(self) -> list[str]:
        return [
            "Open the drawer.",
            "Pull the drawer open.",
            "Open the drawer of the cabinet.",
            "Take the handle and pull the drawer out.",
            "Slide the drawer open.",
            "Pull out the cabinet's drawer.",
        ]

    def done(self, simulation: Simulation) -> bool:
        return simulation.drawer_m > OPEN_M and _left_alone(simulation)

    def plan(self, look: Look) -> Plan:
        """Come down over the handle with one finger behind it, close, pull towards +y, open the hand, rise."""
        for _ in range(_TRIES):
            handle = look().objects["handle"][:3]
            around = handle + _AROUND
            yield Waypoint(_leaning(around + _OVER), 1.0, 0.02, 0.15, label="over the handle")
            yield Waypoint(_leaning(around), 1.0, 0.007, 0.12, label="around the handle")
            yield Waypoint(_leaning(handle), 0.0, 0.015, 0.2, 0.5, label="grasp the handle")
            cabinet = look().objects["cabinet"][:3]
            pulled = np.array([handle[0], cabinet[1] + HANDLE_OUT_M + _PULL_M, handle[2]])
            yield Waypoint(_leaning(pulled), 0.0, 0.012, 0.2, 0.2, label="pull the drawer")
            yield Waypoint(_leaning(look().ee_pose[:3]), 1.0, 0.02, 0.2, 0.4, label="let go of the handle")
            yield Waypoint(_leaning(look().ee_pose[:3] + _RISE), 1.0, 0.03, 0.2, 0.2, label="move away")
            if look().success:
                return


class CloseDrawer(Task):
    """Success: the drawer is open by less than CLOSED_M, still, and the arm is off it."""

    name = "close-drawer"

    def arrange(self, rng: np.random.Generator) -> Layout:
        return _with_fruit(rng, drawer_m=float(rng.uniform(0.11, 0.165)))

    def phrases(self) -> list[str]:
        return [
            "Close the drawer.",
            "Push the drawer shut.",
            "Shut the drawer of the cabinet.",
            "Push the drawer back into the cabinet.",
            "Slide the drawer closed.",
            "Make sure the drawer is closed.",
        ]

    def done(self, simulation: Simulation) -> bool:
        return simulation.drawer_m < CLOSED_M and _left_alone(simulation)

    def plan(self, look: Look) -> Plan:
        """Close the fist, come down in front of the handle, push towards the cabinet, back off, rise."""
        for _ in range(_TRIES):
            handle, cabinet = look().objects["handle"][:3], look().objects["cabinet"][:3]
            before = handle + _IN_FRONT
            shut = np.array([handle[0], cabinet[1] + HANDLE_OUT_M + 0.020, handle[2]])
            yield Waypoint(_leaning(above(before, 0.10)), 0.0, 0.02, 0.15, label="over the handle's front")
            yield Waypoint(_leaning(before), 0.0, 0.010, 0.15, label="before the handle")
            yield Waypoint(_leaning(shut), 0.0, 0.010, 0.2, 0.3, label="push the drawer")
            yield Waypoint(_leaning(shut + _BACK), 0.0, 0.02, 0.2, label="back off")
            yield Waypoint(_leaning(above(shut + _BACK, 0.10)), 0.0, 0.03, 0.2, 0.2, label="move away")
            if look().success:
                return


def _leaning(position: Array) -> Array:
    return tool_down(position, lean=_LEAN_RAD)


def _left_alone(simulation: Simulation) -> bool:
    return abs(simulation.drawer_speed) < STILL_DRAWER_M_S and not simulation.touched_by_arm("drawer")


def _with_fruit(rng: np.random.Generator, drawer_m: float) -> Layout:
    kinds = fruit(rng, 1, 3)
    spots = scatter(rng, [PROPS[kind].radius for kind in kinds], y_range=_CLEAR_OF_DRAWER_Y)
    return kitchen(rng, [thing(rng, kind, kind, at) for kind, at in zip(kinds, spots, strict=True)], drawer_m=drawer_m)
