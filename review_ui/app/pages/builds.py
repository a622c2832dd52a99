"""Builds: the datasets that were made, and what one made now would hold."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import streamlit as st

from review_ui.app import empty, tables
from review_ui.app.memory import remembered
from review_ui.app.seat import Seat, take_seat
from review_ui.app.words import ago, count, instant, place, plain
from teleloom.catalog import BuildRow, EpisodeFilter

LEDGER = "ledger.json"
NOW_S = 20.0


def show() -> None:
    """Draw the page."""
    seat = take_seat()
    builds = seat.catalog.builds()
    approved = remembered(seat, "approved-by-task", NOW_S, lambda: _approved_by_task(seat))
    _would_build(seat, builds, approved)
    st.subheader("Built", anchor=False)
    if not builds:
        st.caption("No dataset was built from this root yet. The command above makes the first one.")
        return
    _table(seat, list(reversed(builds)))


def _approved_by_task(seat: Seat) -> dict[str, int]:
    tasks = seat.catalog.facets().tasks
    counted = {task: seat.catalog.counts(EpisodeFilter(tasks=(task,)))["approved"] for task in tasks}
    return {task: number for task, number in counted.items() if number}


def _would_build(seat: Seat, builds: list[BuildRow], approved: dict[str, int]) -> None:
    total = sum(approved.values())
    if not total:
        empty.say(
            "Nothing to build yet",
            "Only approved episodes go into a dataset. Review some first.",
            ":material/inventory_2:",
        )
        return
    st.subheader("A build now", anchor=False)
    newest = builds[-1] if builds else None
    since = f" {_since(seat, newest)}" if newest else ""
    st.markdown(f"would take **{count(total, 'approved episode')}**.{since}")
    left, right = st.columns([1, 1.4], gap="large")
    with left:
        st.dataframe(
            {"task": list(approved), "approved": list(approved.values())}, hide_index=True,
            height=tables.height(len(approved), 8), row_height=tables.ROW_PX,
            column_config={"task": "Task", "approved": st.column_config.NumberColumn("Approved", format="localized")},
        )  # fmt: skip
    with right:
        name = newest.name if newest else "my-dataset"
        version = f" --version {_next(newest.version)}" if newest else ""
        st.code(
            f"teleloom build {_argument(seat.context.root)} --name {shlex.quote(name)}{version} --out datasets",
            language="bash", wrap_lines=True,
        )  # fmt: skip
        st.caption("With `--dry-run` it only says what would go in. Every episode left out is named, with its reason.")


def _argument(path: Path) -> str:
    """A path as a word of a command; a shell knows what ~/ is only outside of quotes."""
    said = place(path)
    return f"~/{shlex.quote(said.removeprefix('~/'))}" if said.startswith("~/") else shlex.quote(said)


def _since(seat: Seat, newest: BuildRow) -> str:
    pinned = {str(pin.get("episode_id")) for pin in newest.lock.get("episodes", ())}
    later = seat.catalog.search(EpisodeFilter(statuses=("approved",)), sort="decided", limit=1000)
    built = f"{plain(newest.name)} {plain(newest.version)}, built {ago(newest.created_wall_ns, seat.now_ns)}"
    fresh = sum(row.id not in pinned for row in later.rows)
    if not fresh:
        return f"All of them are in {built}."
    at_least = "at least " if fresh == len(later.rows) < later.total else ""
    return f"{at_least}{fresh:,} of them {'is' if fresh == 1 else 'are'} not in {built}."


def _next(version: str) -> str:
    """'1.1.0' after '1.0.0'; the version itself where it is not of that form."""
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return version
    return f"{parts[0]}.{int(parts[1]) + 1}.0"


def _table(seat: Seat, builds: list[BuildRow]) -> None:
    folders = [_folder(seat, build) for build in builds]
    st.dataframe(
        {
                "name": [build.name for build in builds],
                "version": [build.version for build in builds],
                "when": [instant(build.created_wall_ns) for build in builds],
                "in": [len(build.lock.get("episodes", ())) for build in builds],
                "out": [_left_out(folder) for folder in folders],
                "path": [place(folder) for folder in folders],
            },
        hide_index=True, placeholder="–", height=tables.height(len(builds), 14), row_height=tables.ROW_PX,
        column_config={
            "name": "Dataset",
            "version": "Version",
            "when": st.column_config.DatetimeColumn("Built", format="distance", timezone=str(seat.zone)),
            "in": st.column_config.NumberColumn("Episodes in", format="localized"),
            "out": st.column_config.NumberColumn(
                "Left out", format="localized", help="From the dataset's ledger, where its folder still is."
            ),
            "path": st.column_config.TextColumn("Folder", width="large"),
        },
    )  # fmt: skip


def _folder(seat: Seat, build: BuildRow) -> Path:
    return seat.context.root / build.path


def _left_out(folder: Path) -> int | None:
    """How many episodes the ledger names as rejected; None where there is no ledger to read."""
    try:
        ledger = json.loads((folder / LEDGER).read_text(encoding="utf-8"))
        return len(ledger["rejected"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
