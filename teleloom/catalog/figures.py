"""What a quality verdict may hold to be kept: plain JSON, which has no NaN and no infinity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from teleloom.catalog.errors import BadQualityError


def check_quality(episode: str, quality: dict[str, Any] | None) -> None:
    """Raises BadQualityError where a verdict on the episode holds NaN or infinity, naming it and each figure."""
    if wrong := list(_no_numbers(quality, "")):
        raise BadQualityError(f"{episode}: its quality verdict has {', '.join(wrong)}; leave such figures out")


def _no_numbers(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{name} = {value}"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _no_numbers(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _no_numbers(item, f"{name}[{index}]")
