"""Episodes: find them, look at one, lay two side by side, and say one thing about many at once."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from review_ui.app import bulk, empty, filters, links, tables
from review_ui.app.pages.review import asked_time_ns
from review_ui.app.seat import Seat, take_seat
from review_ui.app.unreadable import notice
from review_ui.player.component import player
from teleloom.catalog import EpisodeFilter, EpisodePage, EpisodeRow, Sort

PAGE_SIZES = (25, 50, 100, 200)
ROWS_IN_SIGHT = 15
SORTS: dict[Sort, str] = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "risk": "Riskiest first",
    "decided": "Last decided first",
    "longest": "Longest first",
    "shortest": "Shortest first",
    "task": "By task",
}
SHOWN = "episodes-shown"


@dataclass(frozen=True)
class Asked:
    """What the page is to show. number: of the page, from 1."""

    chosen: EpisodeFilter
    sort: Sort
    size: int
    number: int

    @property
    def pages_key(self) -> str:
        """Of the page numbers: they begin at 1 again for another question."""
        return f"pages-{hash((self.chosen, self.sort, self.size))}"

    @property
    def table_key(self) -> str:
        """Of the table: marks hold for these very rows, until something was done with them."""
        return f"table-{hash(self)}-{bulk.times_done()}"


def show() -> None:
    """Draw the page: all episodes, or the one or two that the address names."""
    if st.query_params.get("episode"):
        _closer(st.query_params["episode"], st.query_params.get("other"))
        return
    seat = take_seat()
    if empty.fresh_root(seat):
        return
    _list(seat)
    notice(seat)


def _closer(episode_id: str, other_id: str | None) -> None:
    with st.container(horizontal=True, key="closer"):
        if st.button("All episodes", icon=":material/arrow_back:", type="tertiary"):
            links.page("episodes")
        if other_id is None and st.button("Review it", icon=":material/rate_review:", type="tertiary"):
            links.review(episode_id)
    if other_id is None:
        player(mode="view", episode_id=episode_id, t_ns=asked_time_ns(), key="player-view")
    else:
        player(mode="compare", episode_id=episode_id, other_id=other_id, key="player-compare")


def _list(seat: Seat) -> None:
    if (row := tables.pressed(tables.OPEN)) is not None:
        links.look(st.session_state[SHOWN][1].rows[row].id)
    chosen = filters.episodes_bar(seat)
    acts, pages = st.columns([1.35, 1], vertical_alignment="center", gap="small")
    with pages, st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right", gap="small"):
        asked = _ask(chosen)
        found, marked = _found(seat, asked)
        st.pagination(max(1, -(-found.total // asked.size)), key=asked.pages_key, max_visible_pages=5)
    with acts:
        bulk.bar(seat, marked, found.total)
    if not found.rows:
        empty.say("Nothing matches", "Take a word or a filter out.", ":material/search_off:")
        return
    st.dataframe(
        tables.episodes(found.rows), column_config=tables.columns(seat), hide_index=True, key=asked.table_key,
        height=tables.height(len(found.rows), ROWS_IN_SIGHT), row_height=tables.ROW_PX, placeholder="",
        on_select="rerun", selection_mode="multi-row", alt="Episodes",
    )  # fmt: skip


def _ask(chosen: EpisodeFilter) -> Asked:
    sort: Sort = st.selectbox(
        "Order", list(SORTS), key="sort", format_func=SORTS.__getitem__, label_visibility="collapsed", width=180,
        persist_state="session",
    )  # fmt: skip
    size = st.selectbox(
        "Rows", PAGE_SIZES, index=1, key="page-size", format_func=lambda rows: f"{rows} rows",
        label_visibility="collapsed", width=112, persist_state="session",
    )  # fmt: skip
    first = Asked(chosen, sort, size, 1)
    return Asked(chosen, sort, size, int(st.session_state.get(first.pages_key, 1)))


def _found(seat: Seat, asked: Asked) -> tuple[EpisodePage, list[EpisodeRow]]:
    """The page asked for, and which of its rows are marked.

    While rows are marked the page stays as it was when it was looked at, so that what is said about them names the
    revisions that were seen.
    """
    key = asked.table_key
    marks: list[int] = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    shown_key, page = st.session_state.get(SHOWN, (None, None))
    if not marks or shown_key != key:
        page = seat.service.search(seat.reviewer, asked.chosen, asked.sort, (asked.number - 1) * asked.size, asked.size)
        st.session_state[SHOWN] = (key, page)
    return page, [page.rows[mark] for mark in marks if mark < len(page.rows)]
