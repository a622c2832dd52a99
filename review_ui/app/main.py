"""The script that Streamlit runs for every session: the pages, and the page that is open."""

from __future__ import annotations

import streamlit as st

from review_ui.app import faults, frame
from review_ui.app.pages import adjudicate, builds, episodes, progress, queue, review, segments


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(
        page_title="teleloom review", page_icon=frame.ICON, layout="wide", menu_items={"About": frame.ABOUT}
    )
    pages = {
        "queue": st.Page(queue.show, title="Queue", url_path="queue", default=True),
        "review": st.Page(review.show, title="Review", url_path="review"),
        "segments": st.Page(segments.show, title="Segments", url_path="segments"),
        "adjudicate": st.Page(adjudicate.show, title="Adjudicate", url_path="adjudicate"),
        "progress": st.Page(progress.show, title="Progress", url_path="progress"),
        "episodes": st.Page(episodes.show, title="Episodes", url_path="episodes"),
        "builds": st.Page(builds.show, title="Builds", url_path="builds"),
    }
    st.session_state["pages"] = pages
    page = st.navigation(list(pages.values()), position="top")
    with faults.told():
        frame.draw()
        page.run()


main()
