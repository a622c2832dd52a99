"""What is the same on every page: the title in the browser's tab, the styles, and who is signed in, in the header."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from review_ui.access.signin import SIGN_OUT_PATH
from review_ui.app.seat import take_seat
from review_ui.app.words import plain

STYLES = Path(__file__).parent / "app.css"
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect width='32' height='32' rx='7' fill='%230b6e7f'/%3E"
    "%3Cpath d='M5 11h22M5 16h22M5 21h22' stroke='%23fff' stroke-opacity='.55' stroke-width='2.4'/%3E"
    "%3Cpath d='M13 6v20M20 6v20' stroke='%23fff' stroke-width='2.8'/%3E%3C/svg%3E"
)
ABOUT = "**teleloom** review. What you say is kept for good, with your name and the time; nothing is overwritten."


def draw() -> None:
    """Draw it; the page comes after."""
    st.html(STYLES)
    seat = take_seat()
    role = "lead" if seat.leads else "annotator"
    with (
        st.container(key="who", width="content"),
        st.popover(f"{plain(seat.reviewer.name)} :gray[· {role}]", type="tertiary", icon=":material/account_circle:"),
    ):
        st.markdown(f"**{plain(seat.reviewer.name)}**, {role}")
        st.caption(
            "A lead settles disputes, plans overlap and decides on many episodes at once."
            if seat.leads
            else "Your verdicts count; a lead settles what is disputed."
        )
        st.text(str(seat.context.root))
        if seat.context.access.everybody is None:
            st.html(f'<form method="post" action="{SIGN_OUT_PATH}"><button class="sign-out">Sign out</button></form>')
