"""SVG pictures that are files of their own, in the colours of the pages."""

from __future__ import annotations

from collections.abc import Sequence

from teleloom.pages.markup import Html, join, style, tag

WIDTH, HEIGHT = 300.0, 88.0
TITLE, GAP = 18.0, 18.0


def small_multiples(charts: Sequence[tuple[str, Html]], columns: int = 3) -> str:
    """A picture of several charts (`svg.curves`) with their titles, row by row; equal charts give equal text."""
    rows = -(-len(charts) // columns)
    width = columns * (WIDTH + GAP) + GAP
    height = rows * (TITLE + HEIGHT + GAP) + GAP
    parts = [tag("style", style("theme.css", "charts.css"), ".curves { margin: 0; } .paper { fill: var(--card); }")]
    parts.append(tag("rect", width="100%", height="100%", class_="paper"))
    for i, (title, chart) in enumerate(charts):
        x, y = GAP + i % columns * (WIDTH + GAP), GAP + i // columns * (TITLE + HEIGHT + GAP)
        parts.append(tag("text", title, x=f"{x:g}", y=f"{y + 11:g}", class_="lane-title"))
        parts.append(tag("svg", chart, x=f"{x:g}", y=f"{y + TITLE:g}", width=f"{WIDTH:g}", height=f"{HEIGHT:g}"))
    body = join(parts, "\n")
    box = f"0 0 {width:g} {height:g}"
    return str(tag("svg", body, xmlns="http://www.w3.org/2000/svg", viewBox=box, width=f"{width:g}", class_="curves"))
