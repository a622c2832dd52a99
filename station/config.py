"""A station in one YAML file: its robot, cameras, operator, limits and recorder."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from recorder.config import RecorderConfig
from teleloom.config import Config
from teleloom.episode.meta import TaskInfo
from teleop.config import PlaneObstacle, TeleopConfig


class PluginConfig(Config):
    """A part that a plug-in provides: the driver's name among its entry points, and what the driver is given."""

    driver: str
    options: dict[str, Any] = {}


class OperatorConfig(Config):
    """Who drives: the source's name among the entry points `teleloom.operators`, and the person's name."""

    source: str = "openxr"
    name: str = Field(default="operator", min_length=1, max_length=100, description="kept in every episode")
    options: dict[str, Any] = {}


class StationConfig(Config):
    """The whole station. task: what is to be done; a simulated robot brings its own."""

    name: str = Field(default="station", min_length=1, max_length=100)
    robot: PluginConfig
    cameras: dict[str, PluginConfig] = Field(min_length=1)
    operator: OperatorConfig = OperatorConfig()
    task: TaskInfo | None = None
    step_rate_hz: float = Field(default=10.0, gt=0)
    teleop: TeleopConfig = TeleopConfig()
    recorder: RecorderConfig = RecorderConfig()


def kitchen_teleop() -> TeleopConfig:
    """Teleoperation in the simulated kitchen, whose counter top is the plane z = 0 of every arm's base frame.

    The fingertips may touch the counter, to take a berry or to wipe, but not go through it.
    """
    counter = PlaneObstacle(name="counter", point_m=(0.0, 0.0, 0.0), clearance_m=0.0)
    return TeleopConfig(obstacles=(counter,))


def simulated(robot: str, task: str, seed: int, cameras: tuple[str, ...], rate_hz: float = 10.0) -> StationConfig:
    """A station in the simulated kitchen."""
    return StationConfig(
        name="simulated",
        robot=PluginConfig(driver="mujoco", options={"robot": robot, "task": task, "seed": seed}),
        cameras={name: PluginConfig(driver="mujoco", options={"rate_hz": rate_hz}) for name in cameras},
        teleop=kitchen_teleop(),
    )
