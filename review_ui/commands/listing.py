"""`teleloom review list | show | history`: what there is, and what was said about it."""

from __future__ import annotations

from typing import get_args

import click

from review_ui.commands.options import filter_options, json_option, on_service
from review_ui.commands.printing import print_assignment, print_episodes, print_history, print_json, short_ids
from review_ui.commands.times import start_ns_of
from review_ui.service import Assignment, Reviewer, ReviewService
from review_ui.service.history import history_lines
from review_ui.service.pages import ROWS_AT_ONCE
from teleloom.catalog import Catalog, EpisodeFilter, EpisodePage, EpisodeRow, Sort

SHORT_UP_TO = 5000
"""Beyond so many episodes the whole ids are shown: what is short enough is only known when all are read."""


@click.command(
    "list",
    epilog="\b\nExamples:\n  teleloom review list demo-out/station --status unreviewed --json\n"
    "  teleloom review list demo-out/station --sort risk --text bowl --limit 20",
)
@on_service
@filter_options
@click.option(
    "--sort", type=click.Choice(get_args(Sort)), default="oldest", show_default=True, help="What comes first."
)
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out so many.")
@click.option("--limit", type=click.IntRange(min=1), help="No more than so many; without it, all.")
@json_option
def list_episodes(
    service: ReviewService, filter: EpisodeFilter, sort: Sort, offset: int, limit: int | None, as_json: bool
) -> None:
    """List the episodes under ROOT that match every option given."""
    page = _page(service.catalog, filter, sort, offset, limit)
    if as_json:
        print_json([row.model_dump() for row in page.rows])
        return
    print_episodes(page.rows, _names(service.catalog, page))
    if not page.total and filter != EpisodeFilter():
        click.echo("no episode matches", err=True)
    elif not page.total:
        click.echo("no episodes; `teleloom review rescan ROOT` enters the files that lie under ROOT", err=True)
    elif len(page.rows) < page.total:
        click.echo(f"{len(page.rows)} of {page.total}, from number {offset + 1}", err=True)


@click.command(epilog="\b\nExample:\n  teleloom review show demo-out/station 0192f3c1")
@on_service
@click.argument("episode")
@click.option("--by", "author", metavar="NAME", help="Show what NAME may see while they are to judge on their own.")
@json_option
def show(service: ReviewService, episode: str, author: str | None, as_json: bool) -> None:
    """Show all about one episode: what holds, why it deserves a look, and what was said.

    Times are seconds from the start; with --json they are those of the recording, in ns.
    """
    row = service.catalog.find(episode)
    shown = service.open(Reviewer(author, "lead"), row.id) if author else _all_of(service.catalog, row)
    if as_json:
        print_json(shown.model_dump())
    else:
        print_assignment(shown, start_ns_of(service.catalog, row))


@click.command(epilog="\b\nExample:\n  teleloom review history demo-out/station 0192f3c1")
@on_service
@click.argument("episode")
@json_option
def history(service: ReviewService, episode: str, as_json: bool) -> None:
    """Show everything that was said about an episode, oldest first, and what holds now."""
    row = service.catalog.find(episode)
    events = service.catalog.history(row.id)
    if as_json:
        document = {
            "episode": row.model_dump(),
            "view": service.catalog.view(row.id).model_dump(),
            "history": [event.model_dump() for event in events],
        }
        print_json(document)
    else:
        print_history(history_lines(events, reader="", blind=False), title=f"{row.id} is {row.status}")


def _page(catalog: Catalog, filter: EpisodeFilter, sort: Sort, offset: int, limit: int | None) -> EpisodePage:
    page = catalog.search(filter, sort, offset, min(limit or ROWS_AT_ONCE, ROWS_AT_ONCE))
    rows = list(page.rows)
    wanted = page.total - offset if limit is None else min(limit, page.total - offset)
    while len(rows) < wanted:
        more = catalog.search(filter, sort, offset + len(rows), min(wanted - len(rows), ROWS_AT_ONCE)).rows
        if not more:
            break
        rows += more
    return page.model_copy(update={"rows": tuple(rows)})


def _names(catalog: Catalog, page: EpisodePage) -> dict[str, str]:
    if catalog.search(EpisodeFilter(), limit=1).total > SHORT_UP_TO:
        return {row.id: row.id for row in page.rows}
    return short_ids([row.id for row in catalog.episodes()])


def _all_of(catalog: Catalog, row: EpisodeRow) -> Assignment:
    events = catalog.history(row.id)
    lines = history_lines(events, reader="", blind=False)
    return Assignment(row=row, view=catalog.view(row.id), blind=False, history=lines, lease=None)


COMMANDS = (list_episodes, show, history)
