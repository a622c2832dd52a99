"""A sitting with a witness of the scene: when the episode is told of it."""

from __future__ import annotations

import pytest

from robots.mujoco.station import SimulatedStation
from station.config import kitchen_teleop
from station.lockstep import describe_scene, run_lockstep
from station.session import Session
from teleloom.episode.meta import EpisodeMeta, Outcome
from teleloom.messages import AnyMessage, Event
from teleop.sources.scripted.operator import ScriptedOperator


class Notes:
    """A sink that keeps the events and what happened to the episode, in order."""

    def __init__(self) -> None:
        self.happened: list[str | Event] = []

    def start(self, meta: EpisodeMeta, t_ns: int) -> None:
        self.happened.append("start")

    def take(self, stream: str, message: AnyMessage) -> None:
        if isinstance(message, Event):
            assert stream == "events"
            self.happened.append(message)

    def keep(self, outcome: Outcome, success_check: bool | None) -> None:
        self.happened.append("keep")

    def discard(self, reason: str) -> None:
        self.happened.append("discard")


@pytest.fixture(scope="module")
def happened() -> list[str | Event]:
    """All that a sitting with one attempt at opening the drawer gives."""
    sim = SimulatedStation("panda", "open-drawer", 3, cameras=())
    operator = ScriptedOperator(sim.task.plan, sim.look, sim.clock, 3)
    notes = Notes()
    session = Session(notes, lambda: describe_scene(sim, "bench", "scripted"), sim.task.success, sim.witness)
    run_lockstep(sim, operator, kitchen_teleop(), session, lambda: operator.done)
    sim.close()
    return notes.happened


def scenes(happened: list[str | Event]) -> list[Event]:
    return [event for event in happened if isinstance(event, Event) and event.kind == "scene"]


def test_an_episode_is_told_of_its_scene_first_and_last(happened: list[str | Event]) -> None:
    told = scenes(happened)
    assert (told[0].reason, told[-1].reason) == ("start", "end")
    assert happened.index(told[0]) == happened.index("start") + 1
    assert happened.index(told[-1]) == happened.index("keep") - 1
    assert (told[0].data["open"], told[-1].data["open"]) == ({"drawer": False}, {"drawer": True})


def test_a_handle_is_grasped_and_let_go_once_however_the_fingers_rattle_on_it(happened: list[str | Event]) -> None:
    told = scenes(happened)
    assert [event.reason for event in told if event.reason in ("grasp", "release")] == ["grasp", "release"]
    assert {event.data["held"] for event in told} == {None, "handle"}


def test_an_episode_holds_a_few_scenes_and_not_hundreds(happened: list[str | Event]) -> None:
    assert 4 <= len(scenes(happened)) <= 12
    assert [event.seq for event in scenes(happened)] == list(range(len(scenes(happened))))
