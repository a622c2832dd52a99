"""The files under the root that are no sound episode: named, with what is wrong with each."""

from __future__ import annotations

import streamlit as st

from review_ui.app import tables
from review_ui.app.seat import Seat
from review_ui.app.words import count


def notice(seat: Seat) -> None:
    """Say so where there are such files; nothing otherwise."""
    unreadable = dict(sorted(seat.context.unreadable.items()))
    if not unreadable:
        return
    label = f"{count(len(unreadable), 'file')} that cannot be read as an episode"
    with st.expander(label, icon=":material/broken_image:", key="unreadable"):
        st.caption("They are in no dataset. Restore each from a copy, or move it out of the folder `episodes`.")
        st.dataframe(
            {"file": list(unreadable), "why": list(unreadable.values())},
            hide_index=True, height=tables.height(len(unreadable), 8), row_height=tables.ROW_PX,
            column_config={
                "file": st.column_config.TextColumn("File", width="medium"),
                "why": st.column_config.TextColumn("What is wrong with it", width="large"),
            },
        )  # fmt: skip
