"""Ways from one page to another, with what the other needs in its address: a reload or a sent link keeps it."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from review_ui.app import filters
from teleloom.catalog import EpisodeFilter

LISTS = ("tasks",)


def start_review(chosen: EpisodeFilter) -> NoReturn:
    """Open Review on the queue that `chosen` leaves."""
    _go("review", _as_address(chosen))


def review(episode_id: str) -> NoReturn:
    """Open Review on one episode."""
    _go("review", {"episode": episode_id})


def look(episode_id: str) -> NoReturn:
    """Open one episode to look at it."""
    _go("episodes", {"episode": episode_id})


def compare(episode_id: str, other_id: str) -> NoReturn:
    """Open two episodes side by side."""
    _go("episodes", {"episode": episode_id, "other": other_id})


def page(name: str) -> NoReturn:
    """Open a page as it is."""
    _go(name, {})


def queue_filter() -> EpisodeFilter:
    """The filter that this page's address names; what it does not understand there is left out."""
    known = {name: st.query_params.get(name) for name in ("text", "robot", "station", "operator", "quality")}
    chosen = {name: value for name, value in known.items() if value}
    return EpisodeFilter.model_validate(chosen | {name: tuple(st.query_params.get_all(name)) for name in LISTS})


def _as_address(chosen: EpisodeFilter) -> dict[str, str | list[str]]:
    query = filters.as_query(chosen)
    return {name: list(value) if isinstance(value, list) else str(value) for name, value in query.items()}


def _go(name: str, query: dict[str, str | list[str]]) -> NoReturn:
    st.switch_page(st.session_state["pages"][name], query_params=query)
