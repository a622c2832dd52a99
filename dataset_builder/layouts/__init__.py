"""How a trajectory becomes the keys of a record: one layout for each family of loaders."""

from __future__ import annotations

from collections.abc import Callable

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.layouts.bridge import BridgeLayout
from dataset_builder.layouts.contract import Layout, LayoutError
from dataset_builder.layouts.droid import DroidLayout
from dataset_builder.layouts.libero import LiberoLayout
from dataset_builder.layouts.octo import OctoLayout
from dataset_builder.layouts.teleloom import TeleloomLayout
from dataset_builder.presets import Preset

__all__ = ["LAYOUTS", "Layout", "LayoutError", "get_layout"]

LAYOUTS: dict[Preset, Callable[[ActionSemantics], Layout]] = {
    "teleloom": TeleloomLayout,
    "openvla": LiberoLayout,
    "openvla-bridge": BridgeLayout,
    "octo": OctoLayout,
    "openpi-droid": DroidLayout,
}


def get_layout(preset: Preset, semantics: ActionSemantics) -> Layout:
    """The layout of this preset for actions of this meaning. Raises KeyError for an unknown preset."""
    return LAYOUTS[preset](semantics)
