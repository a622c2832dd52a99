"""What is known about an episode besides its streams: one JSON document, the same in every file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from teleloom.config import Config
from teleloom.specs import CameraSpec, RobotSpec

Outcome = Literal["success", "partial", "failure", "unknown"]


class Instruction(Config):
    """One way to say what to do. `spoken` marks the one that the operator was given."""

    text: str = Field(min_length=1, max_length=500)
    spoken: bool = False
    language: str = "en"


class TaskInfo(Config):
    """The task: a stable name that groups episodes, its ways of being said, and where it takes place."""

    name: str = Field(min_length=1, max_length=100)
    instructions: tuple[Instruction, ...] = Field(min_length=1)
    scene: str = ""
    parameters: dict[str, str | float | int | bool] = {}

    @property
    def spoken(self) -> str:
        """The instruction that the operator was given; the first one where none is marked."""
        return next((i.text for i in self.instructions if i.spoken), self.instructions[0].text)


class WallAnchor(Config):
    """The clock anchor: CLOCK_MONOTONIC and ns since the Unix epoch, read together."""

    monotonic_ns: int
    wall_ns: int


class EpisodeMeta(Config):
    """The `/meta` of an episode file.

    pilot: who may move the arm ("human" for pure teleoperation, "human+policy" for shared control).
    outcome: what the operator said at the end. success_check: what a simulated task measured, None on real robots.
    """

    episode_id: str
    station: str
    operator: str
    task: TaskInfo
    robot: RobotSpec
    cameras: tuple[CameraSpec, ...] = ()
    anchor: WallAnchor
    step_rate_hz: float = Field(default=10.0, gt=0)
    software_version: str
    pilot: Literal["human", "policy", "human+policy"] = "human"
    policy_version: str | None = None
    seed: int | None = None
    simulated: bool = False
    outcome: Outcome = "unknown"
    success_check: bool | None = None
    notes: str = ""
