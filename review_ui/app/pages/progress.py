"""Progress: how far the team is, who did what, and how far the verdicts can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from review_ui.app import charts, empty, overlap, tables
from review_ui.app.memory import remembered
from review_ui.app.seat import Seat, take_seat
from review_ui.app.words import count, instant, lasting, plain
from review_ui.service import Agreement, Coefficient, Progress, ReviewerFigures
from teleloom.clock import NS_PER_S

FIGURES_S = 20.0
SLOW_FIGURES_S = 120.0
TRUSTED, TENTATIVE = 0.8, 0.667


def show() -> None:
    """Draw the page."""
    seat = take_seat()
    if empty.fresh_root(seat):
        return
    progress = remembered(seat, "progress", FIGURES_S, seat.service.progress)
    _figures(progress)
    tasks, days = st.columns([1.25, 1], gap="large")
    with tasks:
        st.subheader("By task", anchor=False)
        st.altair_chart(charts.by_task(progress.by_task, st.context.theme.type == "dark"), key="by-task")
    with days:
        st.subheader("Verdicts a day (UTC)", anchor=False)
        today = datetime.fromtimestamp(seat.now_ns / NS_PER_S, UTC).date()
        st.altair_chart(charts.by_day(progress.days, today), key="by-day")
    st.subheader("Reviewers", anchor=False)
    with st.skeleton(height=150):
        reviewers = remembered(seat, "reviewers", SLOW_FIGURES_S, seat.service.reviewers)
    _reviewers(seat, reviewers)
    st.subheader("Agreement", anchor=False)
    with st.skeleton(height=150):
        agreement = remembered(seat, "agreement", SLOW_FIGURES_S, seat.service.agreement)
    _agreement(seat, agreement)


def _figures(progress: Progress) -> None:
    decided = progress.by_status.get("approved", 0) + progress.by_status.get("rejected", 0)
    st.progress(decided / progress.total, text=f"**{decided:,}** of {count(progress.total, 'episode')} decided")
    with st.container(horizontal=True, key="figures"):
        for status in ("approved", "rejected", "disputed", "unreviewed"):
            st.metric(status.capitalize(), f"{progress.by_status.get(status, 0):,}", border=True)
        st.metric(
            "Time left", "–" if progress.left_s is None else lasting(progress.left_s), border=True,
            help="For one person, at the median pace of the newest 500 verdicts that were timed.",
        )  # fmt: skip


def _reviewers(seat: Seat, figures: Sequence[ReviewerFigures]) -> None:
    if not figures:
        st.caption("Nobody has decided on an episode yet.")
        return
    column = st.column_config
    st.dataframe(
        {
                "name": [each.name for each in figures],
                "verdicts": [each.verdicts for each in figures],
                "approved": [each.approved for each in figures],
                "rejected": [each.rejected for each in figures],
                "median": [each.seconds_median for each in figures],
                "p90": [each.seconds_p90 for each in figures],
                "overturned": [each.overturn_rate for each in figures],
                "agreement": [each.agreement for each in figures],
                "last": [instant(each.last_wall_ns) for each in figures],
            },
        hide_index=True, placeholder="–", height=tables.height(len(figures), 12), row_height=tables.ROW_PX,
        column_config={
            "name": column.TextColumn("Reviewer", width="medium"),
            "verdicts": column.NumberColumn("Verdicts", format="localized"),
            "approved": column.NumberColumn("Approved", format="localized"),
            "rejected": column.NumberColumn("Rejected", format="localized"),
            "median": column.NumberColumn("Median", format="%.0f s", help="Active time for a verdict."),
            "p90": column.NumberColumn("Slowest tenth", format="%.0f s", help="One verdict in ten took longer."),
            "overturned": column.NumberColumn(
                "Overturned", format="percent", help="Verdicts that somebody else took back or decided against."
            ),
            "agreement": column.NumberColumn(
                "Agrees", format="percent", help="Pairs of independent verdicts in which both decided alike."
            ),
            "last": column.DatetimeColumn("Last verdict", format="distance", timezone=str(seat.zone)),
        },
    )  # fmt: skip


def _agreement(seat: Seat, agreement: Agreement) -> None:
    for place, (title, figure, about) in zip(
        st.columns(3),
        (
            ("Verdict, α", agreement.verdict, "approve or reject"),
            ("Quality, α", agreement.score, "the score, 1 to 5"),
            ("Segments, F1", agreement.boundaries, f"cuts within {agreement.tolerance_s:g} s of each other"),
        ),
        strict=True,
    ):
        with place, st.container(border=True, gap="xsmall", key=f"agreement-{title}", height="stretch"):
            _coefficient(title, figure, about)
    st.caption(
        "α is Krippendorff's: 1 is perfect agreement, 0 is what chance gives. From 0.8 the verdicts can be relied on; "
        "between 0.67 and 0.8 take conclusions as tentative; below, talk about what makes an episode good. F1 is the "
        "share of cuts that two people put at the same place."
    )
    if seat.leads:
        with st.expander("Ask for more independent verdicts", icon=":material/group:"):
            overlap.form(seat)


def _coefficient(title: str, figure: Coefficient, about: str) -> None:
    st.metric(title, "–" if figure.value is None else f"{figure.value:.2f}", help=f"Of {about}.")
    if figure.value is None:
        st.caption(f"Not known yet: {plain(figure.reason or 'too little to tell')}.")
        return
    rests = f"Rests on {count(figure.episodes, 'episode')} and {count(figure.raters, 'person', 'people')}."
    st.markdown(f"{_reading(figure.value)} :gray[{rests}]")


def _reading(value: float) -> str:
    if value >= TRUSTED:
        return ":green-badge[reliable]"
    return ":orange-badge[tentative]" if value >= TENTATIVE else ":red-badge[too low]"
