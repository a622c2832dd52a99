"""The charts of the progress, in the colours that the theme gives each status; drawn from figures alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, get_args

import altair as alt

from review_ui.app.theme import STATUS_CHART_COLOURS
from teleloom.catalog import Status

DAYS = 14
DAYS_PX = 210
BAR_PX = 30
AROUND_PX = 90
TASKS_SHOWN = 15


def by_task(figures: Mapping[str, Mapping[Status, int]], dark: bool) -> alt.Chart:
    """One bar per task, the largest first, in parts by status."""
    largest = sorted(figures, key=lambda task: (-sum(figures[task].values()), task))[:TASKS_SHOWN]
    order = list(STATUS_CHART_COLOURS)
    rows = [
        {"task": task, "status": status, "episodes": figures[task].get(status, 0), "place": order.index(status)}
        for task in largest
        for status in get_args(Status)
    ]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(cornerRadius=2)
        .encode(
            y=alt.Y(
                "task:N",
                sort=largest,
                title=None,
                scale=alt.Scale(paddingInner=0.45, paddingOuter=0.2),
                axis=alt.Axis(labelLimit=180, domain=False, ticks=False),
            ),
            x=alt.X("episodes:Q", title=None, axis=_counts()),
            color=alt.Color("status:N", title=None, scale=_statuses(dark), legend=_legend()),
            order=alt.Order("place:Q"),
            tooltip=["task:N", "status:N", "episodes:Q"],
        )
        .properties(height=BAR_PX * len(largest) + AROUND_PX)
    )
    return chart


def by_day(days: Mapping[str, int], today: date) -> alt.Chart:
    """Verdicts of each of the last DAYS days. days: "2026-01-31" to how many."""
    shown = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    names = [f"{each.day} {each:%b}" for each in shown]
    rows = [{"day": name, "verdicts": days.get(each.isoformat(), 0)} for name, each in zip(names, shown, strict=True)]
    plain_axis = alt.Axis(labelAngle=0, domain=False, ticks=False, labelOverlap=True)
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(size=18, cornerRadiusTopLeft=2, cornerRadiusTopRight=2)
        .encode(
            x=alt.X("day:N", sort=names, title=None, axis=plain_axis),
            y=alt.Y("verdicts:Q", title=None, axis=_counts()),
            tooltip=["day:N", "verdicts:Q"],
        )
        .properties(height=DAYS_PX)
    )
    return chart


def _counts() -> alt.Axis:
    return alt.Axis(format=",d", tickMinStep=1, tickCount=4, domain=False, ticks=False)


def _statuses(dark: bool) -> alt.Scale:
    colours = {status: pair[dark] for status, pair in STATUS_CHART_COLOURS.items()}
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _legend() -> Any:
    return alt.Legend(orient="top", direction="horizontal", symbolType="square")
