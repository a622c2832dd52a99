"""What a simulated scene tells about itself while it is recorded."""

from __future__ import annotations

import numpy as np
import pytest

from robots.mujoco.station import SimulatedStation
from robots.mujoco.witness import LOOK_EVERY_NS, MOVED_M, facts, hidden
from teleloom.clock import NS_PER_S

PERIODS_PER_LOOK = LOOK_EVERY_NS // 5_000_000


@pytest.fixture
def station(request: pytest.FixtureRequest):
    built = SimulatedStation("panda", *request.param, cameras=None)
    yield built
    built.close()


def put(station: SimulatedStation, name: str, position) -> None:
    """Lay a thing down elsewhere, at rest."""
    model, data = station.simulation.model, station.simulation.data
    joint = model.joint(name)
    data.qpos[int(joint.qposadr[0]) :][:7] = [*position, 1.0, 0.0, 0.0, 0.0]
    data.qvel[int(joint.dofadr[0]) :][:6] = 0.0


@pytest.mark.parametrize("station", [("put-in-bowl", 0)], indirect=True)
def test_names_every_thing_as_the_instruction_does(station) -> None:
    station.step(100)
    event = station.witness.whole("start")
    assert (event.kind, event.reason, event.t_ns) == ("scene", "start", station.clock.now_ns())
    assert set(event.data["objects"]) == {"apple", "lemon", "bowl", "handle"}
    assert any(name in station.task.info().spoken for name in event.data["objects"])
    for name in ("apple", "lemon", "bowl"):
        assert event.data["objects"][name] == pytest.approx(station.objects()[name].tolist(), abs=1e-5)
    assert (event.data["held"], event.data["inside"], event.data["on"]) == (None, {}, {})
    assert event.data["open"] == {"drawer": False}


@pytest.mark.parametrize("station", [("put-in-bowl", 0)], indirect=True)
def test_tells_a_thing_that_moved_once_and_nothing_while_all_lies_still(station) -> None:
    station.step(100)
    station.witness.whole("start")
    told = []
    for period in range(20 * PERIODS_PER_LOOK):
        if period == 5 * PERIODS_PER_LOOK:
            put(station, "apple", np.add(station.objects()["apple"][:3], [0.0, 2 * MOVED_M, 0.0]))
        if period == 10 * PERIODS_PER_LOOK:
            put(station, "lemon", np.add(station.objects()["lemon"][:3], [0.0, 0.5 * MOVED_M, 0.0]))
        station.step()
        if (event := station.witness.news()) is not None:
            told.append((period, event.reason))
    assert [reason for _, reason in told] == ["move"]
    assert 0 <= told[0][0] - 5 * PERIODS_PER_LOOK <= PERIODS_PER_LOOK


@pytest.mark.parametrize("station", [("put-in-bowl", 0)], indirect=True)
def test_says_what_lies_in_what(station) -> None:
    put(station, "apple", np.add(station.objects()["bowl"][:3], [0.0, 0.0, 0.035]))
    station.step(200)
    assert facts(station.simulation, None)["inside"] == {"apple": "bowl"}


@pytest.mark.parametrize("station", [("stack", 1)], indirect=True)
def test_says_what_stands_on_what(station) -> None:
    top, below = station.task.parameters()["target"], station.task.parameters()["on"]
    put(station, top, np.add(station.objects()[below][:3], [0.0, 0.0, 0.043]))
    station.step(200)
    assert facts(station.simulation, None)["on"] == {top: below}


@pytest.mark.parametrize("station", [("close-drawer", 4)], indirect=True)
def test_a_drawer_that_is_half_way_is_neither_open_nor_closed(station) -> None:
    simulation = station.simulation
    slide = int(simulation.model.joint("drawer").qposadr[0])
    for opening_m, told in ((0.12, {"drawer": True}), (0.03, {}), (0.0, {"drawer": False})):
        simulation.data.qpos[slide] = opening_m
        assert facts(simulation, None)["open"] == told


@pytest.mark.parametrize("station", [("put-in-bowl", 0)], indirect=True)
def test_a_thing_behind_another_is_hidden_from_that_camera_alone(station) -> None:
    station.step(100)
    assert hidden(station.simulation)["side"] == []
    put(station, "apple", [0.47, -0.52, 0.05])  # in the cabinet
    station.step(20)
    covered = hidden(station.simulation)
    assert all("apple" in covered[camera] for camera in ("front", "side"))
    assert "lemon" not in covered["front"]


@pytest.mark.parametrize("station", [("put-in-bowl", 0)], indirect=True)
def test_looking_changes_nothing(station) -> None:
    other = SimulatedStation("panda", "put-in-bowl", 0, cameras=())
    for _ in range(NS_PER_S // 5_000_000):
        station.step()
        station.witness.news()
        other.step()
    station.witness.whole("end")
    np.testing.assert_array_equal(station.simulation.data.qpos, other.simulation.data.qpos)
    np.testing.assert_array_equal(station.simulation.data.qvel, other.simulation.data.qvel)
    other.close()
