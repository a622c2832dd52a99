"""Histograms as inline SVG, coloured by the page's style."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teleloom.pages.markup import Html, tag

AXIS_HEIGHT = 18.0


def histogram(
    counts: NDArray[np.int64],
    edges: NDArray[np.float64],
    marks: Sequence[tuple[float, str]] = (),
    size: tuple[float, float] = (300.0, 70.0),
) -> Html:
    """Bars of `counts` (B,) between `edges` (B+1,); `marks` are values with their names, drawn as lines.

    size: width and height of the bars. Heights are square roots, so that rare values are seen beside frequent ones.
    """
    width, height = size
    low, high = float(edges[0]), float(edges[-1])
    top = np.sqrt(max(1, int(counts.max(initial=0))))
    places = (edges - low) / (high - low) * width
    bars = "".join(
        f"M{left:.2f} {height:g}v-{np.sqrt(count) / top * (height - 4):.1f}H{right:.2f}V{height:g}z"
        for count, left, right in zip(counts, places[:-1], places[1:], strict=True)
        if count
    )
    parts = [tag("path", d=bars, class_="bar"), tag("path", d=f"M0 {height:g}H{width:g}", class_="axis-line")]
    for value, name in marks:
        x = (value - low) / (high - low) * width
        line = tag("path", tag("title", f"{name} = {value:.4g}"), d=f"M{x:.1f} 2V{height:g}", class_="s1 asked")
        parts.append(line)
    y = f"{height + 13:g}"
    parts.append(tag("text", _label(low), x="0", y=y, class_="tick"))
    parts.append(tag("text", _label(high), x=f"{width:g}", y=y, class_="tick end"))
    return tag("svg", *parts, class_="curves", viewBox=f"0 0 {width:g} {height + AXIS_HEIGHT:g}", role="img")


def _label(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() else f"{value:.2g}"
