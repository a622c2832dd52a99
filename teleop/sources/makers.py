"""The built-in operator sources, as plug-ins: each is made from the station it will drive and its own options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import ValidationError

from robots.mujoco.tasks import Task, View
from teleloom.clock import Clock
from teleloom.config import ConfigT, describe
from teleloom.messages import AnyMessage
from teleop.config import TeleopConfig
from teleop.operator import Operator, OperatorError


@runtime_checkable
class Scene(Protocol):
    """A simulated station that an operator can look at."""

    task: Task

    def look(self) -> View:
        """What a person sees at a glance."""
        ...


@dataclass(frozen=True)
class Setting:
    """What an operator source may use.

    publish: for what it has to say itself. scene: what a simulated station shows, None on a real one. seed: for a
    source that draws lots.
    """

    clock: Clock
    teleop: TeleopConfig
    publish: Callable[[str, AnyMessage], None]
    scene: Scene | None = None
    seed: int = 0


class OperatorMaker(Protocol):
    """What an entry point of the group `teleloom.operators` names."""

    def __call__(self, setting: Setting, **options: Any) -> Operator:
        """Make the source, closed. Raises OperatorError for options that it does not know."""
        ...


def scripted(setting: Setting, **options: Any) -> Operator:
    """A scripted operator for the task of a simulated robot."""
    from teleop.sources.scripted.habits import ScriptedOperatorConfig
    from teleop.sources.scripted.operator import ScriptedOperator

    scene = setting.scene
    if scene is None:
        raise OperatorError(
            "the scripted operator must see the scene, and this robot has none to show; "
            "use robot.driver 'mujoco', or another operator.source"
        )
    config = _config(ScriptedOperatorConfig, "scripted", {"hand": setting.teleop.hand, **options})
    return ScriptedOperator(scene.task.plan, scene.look, setting.clock, setting.seed, config, setting.teleop.mapping)


def replay(setting: Setting, **options: Any) -> Operator:
    """The operator of a recorded episode: option `episode` is the path of its file."""
    from teleop.sources.replay import ReplayOperator

    if set(options) != {"episode"}:
        raise OperatorError("operator 'replay' takes one option, the path of an episode file: episode")
    return ReplayOperator.from_episode(Path(str(options["episode"])), setting.clock)


def openxr(setting: Setting, **options: Any) -> Operator:
    """A headset through OpenXR."""
    from teleop.sources.openxr.operator import OpenXrConfig, OpenXrOperator

    return OpenXrOperator(_config(OpenXrConfig, "openxr", options), setting.clock, setting.publish)


def _config(model: type[ConfigT], name: str, options: dict[str, Any]) -> ConfigT:
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise OperatorError(f"options of operator '{name}' cannot be used:\n{describe(error, model)}") from None
