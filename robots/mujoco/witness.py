"""What is worth telling about a simulated scene while it is recorded: where things lie, what is held, what is in what.

It only looks: nothing in the simulation changes by it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from robots.mujoco.relations import is_in_bowl, is_on_plate, is_stacked
from robots.mujoco.simulation import Simulation
from teleloom.clock import Clock
from teleloom.messages import Event
from teleloom.pose import Array

KIND = "scene"
LOOK_EVERY_NS = 100_000_000
MOVED_M = 0.01
"""A thing that nobody holds is told again once it lies this far from where it was told last."""
_STIR_M = 0.001
_DRAWER_OPEN_M = 0.05
_DRAWER_CLOSED_M = 0.012
_DECIMALS = 5

Data = dict[str, Any]


class SceneWitness:
    """Tells of a scene in events of kind "scene", for an episode that is being recorded.

    look: gives the simulation as it is now; guard: held while it is looked at. The data of an event:
    `objects` {name: pose (7,) in the base frame}; `held` the name of what the hand has between its fingers, or None;
    `inside` and `on` {name: name of what it lies in or on}; `open` {name: bool}, without what is neither open nor
    closed; `hidden` {camera: names of what something nearer to the camera covers}.
    """

    def __init__(
        self, look: Callable[[], Simulation], clock: Clock, guard: AbstractContextManager[Any] | None = None
    ) -> None:
        self._look = look
        self._clock = clock
        self._guard = guard or nullcontext()
        self._told: Data = {}
        self._places: Array = np.empty((0, 3))
        self._slipped = False
        self._due_ns = 0
        self._seq = 0

    def whole(self, reason: str) -> Event:
        """All of it, now."""
        with self._guard:
            simulation = self._look()
            return self._tell(reason, facts(simulation, self._held(simulation)), simulation)

    def news(self) -> Event | None:
        """All of it when something was grasped, let go, moved, opened or closed since the last event; else None.

        Looks every LOOK_EVERY_NS at most.
        """
        now_ns = self._clock.now_ns()
        if now_ns < self._due_ns:
            return None
        self._due_ns = now_ns + LOOK_EVERY_NS
        with self._guard:
            simulation = self._look()
            held, places = self._held(simulation), simulation.places()
            if self._told and held == self._told["held"] and _are_near(places, self._places):
                return None
            seen = facts(simulation, held)
            reason = _difference(self._told, seen)
            return self._tell(reason, seen, simulation) if reason else None

    def _held(self, simulation: Simulation) -> str | None:
        """What is held: a thing that the fingers rattle on, like a handle that is pulled, is not let go each time."""
        before = self._told.get("held")
        held = simulation.held(before)
        self._slipped = held is None and before is not None and not self._slipped
        return str(before) if self._slipped else held

    def _tell(self, reason: str, seen: Data, simulation: Simulation) -> Event:
        self._told, self._places = seen, simulation.places()
        self._seq += 1
        data = {**seen, "hidden": hidden(simulation)}
        return Event(t_ns=self._clock.now_ns(), seq=self._seq - 1, kind=KIND, reason=reason, data=data)


def facts(simulation: Simulation, held: str | None) -> Data:
    """The data of an event but for `hidden`."""
    kinds = {placement.name: placement.kind for placement in simulation.scene.layout.things}
    poses = simulation.objects()
    lying = {name: poses[name][:3] for name in kinds if name != held}
    return {
        "objects": {name: np.round(poses[name], _DECIMALS).tolist() for name in (*kinds, "handle")},
        "held": held,
        "inside": _pairs(lying, kinds, "bowl", lambda thing, _, bowl: is_in_bowl(thing, bowl)),
        "on": _pairs(lying, kinds, "plate", is_on_plate)
        | _pairs(lying, kinds, "block", lambda thing, kind, below: kind == "block" and is_stacked(thing, below)),
        "open": _drawer(simulation.drawer_m),
    }


def hidden(simulation: Simulation) -> dict[str, list[str]]:
    """For each camera the things whose centre the arm, or something else nearer to the camera, covers."""
    names = (*(placement.name for placement in simulation.scene.layout.things), "handle")
    return {camera: [name for name in names if simulation.covers(camera, name)] for camera in simulation.cameras}


def _are_near(places: Array, told: Array) -> bool:
    """Whether nothing has gone anywhere: then nothing else can have changed, and no more need be worked out."""
    return places.shape == told.shape and float(np.abs(places - told).max()) < _STIR_M


def _pairs(
    lying: dict[str, Array], kinds: dict[str, str], below: str, holds: Callable[[Array, str, Array], bool]
) -> dict[str, str]:
    supports = [name for name in lying if kinds[name] == below]
    return {
        name: support
        for support in supports
        for name, at in lying.items()
        if name != support and holds(at, kinds[name], lying[support])
    }


def _drawer(opening_m: float) -> dict[str, bool]:
    if _DRAWER_CLOSED_M < opening_m < _DRAWER_OPEN_M:
        return {}
    return {"drawer": opening_m >= _DRAWER_OPEN_M}


def _difference(told: Data, seen: Data) -> str:
    """What happened in between, in one word: grasp, release, move; empty for nothing worth telling."""
    if not told:
        return "move"
    if told["held"] != seen["held"]:
        return "release" if seen["held"] is None else "grasp"
    if any(told[key] != seen[key] for key in ("inside", "on", "open")):
        return "move"
    moved = any(
        np.linalg.norm(np.subtract(at[:3], told["objects"][name][:3])) > MOVED_M
        for name, at in seen["objects"].items()
        if name != seen["held"]
    )
    return "move" if moved else ""
