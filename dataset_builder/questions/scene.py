"""What a simulation told of its scene while it was recorded, and from when until when that holds."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from teleloom.clock import NS_PER_S
from teleloom.config import Config
from teleloom.messages import Event

KIND = "scene"
MARGIN_NS = NS_PER_S // 5
"""A step's picture is a little older than the step, and a change is told a little after it happened: what changed
within so long of a step is not asked about there."""
NEAR_NS = 3 * NS_PER_S // 10
"""For so long around an event the arm covers about what it covered then."""
STILL_M = 0.012

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Pose = tuple[Finite, Finite, Finite, Finite, Finite, Finite, Finite]


class SceneState(Config):
    """The data of one event; see docs/episode-format.md. None where it is not told.

    objects: pose of each thing in the base frame. held: None for nothing where `tells_held`. inside, on: what each
    thing lies in or on. open: what is open or closed. hidden: for each camera, the things that something covers.
    """

    objects: dict[Name, Pose] = {}
    held: Name | None = None
    inside: dict[Name, Name] | None = None
    on: dict[Name, Name] | None = None
    open: dict[Name, bool] = {}
    hidden: dict[str, tuple[Name, ...]] = {}

    @property
    def tells_held(self) -> bool:
        """Whether it says what is held, be it nothing."""
        return "held" in self.model_fields_set


class Scenes:
    """The states of an episode by time. An event that cannot be read makes the time after it unknown."""

    def __init__(self, events: Sequence[Event]) -> None:
        told = sorted((event for event in events if event.kind == KIND), key=lambda event: (event.t_ns, event.seq))
        self._t_ns = [event.t_ns for event in told]
        self._states = [_state(event) for event in told]
        self._steady: dict[tuple[int, int], SceneState | None] = {}

    @property
    def states(self) -> tuple[SceneState, ...]:
        """All that could be read."""
        return tuple(state for state in self._states if state is not None)

    def steady(self, t_ns: int) -> SceneState | None:
        """The state at `t_ns`, with those things alone that lay still around it; None where it was changing."""
        first, last = bisect_right(self._t_ns, t_ns - MARGIN_NS) - 1, bisect_right(self._t_ns, t_ns + MARGIN_NS)
        if (first, last) not in self._steady:
            self._steady[first, last] = _common(self._states[first:last]) if first >= 0 else None
        return self._steady[first, last]

    def uncovered(self, t_ns: int, camera: str) -> frozenset[str]:
        """The things that nothing covers from this camera, by an event shortly before or after; none without one."""
        places = (bisect_right(self._t_ns, t_ns) - 1, bisect_right(self._t_ns, t_ns))
        near = [i for i in places if 0 <= i < len(self._t_ns) and abs(self._t_ns[i] - t_ns) <= NEAR_NS]
        states = [self._states[i] for i in near]
        if not states or any(state is None or camera not in state.hidden for state in states):
            return frozenset()
        seen = [frozenset(state.objects) - set(state.hidden[camera]) for state in states if state is not None]
        return frozenset.intersection(*seen)


def _common(states: Sequence[SceneState | None]) -> SceneState | None:
    """The newest of the states with the things that lie alike in all; None where one is unknown or tells otherwise."""
    known = [state for state in states if state is not None]
    if len(known) < len(states) or any(_facts(state) != _facts(known[0]) for state in known):
        return None
    newest = known[-1]
    still = {name: at for name, at in newest.objects.items() if all(_is_near(at, state, name) for state in known)}
    return newest.model_copy(update={"objects": still})


def _state(event: Event) -> SceneState | None:
    try:
        return SceneState.model_validate(event.data)
    except ValidationError:
        return None


def _facts(state: SceneState) -> tuple[object, ...]:
    return state.tells_held, state.held, state.inside, state.on, state.open


def _is_near(at: Pose, state: SceneState, name: str) -> bool:
    other = state.objects.get(name)
    return other is not None and math.dist(at[:3], other[:3]) <= STILL_M
