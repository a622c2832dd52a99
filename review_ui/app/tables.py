"""Episodes as rows of a table. A table's cells are drawn as they are written: no markup is read in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import streamlit as st

from review_ui.app.seat import Seat
from review_ui.app.theme import STATUS_PILLS
from review_ui.app.words import instant, short
from teleloom.catalog import EpisodeRow, Status
from teleloom.clock import NS_PER_S

ROW_PX = 36
HEADER_PX = 34
OPEN, BEGIN = "open-row", "begin-row"
BEGIN_LABEL = ":material/play_arrow: Review"
NOTHING_UNUSUAL = "nothing unusual"

Columns = dict[str, list[Any]]


def height(rows: int, at_most: int) -> int:
    """Pixels of a table that shows up to `at_most` rows without scrolling."""
    return HEADER_PX + ROW_PX * max(1, min(rows, at_most)) + 2


def why(row: EpisodeRow) -> str:
    """The gravest reason that the episode's risk has, in words."""
    if row.risks:
        return str(row.risks[0].get("message", ""))
    return "" if row.risk is None else NOTHING_UNUSUAL


def waiting(rows: Sequence[EpisodeRow]) -> Columns:
    """What waits for review: how risky and why."""
    return {
        "risk": [row.risk for row in rows],
        "why": [why(row) for row in rows],
        "task": [row.task for row in rows],
        "length": [row.duration_ns / NS_PER_S for row in rows],
        "recorded": [instant(row.created_wall_ns) for row in rows],
        "begin": [BEGIN_LABEL for _ in rows],
    }


def episodes(rows: Sequence[EpisodeRow]) -> Columns:
    """Episodes of whatever status."""
    return {
        "status": [[row.status] for row in rows],
        "task": [row.task for row in rows],
        "instruction": [row.instruction_now for row in rows],
        "recorded": [instant(row.created_wall_ns) for row in rows],
        "length": [row.duration_ns / NS_PER_S for row in rows],
        "outcome": [row.outcome_now for row in rows],
        "score": [row.score for row in rows],
        "risk": [row.risk for row in rows],
        "by": [row.decided_by or "" for row in rows],
        "tags": [list(row.tags) for row in rows],
        "episode": [short(row.id) for row in rows],
    }


def columns(seat: Seat) -> dict[str, Any]:
    """How the columns of both tables look."""
    column = st.column_config
    return {
        "status": column.MultiselectColumn(
            "Status", width=106, options=get_args(Status), color=[STATUS_PILLS[status] for status in get_args(Status)]
        ),
        "risk": column.ProgressColumn(
            "Risk",
            width=92,
            min_value=0.0,
            max_value=1.0,
            format="%.2f",
            color="primary",
            help="0 to 1, from the quality figures against the other episodes of the task. It never rejects by itself.",
        ),
        "why": column.TextColumn("Look at it because", width=425),
        "task": column.TextColumn("Task", width=112),
        "instruction": column.TextColumn("Instruction", width=250),
        "recorded": column.DatetimeColumn("Recorded", width=118, format="distance", timezone=str(seat.zone)),
        "length": column.NumberColumn("Length", width=72, format="%.1f s"),
        "outcome": column.TextColumn("Outcome", width=76),
        "score": column.NumberColumn("Score", width=56, format="%d", help="1 to 5, as the reviewer graded it."),
        "by": column.TextColumn("By", width=76),
        "tags": column.ListColumn("Tags", width=110),
        "begin": column.ButtonColumn("", width=104, type="tertiary", key=BEGIN),
        "episode": column.ButtonColumn("Episode", width=124, type="tertiary", alignment="left", key=OPEN),
    }


def pressed(button: str) -> int | None:
    """The row in which `button`, OPEN or BEGIN, was pressed, of the table as it was drawn before; None: none was."""
    click = st.session_state.get(button)
    return None if click is None else int(click["row"])
