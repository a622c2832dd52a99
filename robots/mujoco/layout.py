"""What stands where at the start of an episode: plain values drawn from a seed, from which a scene is built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Rgb = tuple[float, float, float]

# The part of the counter (m, base frame) that both arms reach with the tool pointing down, clear of the cabinet.
X_RANGE = (0.36, 0.57)
Y_RANGE = (-0.11, 0.32)

COUNTERS: tuple[Rgb, ...] = ((1.0, 1.0, 1.0), (0.92, 0.88, 0.84), (0.80, 0.78, 0.76), (1.0, 0.93, 0.85))
LIGHTS = (0.9, 1.15)
CABINET_X = (0.43, 0.50)
CABINET_Y = (-0.47, -0.44)


class CrowdedCounterError(RuntimeError):
    """The things asked for do not fit on the counter without touching."""


@dataclass(frozen=True)
class Placement:
    """One thing on the counter. kind: a key of `robots.mujoco.props.PROPS`; x, y in m and yaw in rad, base frame."""

    name: str
    kind: str
    x: float
    y: float
    yaw: float = 0.0
    rgb: Rgb | None = None


@dataclass(frozen=True)
class Layout:
    """A whole scene's start. cabinet: x, y of its centre, m. drawer_m: how far the drawer is open. stains: x, y each.

    light: factor on the lights' brightness.
    """

    things: tuple[Placement, ...]
    cabinet: tuple[float, float]
    counter_rgb: Rgb
    light: float
    stains: tuple[tuple[float, float], ...] = ()
    drawer_m: float = 0.0


def scatter(
    rng: np.random.Generator, radii: Sequence[float], gap: float = 0.035, y_range: tuple[float, float] = Y_RANGE
) -> list[tuple[float, float]]:
    """A spot (x, y) for each thing, so that circles of these radii keep `gap` between them, all in metres.

    Draws in the order given, and begins again where the last things find no room. Raises CrowdedCounterError after
    300 beginnings.
    """
    for _ in range(300):
        spots: list[tuple[float, float]] = []
        for radius in radii:
            draws = zip(rng.uniform(*X_RANGE, 40).tolist(), rng.uniform(*y_range, 40).tolist(), strict=True)
            spot = next((d for d in draws if _is_free(d, radius + gap, spots, radii)), None)
            if spot is None:
                break
            spots.append(spot)
        else:
            return spots
    raise CrowdedCounterError(f"no room on the counter for {len(radii)} things of radii {list(radii)} m")


def _is_free(
    spot: tuple[float, float], keep_off: float, taken: Sequence[tuple[float, float]], radii: Sequence[float]
) -> bool:
    return all(
        math.hypot(spot[0] - x, spot[1] - y) >= keep_off + radius for (x, y), radius in zip(taken, radii, strict=False)
    )
