"""The filter bar of the queue and the episodes: what is chosen there, as a filter of the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import streamlit as st

from review_ui.app.memory import remembered
from review_ui.app.seat import Seat
from teleloom.catalog import EpisodeFilter, Facets, Status
from teleloom.episode.meta import Outcome

ANY = "any"
QUALITIES = ("good", "doubtful", "bad")
FACETS_S = 20.0


def facets(seat: Seat) -> Facets:
    """What there is to choose from; up to FACETS_S old."""
    return remembered(seat, "facets", FACETS_S, seat.catalog.facets)


def queue_bar(seat: Seat) -> EpisodeFilter:
    """The queue's filter, in one row. It is kept while the session lasts, on whichever page."""
    known = facets(seat)
    row = st.columns([2.2, 2, 1.4, 1.4, 1.4, 1.4], vertical_alignment="bottom")
    with row[0]:
        text = _text("queue-text", "Words in it, a note, a tag")
    with row[1]:
        tasks = _several("Task", known.tasks, "queue-tasks")
    with row[2]:
        quality = _one("Quality", QUALITIES, "queue-quality")
    with row[3]:
        robot = _counted("Robot", known.robots, "queue-robot")
    with row[4]:
        station = _counted("Station", known.stations, "queue-station")
    with row[5]:
        operator = _counted("Operator", known.operators, "queue-operator")
    return EpisodeFilter(text=text, tasks=tasks, quality=quality, robot=robot, station=station, operator=operator)


def episodes_bar(seat: Seat) -> EpisodeFilter:
    """The filter of all episodes: the words and the status in sight, the rest behind one button."""
    known = facets(seat)
    words, status, more = st.columns([3, 3.4, 1.1], vertical_alignment="center")
    with words:
        text = _text("q", "Words in the instruction, a note, a tag; or an id", labelled=False)
    with status:
        statuses = st.pills(
            "Status",
            get_args(Status),
            selection_mode="multi",
            key="status",
            format_func=str.capitalize,
            persist_state="session",
            label_visibility="collapsed",
        )
    with more, st.popover("More filters", width="stretch"):
        rest = _more(known)
    return EpisodeFilter.model_validate({"text": text, "statuses": tuple(statuses or ()), **rest})


def as_query(chosen: EpisodeFilter) -> dict[str, object]:
    """What differs from no filter at all, as plain data: how the player and the API name it."""
    return chosen.model_dump(mode="json", exclude_defaults=True)


def _more(known: Facets) -> dict[str, object]:
    left, right = st.columns(2)
    with left:
        chosen: dict[str, object] = {
            "tasks": _several("Task", known.tasks, "all-tasks"),
            "robot": _counted("Robot", known.robots, "all-robot"),
            "station": _counted("Station", known.stations, "all-station"),
            "operator": _counted("Operator", known.operators, "all-operator"),
        }
    with right:
        chosen |= {
            "quality": _one("Quality", QUALITIES, "all-quality"),
            "outcome": _one("Outcome", get_args(Outcome), "all-outcome"),
            "tag": _counted("Tag", known.tags, "all-tag"),
            "segmented": _yes_or_no("Segments", "has segments", "has none", "all-segmented"),
        }
    return chosen


def _text(key: str, placeholder: str, labelled: bool = True) -> str:
    typed = st.text_input(
        "Search", key=key, type="search", placeholder=placeholder, persist_state="session",
        label_visibility="visible" if labelled else "collapsed",
    )  # fmt: skip
    return (typed or "").strip()


def _several(label: str, known: Mapping[str, int], key: str) -> tuple[str, ...]:
    return tuple(
        st.multiselect(
            label,
            list(known),
            key=key,
            placeholder="any",
            persist_state="session",
            format_func=lambda name: f"{name} · {known.get(name, 0):,}",
        )
    )


def _counted(label: str, known: Mapping[str, int], key: str) -> str | None:
    return st.selectbox(
        label,
        list(known),
        index=None,
        key=key,
        placeholder=ANY,
        persist_state="session",
        format_func=lambda name: f"{name} · {known.get(name, 0):,}",
    )


def _one(label: str, options: tuple[str, ...], key: str) -> str | None:
    return st.selectbox(label, options, index=None, key=key, placeholder=ANY, persist_state="session")


def _yes_or_no(label: str, yes: str, no: str, key: str) -> bool | None:
    chosen = st.selectbox(label, (yes, no), index=None, key=key, placeholder=ANY, persist_state="session")
    return None if chosen is None else chosen == yes
