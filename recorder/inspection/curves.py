"""Curves over time as inline SVG: lanes one under another on one time axis, coloured by the page's style.

Written by hand rather than by a plotting library: the lines take their colours from the page, light or dark, the same
data give the same bytes, and a robot's computer needs nothing installed to draw them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from teleloom.pages.markup import Html, join, tag

Array = NDArray[np.float64]

WIDTH = 1000.0
LEFT, RIGHT = 92.0, 10.0
TITLE_HEIGHT = 22.0
AXIS_HEIGHT = 22.0
LANE_GAP = 10.0
BAND_GAP = 6.0
POINTS_PER_CURVE = 260


@dataclass(frozen=True)
class Series:
    """One curve. t_s, values: (N,), NaN where there is none. style: its classes in the page's style, such as "s0"."""

    label: str
    t_s: Array
    values: Array
    style: str


@dataclass(frozen=True)
class Lane:
    """Curves that share a scale. height: of the plot, of a figure 1000 wide. limits: of the scale, None to fit."""

    title: str
    unit: str
    series: Sequence[Series]
    height: float = 92.0
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Piece:
    """A stretch of time that means something: seconds, classes of the page's style, and what it is."""

    start_s: float
    end_s: float
    style: str
    label: str


@dataclass(frozen=True)
class Band:
    """A lane of coloured pieces instead of curves."""

    title: str
    pieces: Sequence[Piece]
    height: float = 12.0


def figure(lanes: Sequence[Lane | Band], duration_s: float, shades: Sequence[Piece] = ()) -> Html:
    """All lanes on one time axis from 0 to `duration_s`; `shades` run through every lane of curves."""
    ticks = nice_ticks(0.0, duration_s, 10)
    parts: list[Html] = []
    y = 0.0
    for lane in lanes:
        if isinstance(lane, Band):
            parts.append(_band(lane, y, duration_s))
            y += lane.height + BAND_GAP
        else:
            parts.append(_heading(lane, y))
            parts.append(_lane(lane, y + TITLE_HEIGHT, duration_s, ticks, shades))
            y += TITLE_HEIGHT + lane.height + LANE_GAP
    parts.append(_time_axis(ticks, y - LANE_GAP, duration_s))
    height = y - LANE_GAP + AXIS_HEIGHT
    return tag("svg", *parts, class_="curves", viewBox=f"0 0 {WIDTH:g} {height:g}", role="img", aria_label="curves")


def sparkline(series: Sequence[Series], duration_s: float, height: float = 60.0, label: str = "curve") -> Html:
    """Curves alone, without axes, each scaled to the whole height: a shape to recognise, 300 wide."""
    width = 300.0
    paths = []
    for one in series:
        low, high = _limits([one], None)
        to_y = partial(_scaled, low=low, high=high, top=3.0, height=height - 6.0)
        paths.append(_path(one, lambda t: t * (width / max(duration_s, 1e-9)), to_y))
    return tag("svg", *paths, class_="spark", viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label)


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values (1, 2 or 5 times a power of ten apart) within [low, high], `most` of them at most."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    magnitude = 10.0 ** np.floor(np.log10(rough))
    step = next(factor * magnitude for factor in (1.0, 2.0, 5.0, 10.0) if factor * magnitude >= rough * (1 - 1e-9))
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(round(k * step, 10)) + 0.0 for k in np.arange(first, last + 1)]  # + 0.0: never "-0"


def envelope(t_s: Array, values: Array, bins: int) -> tuple[Array, Array]:
    """At most 2 points per bin, its lowest and its highest in order of time: fewer points, and no peak lost."""
    if len(values) <= 2 * bins:
        return t_s, values
    edges = np.linspace(0, len(values), bins + 1).astype(np.int64)
    keep: list[int] = []
    for first, last in pairwise(edges):
        piece = values[first:last]
        if np.isnan(piece).any():
            keep += [first, last - 1]
        else:
            keep += sorted({first + int(piece.argmin()), first + int(piece.argmax())})
    return t_s[keep], values[keep]


def _x(t_s: float, duration_s: float) -> float:
    return LEFT + t_s / max(duration_s, 1e-9) * (WIDTH - LEFT - RIGHT)


def _xs(t_s: Array, duration_s: float) -> Array:
    return LEFT + t_s * ((WIDTH - LEFT - RIGHT) / max(duration_s, 1e-9))


