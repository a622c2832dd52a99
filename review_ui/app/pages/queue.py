"""Queue: what waits, what one has done today, and one button to begin."""

from __future__ import annotations

from collections import Counter
from statistics import median

import streamlit as st

from review_ui.app import empty, filters, links, tables
from review_ui.app.memory import remembered
from review_ui.app.seat import Seat, take_seat
from review_ui.app.unreadable import notice
from review_ui.app.words import ago, count, lasting, plain, short
from teleloom.catalog import EpisodeFilter, EpisodePage, Lease, VerdictRow
from teleloom.clock import NS_PER_S

NEXT_ROWS = 10
USUAL_S = 50.0
"""Seconds that an episode takes where nobody has been timed yet."""
HOUR_NS = 3600 * NS_PER_S
OTHERS_S = 5.0
SHOWN = "queue-shown"


def show() -> None:
    """Draw the page."""
    seat = take_seat()
    if empty.fresh_root(seat):
        return
    today = seat.catalog.verdicts(since_ns=seat.day_began_ns, author=seat.reviewer.name)
    head = st.container()
    chosen = filters.queue_bar(seat)
    if (row := tables.pressed(tables.BEGIN)) is not None:
        links.review(st.session_state[SHOWN][row])
    unreviewed = chosen.model_copy(update={"statuses": ("unreviewed",)})
    page = seat.service.search(seat.reviewer, unreviewed, "risk", limit=NEXT_ROWS)
    with head:
        _headline(seat, chosen, page.total, today)
    if not page.total:
        empty.queue_finished(narrowed=bool(filters.as_query(chosen)))
        return
    upcoming, people = st.columns([3.4, 1], gap="medium")
    with upcoming:
        _upcoming(seat, page)
    with people:
        _at_work(seat)
    notice(seat)


def _headline(seat: Seat, chosen: EpisodeFilter, waiting: int, today: list[VerdictRow]) -> None:
    timed = [verdict.spent_s for verdict in today if verdict.spent_s]
    each_s = median(timed) if timed else USUAL_S
    start, figures = st.columns([1.5, 2], gap="large", vertical_alignment="center")
    with start, st.container(key="headline"):
        _begin(chosen, waiting, each_s)
    with figures, st.container(horizontal=True, key="my-day"):
        last_hour = sum(verdict.wall_ns > seat.now_ns - HOUR_NS for verdict in today)
        st.metric("My verdicts today", f"{len(today):,}", border=True, help="Yours, since midnight.")
        st.metric("In the last hour", f"{last_hour:,}", border=True, help="63 an hour make 500 in a day of 8 hours.")
        st.metric(
            "Seconds a verdict",
            f"{each_s:.0f}" if timed else "–",
            border=True,
            help="The median of the time in which you were active on an episode before you decided.",
        )


def _begin(chosen: EpisodeFilter, waiting: int, each_s: float) -> None:
    """How many wait, and the button to begin; where none does, what to expect here."""
    if not waiting:
        st.title("Nothing waits", anchor=False)
        st.caption("What is recorded from now on appears here by itself.")
        return
    st.title(f"{count(waiting, 'episode')} {'waits' if waiting == 1 else 'wait'}", anchor=False)
    st.caption(f"About {lasting(waiting * each_s)} at {each_s:.0f} s each, the riskiest first.")
    if st.button("Start reviewing", type="primary", icon=":material/play_arrow:", shortcut="Enter", key="start"):
        links.start_review(chosen)


def _upcoming(seat: Seat, page: EpisodePage) -> None:
    st.session_state[SHOWN] = [row.id for row in page.rows]
    st.dataframe(
        tables.waiting(page.rows), column_config=tables.columns(seat), hide_index=True, placeholder="",
        height=tables.height(len(page.rows), NEXT_ROWS), row_height=tables.ROW_PX, alt="The next episodes to review",
    )  # fmt: skip
    if page.total > len(page.rows):
        st.caption(f"{page.total - len(page.rows):,} more follow.")


def _at_work(seat: Seat) -> None:
    leases = remembered(seat, "leases", OTHERS_S, seat.catalog.leases.held)
    mine = [lease for lease in leases if lease.holder == seat.reviewer.name]
    others = [lease for lease in leases if lease.holder != seat.reviewer.name]
    if mine:
        st.subheader("Yours, begun", anchor=False)
        for lease in mine:
            _resume(seat, lease)
    st.subheader("Also at work", anchor=False)
    if not others:
        st.caption("Nobody else just now.")
    for name, number in Counter(lease.holder for lease in others).most_common():
        st.markdown(f":material/person: {plain(name)} :gray[· {count(number, 'episode')}]")
    newest = seat.catalog.verdicts(since_ns=seat.now_ns - HOUR_NS)
    if newest:
        last = max(newest, key=lambda verdict: verdict.wall_ns)
        st.caption(f"Last verdict {ago(last.wall_ns, seat.now_ns)}, by {plain(last.author)}.")


def _resume(seat: Seat, lease: Lease) -> None:
    left_s = max(0.0, (lease.expires_wall_ns - seat.now_ns) / NS_PER_S)
    if st.button(
        f"Go on with {short(lease.episode_id)}",
        icon=":material/resume:",
        width="stretch",
        key=f"resume-{lease.episode_id}",
        help=f"Held for you for {lasting(left_s)} more.",
    ):
        links.review(lease.episode_id)
