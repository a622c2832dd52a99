"""Presets: what a manifest says when it only names the family of loaders that is to read the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Preset = Literal["teleloom"]
PRESETS: dict[str, dict[str, Any]] = {"teleloom": {}}


def with_preset(given: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest `given` on top of what its preset says: a section's own keys win one by one, except that cameras
    are taken whole."""
    merged = dict(PRESETS.get(str(given.get("preset", "teleloom")), {}))
    for key, value in given.items():
        default = merged.get(key)
        both = isinstance(default, Mapping) and isinstance(value, Mapping) and key != "cameras"
        merged[key] = {**default, **value} if both and isinstance(default, Mapping) else value
    return merged
