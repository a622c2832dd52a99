"""Replay equals live: an episode's recorded hand drives the arm through the same ticks again."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from robots.mujoco.station import SimulatedStation
from teleloom.clock import NS_PER_S
from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.episode.streams import Stream, StreamBuilder
from teleloom.episode.writer import write_episode
from teleloom.messages import AnyMessage, Controller, ControlTick, XrFrame
from teleop.config import TeleopConfig
from teleop.loop import TeleopLoop
from teleop.operator import Operator, OperatorError
from teleop.sources.replay import ReplayOperator

SECONDS = 2.0


def hand_at(t_s: float) -> Controller:
    """A hand that squeezes after 0.2 s and then waves; its tracking is lost for a moment."""
    return Controller(
        pose=(0.1, 0.05 * math.sin(3.0 * t_s), 1.0 + 0.02 * math.sin(5.0 * t_s), 0.0, 0.0, 0.0, 1.0),
        squeeze=1.0 if 0.2 < t_s < 1.0 or t_s > 1.3 else 0.0,
        tracked=not 0.8 < t_s < 0.85,
    )


def drive(station: SimulatedStation, operator: Operator) -> list[tuple[str, AnyMessage]]:
    """Everything that the loop published in SECONDS of lockstep."""
    published: list[tuple[str, AnyMessage]] = []
    loop = TeleopLoop(
        station.robot,
        operator,
        TeleopConfig(),
        station.clock,
        lambda topic, message: published.append((topic, message)),
    )
    operator.open()
    for _ in range(round(SECONDS * 200)):
        loop.tick()
        station.step()
    return published


def ticks(published: list[tuple[str, AnyMessage]], start_ns: int) -> list[ControlTick]:
    """The ticks with their times counted from `start_ns`."""
    found = [message for _, message in published if isinstance(message, ControlTick)]
    return [msgspec.structs.replace(tick, t_ns=tick.t_ns - start_ns) for tick in found]


@pytest.fixture
def live() -> tuple[SimulatedStation, list[tuple[str, AnyMessage]]]:
    station = SimulatedStation("panda", cameras=())
    times = range(0, round(SECONDS * NS_PER_S), NS_PER_S // 90)
    frames = [XrFrame(t_ns=t, seq=i, right=hand_at(t / NS_PER_S)) for i, t in enumerate(times)]
    return station, drive(station, ReplayOperator(frames, station.clock))


def test_a_recorded_episode_drives_the_arm_through_the_same_ticks(
    live: tuple[SimulatedStation, list[tuple[str, AnyMessage]]], tmp_path: Path
) -> None:
    station, published = live
    path = tmp_path / "episode.h5"
    write_episode(path, meta_of(station), {"xr": stream(published, "xr"), "tick": stream(published, "tick")})

    again = SimulatedStation("panda", cameras=())
    again.step(7)  # Another time of the clock: only the differences count.
    again.reset(0)
    start_ns = again.clock.now_ns()
    replayed = drive(again, ReplayOperator.from_episode(path, again.clock))
    assert ticks(replayed, start_ns) == ticks(published, 0)
    assert any(tick.engaged for tick in ticks(replayed, start_ns))


def test_an_episode_without_an_operator_cannot_be_replayed(
    live: tuple[SimulatedStation, list[tuple[str, AnyMessage]]], tmp_path: Path
) -> None:
    station, published = live
    path = tmp_path / "episode.h5"
    write_episode(path, meta_of(station), {"tick": stream(published, "tick")})
    with pytest.raises(OperatorError, match="no 'xr' stream"):
        ReplayOperator.from_episode(path)


def stream(published: list[tuple[str, AnyMessage]], name: str) -> Stream:
    messages = [message for topic, message in published if topic == name]
    builder = StreamBuilder(type(messages[0]), joints=7)
    for message in messages:
        builder.add(message)
    return builder.build()


def meta_of(station: SimulatedStation) -> EpisodeMeta:
    return EpisodeMeta(
        episode_id="0190c6a0-0000-7000-8000-000000000001",
        station="test",
        operator="nobody",
        task=TaskInfo(name="wave", instructions=(Instruction(text="wave"),)),
        robot=station.robot.spec,
        anchor=WallAnchor(monotonic_ns=0, wall_ns=0),
        software_version="0",
    )
