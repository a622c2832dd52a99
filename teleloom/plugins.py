"""Plug-ins found through entry points: a package adds a command, robot, camera, operator, codec or policy by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, get_args

from teleloom.extras import MissingExtraError

Group = Literal[
    "teleloom.commands",
    "teleloom.robots",
    "teleloom.cameras",
    "teleloom.operators",
    "teleloom.codecs",
    "teleloom.policies",
]
GROUPS: tuple[Group, ...] = get_args(Group)


class PluginError(RuntimeError):
    """A plug-in that cannot be had. The message names group, plug-in, what went wrong and what there is instead."""


def names(group: Group) -> list[str]:
    """The names offered in `group`, sorted; nothing is imported, so a broken plug-in cannot hide the others."""
    return sorted({point.name for point in entry_points(group=group)})


def load(group: Group, name: str) -> Any:
    """Import and return the object that `name` stands for in `group`.

    Raises PluginError when there is no such name (the valid ones are listed), when packages offer different objects
    under it, or when importing it fails, be it for a missing extra, whose remedy the message then ends with.
    """
    offered = {point.value: point for point in entry_points(group=group) if point.name == name}
    if not offered:
        raise PluginError(f"no '{name}' in {group}; there is: {', '.join(names(group)) or '(nothing)'}")
    if len(offered) > 1:
        raise PluginError(f"'{name}' in {group} is offered by {' and '.join(sorted(offered))}; uninstall all but one")
    return _import(group, next(iter(offered.values())))


def _import(group: Group, point: EntryPoint) -> Any:
    try:
        return point.load()
    # Somebody else's module runs here: whatever it raises must not take the station down with it.
    except Exception as error:
        what = str(error) if isinstance(error, MissingExtraError) else f"{type(error).__name__}: {error}"
        raise PluginError(f"'{point.name}' in {group} ({point.value}) cannot be loaded: {what}") from error
