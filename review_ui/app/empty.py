"""What a page says when it has nothing to show, and what to do next."""

from __future__ import annotations

import streamlit as st

from review_ui.app import demo, links
from review_ui.app.memory import forget, remembered
from review_ui.app.seat import Seat
from review_ui.app.unreadable import notice
from review_ui.app.words import count, place, plain
from teleloom.catalog import EpisodeFilter

POLL_S = 2.0
TOTAL_S = 60.0


def say(title: str, text: str, icon: str) -> None:
    """A quiet notice in the middle of the page. `text` may hold Markdown of ours."""
    with st.container(key="empty", horizontal_alignment="center", gap="xsmall"):
        st.markdown(f"### {icon}", text_alignment="center", anchors=False)
        st.markdown(f"##### {title}", text_alignment="center", anchors=False)
        st.markdown(text, text_alignment="center")


def fresh_root(seat: Seat) -> bool:
    """Whether there is no episode to show yet; then the page says how to get some, and goes on once there are."""
    if not _waits(seat):
        return False
    _offer(seat)
    notice(seat)
    return True


def queue_finished(narrowed: bool) -> None:
    """Nothing waits for this reviewer, with the filter or at all."""
    if narrowed:
        say("Nothing waits that matches", "Take a filter out, or look at all episodes.", ":material/filter_alt_off:")
    else:
        say("The queue is empty", "Every episode has its verdict. Well done.", ":material/task_alt:")
    with st.container(horizontal=True, horizontal_alignment="center"):
        if st.button("All episodes", icon=":material/table_rows:"):
            links.page("episodes")
        if not narrowed and st.button("Progress", icon=":material/monitoring:"):
            links.page("progress")


def _waits(seat: Seat) -> bool:
    recording = demo.under_way(seat.context.root)
    if recording is not None and recording.running:
        return True
    total = remembered(seat, "total", TOTAL_S, lambda: sum(seat.catalog.counts(EpisodeFilter()).values()))
    if not total:
        forget(seat)
    return not total


@st.fragment(run_every=POLL_S)
def _offer(seat: Seat) -> None:
    recording = demo.under_way(seat.context.root)
    if recording is not None and recording.running:
        say("Recording a demo", "A scripted operator drives a simulated arm.", ":material/smart_toy:")
        done = recording.recorded()
        with st.container(horizontal_alignment="center"):
            st.progress(
                min(1.0, done / recording.wanted), text=f"{done} of {count(recording.wanted, 'episode')}", width=420
            )
        return
    if not _waits(seat):
        forget(seat)
        st.rerun()
    if recording is not None and recording.fault:
        st.error(f"The demo could not be recorded: {plain(recording.fault)}", icon=":material/error:")
    say(
        "No episodes yet",
        f"What is recorded into `{plain(place(seat.context.root))}` appears here by itself.",
        ":material/videocam:",
    )
    if not demo.available():
        st.markdown(f"To record a demo on a simulated arm: `{demo.INSTALL}`", text_alignment="center")
        return
    with st.container(horizontal=True, horizontal_alignment="center"):
        wanted = count(len(demo.TASKS) * demo.EPISODES_EACH, "episode")
        if st.button(f"Record a demo of {wanted}", type="primary", icon=":material/smart_toy:", key="record-demo"):
            demo.start(seat.context.root)
            st.rerun()
    st.caption("On a simulated arm; it takes about half a minute.", text_alignment="center")
