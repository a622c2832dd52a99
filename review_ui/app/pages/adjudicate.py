"""Adjudicate: where independent verdicts differ, a lead sees both, looks, and settles it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from review_ui.app import empty, overlap
from review_ui.app.pages.review import asked_time_ns
from review_ui.app.pills import outcome_pill, status_pill, verdict_pill
from review_ui.app.seat import Seat, take_seat
from review_ui.app.words import count, lasting, plain, short
from review_ui.player.component import player
from teleloom.catalog import EpisodeFilter, EpisodePage, EpisodeRow, Opinion
from teleloom.catalog.annotations import Segment
from teleloom.clock import NS_PER_S

SEGMENTS_SHOWN = 6
AT_ONCE = 100
LOOK_EVERY_S = 2.0


def show() -> None:
    """Draw the page."""
    seat = take_seat()
    if not seat.leads:
        empty.say(
            "For leads",
            "Here a lead settles the episodes on which independent verdicts differ. "
            "You are signed in as an annotator: your own verdicts count, and you see the others' once it is settled.",
            ":material/balance:",
        )
        return
    disputed = seat.service.search(seat.reviewer, EpisodeFilter(statuses=("disputed",)), "oldest", limit=AT_ONCE)
    if not disputed.rows:
        _none(seat)
        return
    row = _chosen(disputed)
    _say_when_settled(seat, row.id)
    _opinions(row, seat.service.open(seat.reviewer, row.id).view.opinions)
    at_ns = asked_time_ns() if st.query_params.get("episode") == row.id else None
    player(mode="adjudicate", episode_id=row.id, t_ns=at_ns, key="player-adjudicate")


def _none(seat: Seat) -> None:
    planned = overlap.planned(seat)
    if planned:
        empty.say(
            "Nothing to settle",
            f"{count(planned, 'episode')} {'is' if planned == 1 else 'are'} judged by more than one person; where "
            "the verdicts differ, the episode appears here.",
            ":material/balance:",
        )
    else:
        empty.say(
            "Nothing to settle",
            "No episode has been given to more than one person. A small share that several people judge, each without "
            "seeing the other's word, tells how far the verdicts can be trusted.",
            ":material/balance:",
        )
    overlap.form(seat)


def _chosen(disputed: EpisodePage) -> EpisodeRow:
    by_id = {row.id: row for row in disputed.rows}
    asked = st.query_params.get("episode")
    names = list(by_id)
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        st.subheader(f"{count(disputed.total, 'episode')} to settle", anchor=False)
    with right:
        chosen = st.selectbox(
            "Episode",
            names,
            index=names.index(asked) if asked in by_id else 0,
            label_visibility="collapsed",
            format_func=lambda each: f"{short(each)} · {by_id[each].task}",
            key="dispute",
        )
    return by_id[chosen]


def _opinions(row: EpisodeRow, opinions: Sequence[Opinion]) -> None:
    if not opinions:
        return
    for number, (place, opinion) in enumerate(zip(st.columns(len(opinions)), opinions, strict=True)):
        with place, st.container(border=True, key=f"opinion-{number}", gap="xsmall", height="stretch"):
            _opinion(row, opinion)


def _opinion(row: EpisodeRow, opinion: Opinion) -> None:
    score = f"quality **{opinion.score}** of 5" if opinion.score else ":gray[no score]"
    pills = f"{verdict_pill(opinion.decision)} {outcome_pill(opinion.outcome)}".strip()
    st.markdown(f"**{plain(opinion.author)}** &ensp; {pills} &ensp; {score}")
    if opinion.reason:
        st.text(f"“{opinion.reason}”")
    whole = lasting(row.duration_ns / NS_PER_S)
    kept = f"{lasting((opinion.trim[1] - opinion.trim[0]) / NS_PER_S)} of {whole}" if opinion.trim else f"all {whole}"
    st.caption(f"keeps {kept} · {_segments(opinion.segments)}")


def _segments(segments: Sequence[Segment]) -> str:
    if not segments:
        return "no segments"
    named = [
        f"{plain(segment.label)} {lasting((segment.end_ns - segment.start_ns) / NS_PER_S)}"
        for segment in segments[:SEGMENTS_SHOWN]
    ]
    more = [f"{len(segments) - SEGMENTS_SHOWN} more"] if len(segments) > SEGMENTS_SHOWN else []
    return f"{count(len(segments), 'segment')}: {', '.join(named + more)}"


@st.fragment(run_every=LOOK_EVERY_S)
def _say_when_settled(seat: Seat, episode_id: str) -> None:
    """The player settles it by itself; here the page notices, and offers the next."""
    status = seat.catalog.episode(episode_id).status
    if status == "disputed":
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Settled:** {status_pill(status)}", width="content")
        if st.button("Next", type="primary", icon=":material/arrow_forward:", key="next-dispute"):
            st.query_params.clear()
            st.rerun()
