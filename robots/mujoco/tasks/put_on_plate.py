"""Put the fruit that is named onto the plate; other fruit and a mug stand about."""

from __future__ import annotations

import numpy as np

from robots.mujoco.layout import Layout, scatter
from robots.mujoco.props import PROPS
from robots.mujoco.relations import is_on_plate, rest_on_plate
from robots.mujoco.simulation import Simulation
from robots.mujoco.tasks.motion import above, pick, release, yaw_of
from robots.mujoco.tasks.task import STILL_M_S, Task, fruit, kitchen, thing
from robots.mujoco.tasks.waypoint import Look, Plan

PLATE_COLOURS = ((0.95, 0.95, 0.93), (0.62, 0.74, 0.84), (0.93, 0.82, 0.74))
_TRIES = 3


class PutOnPlate(Task):
    """Success: the fruit's centre is over the plate and as low as it rests there, still, and the arm is off it."""

    name = "put-on-plate"

    def arrange(self, rng: np.random.Generator) -> Layout:
        kinds = fruit(rng, 1, 2)
        self.target = kinds[0]
        everything = ("plate", *kinds, "mug")
        colours = {"plate": PLATE_COLOURS[int(rng.integers(len(PLATE_COLOURS)))]}
        spots = scatter(rng, [PROPS[kind].radius for kind in everything])
        things = [thing(rng, kind, kind, at, colours.get(kind)) for kind, at in zip(everything, spots, strict=True)]
        return kitchen(rng, things)

    def phrases(self) -> list[str]:
        return [
            f"Put the {self.target} on the plate.",
            f"Place the {self.target} onto the plate.",
            f"Move the {self.target} to the plate.",
            f"Serve the {self.target} on the plate.",
            f"Take the {self.target} and lay it on the plate.",
            f"The {self.target} goes on the plate.",
        ]

    def parameters(self) -> dict[str, str | float | int | bool]:
        return {"target": self.target}

    def done(self, simulation: Simulation) -> bool:
        fruit, plate = simulation.pose_of(self.target)[:3], simulation.pose_of("plate")[:3]
        on_plate = is_on_plate(fruit, self.target, plate)
        still = simulation.speed_of(self.target) < STILL_M_S
        return on_plate and still and not simulation.touched_by_arm(self.target)

    def plan(self, look: Look) -> Plan:
        """Pick from above across the long side, carry over the middle of the plate, let go when it nearly touches."""
        for _ in range(_TRIES):
            yield from pick(look, self.target, PROPS[self.target].long)
            view = look()
            hangs = view.ee_pose[2] - view.objects[self.target][2]
            height = rest_on_plate(self.target) + 0.004 + hangs
            plate = view.objects["plate"][:3]
            yield from release(look, self.target, above(plate, height), yaw_of(view.ee_pose))
            if look().success:
                return
