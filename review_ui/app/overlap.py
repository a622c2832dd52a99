"""Asking for several independent verdicts on a share of the episodes: of a lead, from Adjudicate and Progress."""

from __future__ import annotations

import streamlit as st

from review_ui.app.faults import told
from review_ui.app.memory import forget
from review_ui.app.seat import Seat
from review_ui.app.words import count, percent
from teleloom.catalog import EpisodeFilter

SHARES = (0.02, 0.05, 0.07, 0.10, 0.15, 0.20, 0.30, 0.50, 1.0)
WHY = (
    "Chosen by the episodes' ids, of those that nobody has spoken about. Each of the people judges without seeing "
    "the others' word."
)


def planned(seat: Seat) -> int:
    """How many episodes more than one person judges."""
    return seat.catalog.search(EpisodeFilter(overlap=True), limit=1).total


def form(seat: Seat) -> None:
    """A share, a number of people, and a button."""
    config = seat.service.config
    with st.container(border=True, key="overlap", width=640):
        share, people = st.columns([3, 1], vertical_alignment="bottom")
        with share:
            usual = min(SHARES, key=lambda each: abs(each - config.overlap_share))
            chosen = st.select_slider("Share of the queue", SHARES, value=usual, format_func=percent, key="share")
        with people:
            each = int(st.number_input("People each", 2, 5, config.overlap_reviewers, key="people"))
        st.caption(WHY)
        if st.button("Ask for it", icon=":material/group:", key="ask-overlap"):
            with told():
                asked = seat.service.plan_overlap(seat.reviewer, float(chosen), each)
                forget(seat)
                st.toast(f"{count(len(asked), 'episode')} more will be judged by {each} people.")
