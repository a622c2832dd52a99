"""How a trajectory becomes the keys of a record: one layout for each family of loaders."""

from __future__ import annotations

from collections.abc import Callable

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.layouts.contract import Layout
from dataset_builder.layouts.teleloom import TeleloomLayout

__all__ = ["LAYOUTS", "Layout", "get_layout"]

LAYOUTS: dict[str, Callable[[ActionSemantics], Layout]] = {"teleloom": TeleloomLayout}


def get_layout(name: str, semantics: ActionSemantics) -> Layout:
    """The layout called `name` for actions of this meaning. Raises KeyError for an unknown name."""
    return LAYOUTS[name](semantics)
