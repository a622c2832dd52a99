"""Searching a catalog of 100,000 episodes: the service's queries against a plain scan that filters in Python.

Each query gives one page, in order, with the total; facets, counts per status and the claim of the next episode are
measured too. The figure is the 95th percentile over all runs of all queries. The baseline does the same work as tools
without a database do: read every row, filter, sort and cut in Python. SQLite; with a URL, the PostgreSQL there.

Run: python benchmarks/catalog.py [--episodes 100000] [--runs 15] [--url postgresql://…]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "teleloom"))

from catalog_crowd import FIRST_WALL_NS, fill

from teleloom.catalog import Catalog, EpisodeFilter
from teleloom.catalog.tables import episodes
from teleloom.clock import NS_PER_S

DAY_NS = 86_400 * NS_PER_S
BASELINE_RUNS = 3
Query = Callable[[Catalog], object]


def page(sort: Any = "risk", offset: int = 0, **wanted: Any) -> Query:
    """One page of 50 with its total."""
    chosen = EpisodeFilter(**wanted)
    return lambda catalog: catalog.search(chosen, sort=sort, offset=offset, limit=50)


QUERIES: dict[str, Query] = {
    **{f"everything, {sort}": page(sort) for sort in ("risk", "newest", "oldest", "longest", "shortest", "task")},
    "everything, decided": page("decided"),
    "everything, riskiest, page 1000": page(offset=50_000),
    "everything, newest, last page": page("newest", offset=99_950),
    "unreviewed": page(statuses=("unreviewed",)),
    "unreviewed, page 400": page(statuses=("unreviewed",), offset=20_000),
    "approved or rejected, decided": page("decided", statuses=("approved", "rejected")),
    "disputed": page(statuses=("disputed",)),
    "one task": page(tasks=("stack-cup",)),
    "three tasks, longest": page("longest", tasks=("stack-cup", "pour-bottle", "open-drawer")),
    "robot, station and operator": page(robot="panda", station="kitchen", operator="anna"),
    "failures, newest": page("newest", outcome="failure"),
    "bad quality, task": page("task", quality="bad"),
    "decided by one": page("decided", decided_by="hugo"),
    "risk over 0.5": page(min_risk=0.5),
    "one week, shortest": page(
        "shortest", recorded_from_ns=FIRST_WALL_NS + 10 * DAY_NS, recorded_to_ns=FIRST_WALL_NS + 17 * DAY_NS
    ),
    "to be segmented": page(statuses=("approved",), segmented=False),
    "planned overlap, oldest": page("oldest", overlap=True),
    "a tag": page(tag="slip"),
    "a flag, newest": page("newest", flag="mistake"),
    "text, a common word": page(text="the"),
    "text, a word": page("newest", text="drawer"),
    "text, two words": page(text="gripper slipped"),
    "text, nothing found": page(text="elephant"),
    "text and filters, longest": page("longest", text="cup", statuses=("unreviewed",), robot="ur5e"),
    "text, page 100": page("oldest", text="please", offset=5_000),
    "facets": lambda catalog: catalog.facets(),
    "counts": lambda catalog: catalog.counts(),
    "counts of a task": lambda catalog: catalog.counts(EpisodeFilter(tasks=("stack-cup",))),
    "counts of a text": lambda catalog: catalog.counts(EpisodeFilter(text="drawer")),
    "claim the next": lambda catalog: catalog.claim_next("anna", 600),
    "claim the next of a task": lambda catalog: catalog.claim_next("ben", 600, EpisodeFilter(tasks=("pour-bottle",))),
    "claim the next to segment": lambda catalog: catalog.claim_next("eva", 600, queue="segments"),
}


def plain_scan(catalog: Catalog) -> None:
    """Unreviewed episodes of one task whose description has a word, riskiest first: read all, then filter and sort."""
    with catalog._database.read() as connection:
        rows = [dict(row) for row in connection.execute(select(episodes)).mappings()]
    found = [
        row
        for row in rows
        if row["status"] == "unreviewed" and row["task"] == "stack-cup" and "cup" in row["search_text"]
    ]
    sorted(found, key=lambda row: (-(row["risk"] or -1.0), row["id"]))[:50]


def milliseconds(work: Query, catalog: Catalog, runs: int) -> list[float]:
    """How long `work` took, each time."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work(catalog)
        taken.append((time.perf_counter() - started) * 1e3)
    return taken


def measure(catalog: Catalog, runs: int, console: Console) -> None:
    """Time every query and the baseline; print the table and, last, the figure."""
    table = Table("query", "p50 ms", "p95 ms")
    every: list[float] = []
    for name, query in QUERIES.items():
        query(catalog)
        taken = milliseconds(query, catalog, runs)
        every += taken
        table.add_row(name, f"{np.percentile(taken, 50):.1f}", f"{np.percentile(taken, 95):.1f}")
    console.print(table)
    p95 = float(np.percentile(every, 95))
    baseline = float(np.median(milliseconds(plain_scan, catalog, BASELINE_RUNS)))
    console.print(f"all: p50 {np.percentile(every, 50):.1f} ms, p95 {p95:.1f} ms; plain scan {baseline:.0f} ms")
    figures = {"name": "search of 100,000 episodes: p95 of a page", "figure": round(p95, 2), "unit": "ms"}
    print(json.dumps({**figures, "baseline": round(baseline, 1), "ratio": round(baseline / p95, 2)}))


@click.command()
@click.option("--episodes", "count", default=100_000, show_default=True, help="Episodes in the catalog.")
@click.option("--runs", default=15, show_default=True, help="Times that each query is asked.")
@click.option("--url", help="An empty database to fill in place of a new SQLite file.")
@click.option("--filled", is_flag=True, help="The database of --url has its episodes already.")
def main(count: int, runs: int, url: str | None, filled: bool) -> None:
    """Fill a catalog and measure the queries."""
    with tempfile.TemporaryDirectory() as folder, Catalog.open(url or folder) as catalog:
        if not filled:
            fill(catalog, count, report_floats=96)
        measure(catalog, runs, Console(stderr=True))


if __name__ == "__main__":
    main()
