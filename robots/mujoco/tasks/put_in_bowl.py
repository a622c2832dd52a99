"""Put the fruit that is named into the bowl; other fruit lies about."""

from __future__ import annotations

import numpy as np

from robots.mujoco.layout import Layout, scatter
from robots.mujoco.props import BOWL_RADIUS_M, PROPS
from robots.mujoco.relations import is_in_bowl
from robots.mujoco.simulation import Simulation
from robots.mujoco.tasks.motion import above, pick, release, yaw_of
from robots.mujoco.tasks.task import STILL_M_S, Task, fruit, kitchen, thing
from robots.mujoco.tasks.waypoint import Look, Plan

BOWL_COLOURS = ((0.25, 0.48, 0.72), (0.90, 0.88, 0.82), (0.35, 0.60, 0.48), (0.78, 0.42, 0.32))
# How high over the counter the tool lets go: above the rim, low enough that nothing bounces out.
_DROP_M = 0.075
_TRIES = 3


class PutInBowl(Task):
    """Success: the fruit lies inside the bowl's rim, below its height and a little, still, and the arm is off it."""

    name = "put-in-bowl"

    def arrange(self, rng: np.random.Generator) -> Layout:
        kinds = fruit(rng, 2, 3)
        self.target = kinds[0]
        bowl_at, *spots = scatter(rng, [BOWL_RADIUS_M, *(PROPS[kind].radius for kind in kinds)])
        bowl = thing(rng, "bowl", "bowl", bowl_at, BOWL_COLOURS[int(rng.integers(len(BOWL_COLOURS)))])
        return kitchen(rng, [bowl, *(thing(rng, kind, kind, spot) for kind, spot in zip(kinds, spots, strict=True))])

    def phrases(self) -> list[str]:
        return [
            f"Put the {self.target} in the bowl.",
            f"Place the {self.target} into the bowl.",
            f"Pick up the {self.target} and drop it in the bowl.",
            f"Move the {self.target} to the bowl.",
            f"The {self.target} belongs in the bowl; put it there.",
            f"Grab the {self.target} and set it inside the bowl.",
        ]

    def parameters(self) -> dict[str, str | float | int | bool]:
        return {"target": self.target}

    def done(self, simulation: Simulation) -> bool:
        inside = is_in_bowl(simulation.pose_of(self.target)[:3], simulation.pose_of("bowl")[:3])
        still = simulation.speed_of(self.target) < STILL_M_S
        return inside and still and not simulation.touched_by_arm(self.target)

    def plan(self, look: Look) -> Plan:
        """Pick from above across the long side, carry high over the rim, let go a little above the bottom."""
        for _ in range(_TRIES):
            yield from pick(look, self.target, PROPS[self.target].long)
            bowl = look().objects["bowl"][:3]
            yield from release(look, self.target, above(bowl, _DROP_M), yaw_of(look().ee_pose))
            if look().success:
                return
