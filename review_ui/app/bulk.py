"""One thing said about many episodes at once: which, how many, and what was refused and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from review_ui.app import links, tables
from review_ui.app.memory import forget
from review_ui.app.seat import Seat
from review_ui.app.words import count, plain, short
from review_ui.service import BulkResult
from teleloom.catalog import Annotation, BadAnnotationError, CatalogError, EpisodeRow, parse

RESULT = "bulk-result"
DONE = "bulk-done"
LEAD_ONLY = "Only a lead may decide on several episodes at once."


def times_done() -> int:
    """How often something was done to many episodes in this session."""
    return int(st.session_state.get(DONE, 0))


def bar(seat: Seat, rows: Sequence[EpisodeRow], total: int) -> None:
    """What can be done with the rows that are marked, of `total` found; and what came of the last time."""
    _tell_result()
    with st.container(horizontal=True, vertical_alignment="center", key="bulk", gap="xsmall"):
        if not rows:
            st.markdown(f"**{count(total, 'episode')}** &ensp; :gray[Mark rows to compare, tag or decide on them.]")
            return
        st.markdown(f"**{len(rows)} marked**", width="content")
        one, two = len(rows) == 1, len(rows) == 2
        if st.button("Review", icon=":material/play_arrow:", disabled=not one, help="Decide on the one marked."):
            links.review(rows[0].id)
        if st.button("Compare", icon=":material/compare:", disabled=not two, help="Two, side by side."):
            links.compare(rows[0].id, rows[1].id)
        if st.button("Tag …", icon=":material/sell:"):
            _tag(seat, rows)
        hint = None if seat.leads else LEAD_ONLY
        if st.button("Approve …", icon=":material/check:", disabled=not seat.leads, help=hint):
            _approve(seat, rows)
        if st.button("Reject …", icon=":material/close:", disabled=not seat.leads, help=hint):
            _reject(seat, rows)


@st.dialog("Tag episodes")
def _tag(seat: Seat, rows: Sequence[EpisodeRow]) -> None:
    tag = st.text_input("Tag", max_chars=100, placeholder="e.g. for-the-paper")
    action = st.segmented_control("What", ("add", "remove"), default="add", required=True, label_visibility="collapsed")
    if st.button(f"{str(action).capitalize()} on {count(len(rows), 'episode')}", type="primary", disabled=not tag):
        _do(seat, rows, {"kind": "tag", "tag": tag, "action": action})


@st.dialog("Approve episodes")
def _approve(seat: Seat, rows: Sequence[EpisodeRow]) -> None:
    st.markdown(f"**{count(len(rows), 'episode')}** would go into datasets: {_statuses(rows)}.")
    if st.button(f"Approve {count(len(rows), 'episode')}", type="primary"):
        _do(seat, rows, {"kind": "verdict", "decision": "approve"})


@st.dialog("Reject episodes")
def _reject(seat: Seat, rows: Sequence[EpisodeRow]) -> None:
    st.markdown(f"**{count(len(rows), 'episode')}** would stay out of datasets: {_statuses(rows)}.")
    reason = st.selectbox(
        "Reason",
        seat.service.config.rejection_reasons,
        index=None,
        accept_new_options=True,
        placeholder="Choose one, or write your own",
    )
    if st.button(f"Reject {count(len(rows), 'episode')}", type="primary", disabled=not reason):
        _do(seat, rows, {"kind": "verdict", "decision": "reject", "reason": reason})


def _statuses(rows: Sequence[EpisodeRow]) -> str:
    counted = Counter(row.status for row in rows).most_common()
    return ", ".join(f"{number} now {status}" for status, number in counted)


def _do(seat: Seat, rows: Sequence[EpisodeRow], said: dict[str, object]) -> None:
    """Say it about each row as it was shown; what somebody changed since is refused, and told."""
    try:
        annotation: Annotation = parse(said)
        result = seat.service.bulk(seat.reviewer, {row.id: row.revision for row in rows}, [annotation])
    except (BadAnnotationError, CatalogError) as error:
        st.error(plain(str(error)))
        return
    st.session_state[RESULT] = result
    st.session_state[DONE] = times_done() + 1
    forget(seat)
    st.rerun()


def _tell_result() -> None:
    result: BulkResult | None = st.session_state.get(RESULT)
    if result is None:
        return
    if not result.refused:
        st.toast(f"Done on {count(len(result.done), 'episode')}.", icon=":material/check:")
        del st.session_state[RESULT]
        return
    with st.container(border=True, key="refused"):
        st.markdown(f":material/error: Done on {len(result.done)}; **{count(len(result.refused), 'episode')} refused**")
        refused = {"episode": [short(each) for each in result.refused], "why": list(result.refused.values())}
        st.dataframe(
            refused,
            hide_index=True,
            height=tables.height(len(refused), 5),
            row_height=tables.ROW_PX,
            column_config={"episode": st.column_config.TextColumn("Episode", width=120), "why": "Why"},
        )
        if st.button("Understood"):
            del st.session_state[RESULT]
            st.rerun()