def _scaled(values: Array, low: float, high: float, top: float, height: float) -> Array:
    scaled: Array = top + (high - values) / (high - low) * height
    return scaled


def _limits(series: Sequence[Series], limits: tuple[float, float] | None) -> tuple[float, float]:
    if limits is not None:
        return limits
    finite = np.concatenate([one.values[np.isfinite(one.values)] for one in series] or [np.zeros(1)])
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    margin = 0.06 * (high - low) or 0.5 * max(abs(high), 1e-3)
    return low - margin, high + margin


def _band(band: Band, y: float, duration_s: float) -> Html:
    title = tag("text", band.title, x=f"{LEFT - 8:g}", y=f"{y + 10:g}", class_="tick end")
    return join((title, *(_rect(piece, y, band.height, duration_s) for piece in band.pieces)))


def _heading(lane: Lane, y: float) -> Html:
    title = f"{lane.title} [{lane.unit}]" if lane.unit else lane.title
    parts = [tag("text", title, x=f"{LEFT:g}", y=f"{y + 15:g}", class_="lane-title")]
    named = [one for one in lane.series if one.label]
    if len(named) > 1:
        x = WIDTH - RIGHT
        for one in reversed(named):
            parts.append(tag("text", one.label, x=f"{x:g}", y=f"{y + 15:g}", class_="legend end"))
            x -= 6.6 * len(one.label) + 20.0
            parts.append(tag("path", d=f"M{x:g} {y + 11:g}h15", class_=one.style))
            x -= 12.0
    return join(parts)


def _lane(lane: Lane, y: float, duration_s: float, ticks: Sequence[float], shades: Sequence[Piece]) -> Html:
    low, high = _limits(lane.series, lane.limits)
    parts = [_rect(Piece(0.0, duration_s, "plot", lane.title), y, lane.height, duration_s)]
    parts += [_rect(shade, y, lane.height, duration_s) for shade in shades]
    grid = "".join(f"M{_x(tick, duration_s):.1f} {y:g}v{lane.height:g}" for tick in ticks)
    levels = nice_ticks(low, high, max(3, int(lane.height // 26)))
    heights = _scaled(np.array(levels), low, high, y, lane.height)
    grid += "".join(f"M{LEFT:g} {height:.1f}H{WIDTH - RIGHT:g}" for height in heights)
    parts.append(tag("path", d=grid, class_="grid"))
    for level, height in zip(levels, heights, strict=True):
        parts.append(tag("text", f"{level:g}", x=f"{LEFT - 6:g}", y=f"{height + 3.5:.1f}", class_="tick end"))
    to_y = partial(_scaled, low=low, high=high, top=y, height=lane.height)
    for one in lane.series:
        parts.append(_path(one, lambda t: _xs(t, duration_s), to_y))
    return join(parts)


def _rect(piece: Piece, y: float, height: float, duration_s: float) -> Html:
    start = max(0.0, min(piece.start_s, duration_s))
    end = max(start, min(piece.end_s, duration_s))
    x = _x(start, duration_s)
    width = max(1.5, _x(end, duration_s) - x)
    title = tag("title", f"{piece.label} ({piece.start_s:.2f}–{piece.end_s:.2f} s)")
    return tag("rect", title, x=f"{x:.1f}", y=f"{y:g}", width=f"{width:.1f}", height=f"{height:g}", class_=piece.style)


def _path(series: Series, to_x: Callable[[Array], Array], to_y: Callable[[Array], Array]) -> Html:
    t_s, values = envelope(series.t_s, series.values, POINTS_PER_CURVE // 2)
    if not len(t_s):
        return Html("")
    xs, ys, known = to_x(t_s), to_y(values), np.isfinite(values)
    steps, pen_down = [], False
    for x, y, drawn in zip(xs, ys, known, strict=True):
        if drawn:
            steps.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        pen_down = bool(drawn)
    return tag("path", tag("title", series.label), d="".join(steps), class_=series.style)


def _time_axis(ticks: Sequence[float], y: float, duration_s: float) -> Html:
    places = [(f"{tick:g} s", f"{_x(tick, duration_s):.1f}") for tick in ticks]
    return join(tag("text", label, x=x, y=f"{y + 15:g}", class_="tick middle") for label, x in places)
