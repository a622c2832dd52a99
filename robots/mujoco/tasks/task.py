"""What every task has: a layout drawn from its seed, ways of being said, a check of success, and a plan."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from robots.mujoco.layout import CABINET_X, CABINET_Y, COUNTERS, LIGHTS, Layout, Placement, Rgb
from robots.mujoco.props import PROPS
from robots.mujoco.simulation import Simulation
from robots.mujoco.tasks.waypoint import Look, Plan
from teleloom.episode.meta import Instruction, TaskInfo

STILL_M_S = 0.02
SCENE_NAME = "kitchen"
FRUIT = ("apple", "orange", "plum", "lemon", "pear", "banana")


class Task(ABC):
    """One task, drawn from a seed. The station gives it the simulation to observe."""

    name: ClassVar[str]

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), seed])
        self.layout: Layout = self.arrange(rng)
        self.instructions: tuple[str, ...] = tuple(self.phrases())
        self._spoken = int(rng.integers(len(self.instructions)))
        self._simulation: Simulation | None = None

    @abstractmethod
    def arrange(self, rng: np.random.Generator) -> Layout:
        """Draw what stands where, and remember what the task is about."""

    @abstractmethod
    def phrases(self) -> list[str]:
        """At least five ways to say what to do, naming the thing."""

    @abstractmethod
    def done(self, simulation: Simulation) -> bool:
        """Whether the physics state says that it is done."""

    @abstractmethod
    def plan(self, look: Look) -> Plan:
        """The aims of a person who does it, drawn lazily: they look again before each move."""

    def parameters(self) -> dict[str, str | float | int | bool]:
        """What this seed drew, for the episode's metadata."""
        return {}

    def observe(self, simulation: Simulation) -> None:
        """Judge success by this simulation from now on."""
        self._simulation = simulation

    def success(self) -> bool:
        """Whether it is done now. False before a simulation is observed."""
        return self._simulation is not None and self.done(self._simulation)

    def info(self) -> TaskInfo:
        """The task as an episode's metadata keeps it; one instruction is marked as the one that was spoken."""
        instructions = tuple(
            Instruction(text=text, spoken=index == self._spoken) for index, text in enumerate(self.instructions)
        )
        drawn = {"seed": self.seed, **self.parameters()}
        return TaskInfo(name=self.name, instructions=instructions, scene=SCENE_NAME, parameters=drawn)


def tinted(rng: np.random.Generator, rgb: Rgb, spread: float = 0.06) -> Rgb:
    """The colour, a little brighter or darker per channel."""
    red, green, blue = np.clip(np.array(rgb) + rng.uniform(-spread, spread, 3), 0.0, 1.0).tolist()
    return red, green, blue


def thing(
    rng: np.random.Generator, name: str, kind: str, spot: tuple[float, float], rgb: Rgb | None = None
) -> Placement:
    """A thing at the spot, turned at random, in its own colour or the one given, a little tinted."""
    yaw = float(rng.uniform(-np.pi, np.pi))
    return Placement(name, kind, *spot, yaw, tinted(rng, rgb or PROPS[kind].rgb))


def kitchen(
    rng: np.random.Generator,
    things: Sequence[Placement],
    stains: tuple[tuple[float, float], ...] = (),
    drawer_m: float = 0.0,
) -> Layout:
    """The layout of these things, with the cabinet's place, the counter's colour and the light drawn."""
    return Layout(
        things=tuple(things),
        cabinet=(float(rng.uniform(*CABINET_X)), float(rng.uniform(*CABINET_Y))),
        counter_rgb=COUNTERS[int(rng.integers(len(COUNTERS)))],
        light=float(rng.uniform(*LIGHTS)),
        stains=stains,
        drawer_m=drawer_m,
    )


def fruit(rng: np.random.Generator, least: int, most: int) -> list[str]:
    """From `least` to `most` different kinds of fruit, in random order."""
    kinds: list[str] = rng.permutation(FRUIT)[: int(rng.integers(least, most + 1))].tolist()
    return kinds
