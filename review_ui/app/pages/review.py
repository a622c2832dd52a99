"""Review: the player, the whole width, nothing above it. It goes from episode to episode by itself."""

from __future__ import annotations

import streamlit as st

from review_ui.app import filters, links
from review_ui.player.component import Mode, player
from teleloom.clock import NS_PER_S


def show() -> None:
    """Draw the page."""
    play("review")


def play(mode: Mode) -> None:
    """The player on what the address names: an episode and a time in seconds, or the next one of a filtered queue."""
    player(
        mode=mode,
        episode_id=st.query_params.get("episode"),
        t_ns=asked_time_ns(),
        queue_filter=filters.as_query(links.queue_filter()) or None,
        key=f"player-{mode}",
    )


def asked_time_ns() -> int | None:
    """The time of `?t=SECONDS`, from the episode's start; None without one or where it is no number."""
    try:
        return round(float(st.query_params["t"]) * NS_PER_S)
    except (KeyError, ValueError, OverflowError):
        return None
