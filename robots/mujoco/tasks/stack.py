"""Stack one coloured block on another; a third may stand by."""

from __future__ import annotations

import numpy as np

from robots.mujoco.layout import Layout, scatter
from robots.mujoco.props import BLOCK_HALF_M, PROPS
from robots.mujoco.relations import is_stacked
from robots.mujoco.simulation import Simulation
from robots.mujoco.tasks.motion import above, long_side_yaw, nearest_quarter, pick, release
from robots.mujoco.tasks.task import STILL_M_S, Task, kitchen, thing
from robots.mujoco.tasks.waypoint import Look, Plan

COLOURS = {
    "red": (0.80, 0.16, 0.14),
    "blue": (0.15, 0.34, 0.74),
    "green": (0.18, 0.56, 0.28),
    "yellow": (0.93, 0.76, 0.14),
    "purple": (0.50, 0.26, 0.60),
}
_TRIES = 4


class Stack(Task):
    """Success: the block stands on the other, within half its width, still, and the arm is off it."""

    name = "stack"

    def arrange(self, rng: np.random.Generator) -> Layout:
        colours = rng.permutation(list(COLOURS))[: int(rng.integers(2, 4))].tolist()
        self.top, self.below = (f"{colour} block" for colour in colours[:2])
        spots = scatter(rng, [PROPS["block"].radius] * len(colours), gap=0.06)
        pairs = zip(colours, spots, strict=True)
        return kitchen(rng, [thing(rng, f"{colour} block", "block", at, COLOURS[colour]) for colour, at in pairs])

    def phrases(self) -> list[str]:
        return [
            f"Stack the {self.top} on the {self.below}.",
            f"Put the {self.top} on top of the {self.below}.",
            f"Place the {self.top} onto the {self.below}.",
            f"Build a tower with the {self.top} on the {self.below}.",
            f"Pick up the {self.top} and set it on the {self.below}.",
            f"The {self.top} goes on the {self.below}.",
        ]

    def parameters(self) -> dict[str, str | float | int | bool]:
        return {"target": self.top, "on": self.below}

    def done(self, simulation: Simulation) -> bool:
        on_top = is_stacked(simulation.pose_of(self.top)[:3], simulation.pose_of(self.below)[:3])
        still = max(simulation.speed_of(self.top), simulation.speed_of(self.below)) < STILL_M_S
        return on_top and still and not simulation.touched_by_arm(self.top)

    def plan(self, look: Look) -> Plan:
        """Pick the block square to its sides, carry it high, square it to the other's sides, lower until they touch."""
        for _ in range(_TRIES):
            yield from pick(look, self.top, turned=True)
            view = look()
            hangs = view.ee_pose[:3] - view.objects[self.top][:3]
            at = above(view.objects[self.below][:3] + hangs, 2 * BLOCK_HALF_M + 0.003)
            yaw = nearest_quarter(long_side_yaw(view.objects[self.below]))
            yield from release(look, self.top, at, yaw, over_m=0.08)
            if look().success:
                return
