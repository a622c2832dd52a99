"""Wipe a spill off the counter with the sponge."""

from __future__ import annotations

import numpy as np

from robots.mujoco.layout import Layout, scatter
from robots.mujoco.props import PROPS, SPONGE_HALF_M
from robots.mujoco.simulation import Simulation
from robots.mujoco.tasks.motion import above, pick, tool_down, yaw_of
from robots.mujoco.tasks.task import STILL_M_S, Task, fruit, kitchen, thing
from robots.mujoco.tasks.waypoint import Look, Plan, Waypoint
from teleloom.pose import Array

CLEAN = 0.10
SPILL_RADIUS_M = 0.055
_SPOTS = (5, 9)
_PRESS_M = 0.003
_OVERSHOOT_M = 0.035
_TRIES = 4
# Strokes go SPILL_RADIUS_M and _OVERSHOOT_M further, and the hand is 0.23 m wide: this keeps it off the handle.
_CLEAR_OF_DRAWER_Y = (0.02, 0.32)


class WipeCounter(Task):
    """Success: every stain is below CLEAN of its first dirt, and the sponge lies still with the arm off it."""

    name = "wipe-counter"

    def arrange(self, rng: np.random.Generator) -> Layout:
        kinds = fruit(rng, 0, 1)
        radii = [SPILL_RADIUS_M + 0.03, PROPS["sponge"].radius, *(PROPS[kind].radius for kind in kinds)]
        spill, sponge, *spots = scatter(rng, radii, y_range=_CLEAR_OF_DRAWER_Y)
        things = [thing(rng, "sponge", "sponge", sponge)]
        things += [thing(rng, kind, kind, at) for kind, at in zip(kinds, spots, strict=True)]
        return kitchen(rng, things, stains=_spill(rng, spill))

    def phrases(self) -> list[str]:
        return [
            "Wipe the counter with the sponge.",
            "Clean up the spill with the sponge.",
            "Use the sponge to wipe the stain away.",
            "Take the sponge and clean the counter.",
            "Scrub the brown spots off the counter with the sponge.",
            "Wipe away the stain using the sponge.",
        ]

    def done(self, simulation: Simulation) -> bool:
        clean = bool((simulation.dirt < CLEAN).all())
        return clean and simulation.speed_of("sponge") < STILL_M_S and not simulation.touched_by_arm("sponge")

    def plan(self, look: Look) -> Plan:
        """Take the sponge, press it down at one end of the spill, rub to and fro over what is left, put it down."""
        for _ in range(_TRIES):
            yield from pick(look, "sponge", turned=True)
            yaw = yaw_of(look().ee_pose)
            yield from self._wipe(look, yaw)
            at = look().ee_pose[:3]
            yield Waypoint(tool_down(at, yaw), 1.0, 0.02, 0.15, 0.4, label="let go of the sponge")
            yield Waypoint(tool_down(above(at, 0.10), yaw), 1.0, 0.03, 0.2, 0.2, label="move away")
            if look().success:
                return

    def _wipe(self, look: Look, yaw: float) -> Plan:
        held = look()
        height = SPONGE_HALF_M[2] - _PRESS_M + held.ee_pose[2] - held.objects["sponge"][2]
        for attempt in range(6):
            left = [p[:2] for name, p in look().objects.items() if name.startswith("stain")]
            if not left:
                return
            strokes = _strokes(np.array(left), yaw)
            if attempt == 0:
                first = np.array([*strokes[0], height])
                yield Waypoint(tool_down(above(first, 0.08), yaw), 0.0, 0.02, 0.15, label="carry the sponge")
                yield Waypoint(tool_down(first, yaw), 0.0, 0.010, 0.15, label="press the sponge down")
            for x, y in strokes:
                yield Waypoint(tool_down((x, y, height), yaw), 0.0, 0.012, 0.15, label="wipe")


def _spill(rng: np.random.Generator, centre: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    count = int(rng.integers(*_SPOTS))
    radius = SPILL_RADIUS_M * np.sqrt(rng.uniform(0.0, 1.0, count))
    angle = rng.uniform(-np.pi, np.pi, count)
    points = np.stack([centre[0] + radius * np.cos(angle), centre[1] + 0.8 * radius * np.sin(angle)], axis=1)
    return tuple((float(x), float(y)) for x, y in points)


def _strokes(spots: Array, yaw: float) -> list[tuple[float, float]]:
    """Ends of strokes across the sponge's long side that cover the spots, lane by lane, to and fro."""
    along, across = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    u, v = spots @ along, spots @ across
    lane_width = 1.5 * SPONGE_HALF_M[0]
    lanes = max(1, int(np.ceil((np.ptp(u) + 0.01) / lane_width)))
    centres = [float(np.mean([u.min(), u.max()])) + lane_width * (i - (lanes - 1) / 2) for i in range(lanes)]
    low, high = float(v.min()) - _OVERSHOOT_M, float(v.max()) + _OVERSHOOT_M
    ends = []
    for index, centre in enumerate(centres):
        for end in ((low, high), (high, low))[index % 2]:
            ends.append(tuple((centre * along + end * across).tolist()))
    return ends
