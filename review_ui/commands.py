"""`teleloom review`: see what was recorded, and say what is good enough to train on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.table import Column, Table

from teleloom.catalog import BadAnnotationError, Catalog, CatalogError, EpisodeRow, Status, summary
from teleloom.catalog.view import undone_revisions
from teleloom.clock import NS_PER_S
from teleloom.files import dumps_json

SHORTEST_ID = 8

_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_seen_option = click.option(
    "--seen-revision",
    "seen_revision",
    type=click.IntRange(min=0),
    metavar="N",
    help="The revision you looked at, of the one EPISODE; refused if anyone spoke since. Without it, the newest now.",
)
_by_option = click.option("--by", "author", required=True, metavar="NAME", help="Who decides; kept in the history.")


@click.group(
    epilog="\b\nExample:\n  teleloom review list demo-out/station --status unreviewed\n"
    "  teleloom review approve demo-out/station 0192f3c1 --by anna"
)
def review() -> None:
    """See what was recorded under a root folder, and say which episodes are good enough to train on.

    Nothing that anyone says is ever overwritten: every verdict is an event with its author, and undo is one too. An
    EPISODE is given by its id or a beginning of it that fits no other.
    """


def _on_catalog(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the open catalog of ROOT, and turn what the catalog refuses into a message."""

    @click.argument("root", type=click.Path(path_type=Path, exists=True, file_okay=False))
    @click.option("--catalog", "url", metavar="URL", help="Database in place of ROOT/catalog.sqlite (postgresql://…).")
    @functools.wraps(command)
    def wrapped(root: Path, url: str | None, **options: Any) -> None:
        try:
            with Catalog.open(url or root, root=root) as catalog:
                command(catalog, **options)
        except (CatalogError, BadAnnotationError) as error:
            raise click.ClickException(str(error)) from error

    return wrapped


@review.command("list", epilog="\b\nExample:\n  teleloom review list demo-out/station --status unreviewed --json")
@_on_catalog
@click.option("--status", type=click.Choice(get_args(Status)), help="Only episodes with this status.")
@click.option("--task", help="Only episodes of this task.")
@_json_option
def list_episodes(catalog: Catalog, status: Status | None, task: str | None, as_json: bool) -> None:
    """List the episodes under ROOT, oldest first."""
    rows = catalog.episodes(status=status, task=task)
    if as_json:
        click.echo(dumps_json([row.model_dump() for row in rows]), nl=False)
        return
    short = short_ids([row.id for row in catalog.episodes()])
    table = Table(Column("episode", no_wrap=True), "recorded (UTC)", "task", "length", "outcome", "quality", "status")
    for row in rows:
        table.add_row(*_cells(row, short[row.id]))
    Console().print(table)
    if not rows:
        click.echo("no episodes; `teleloom review rescan ROOT` enters the files that lie under ROOT", err=True)


@review.command(epilog="\b\nExample:\n  teleloom review approve demo-out/station 0192f3c1 --by anna")
@_on_catalog
@click.argument("episodes", nargs=-1, metavar="[EPISODE]...")
@click.option("--all-unreviewed", is_flag=True, help="Approve every episode that nobody has decided on.")
@_by_option
@_seen_option
@_json_option
def approve(
    catalog: Catalog,
    episodes: tuple[str, ...],
    all_unreviewed: bool,
    author: str,
    seen_revision: int | None,
    as_json: bool,
) -> None:
    """Let episodes into datasets."""
    if bool(episodes) == all_unreviewed:
        raise click.UsageError("name the episodes to approve, or give --all-unreviewed")
    _check_seen(episodes, seen_revision)
    rows = catalog.episodes(status="unreviewed") if all_unreviewed else [catalog.find(prefix) for prefix in episodes]
    for row in rows:
        catalog.approve(row.id, author, row.revision if seen_revision is None else seen_revision)
    _tell("approved", [row.id for row in rows], as_json)


@review.command(
    epilog="\b\nExample:\n  teleloom review reject demo-out/station 0192f3c1 --by anna --reason 'cube fell'"
)
@_on_catalog
@click.argument("episodes", nargs=-1, required=True, metavar="EPISODE...")
@click.option("--reason", required=True, help="Why it must not be trained on.")
@_by_option
@_seen_option
@_json_option
def reject(
    catalog: Catalog, episodes: tuple[str, ...], reason: str, author: str, seen_revision: int | None, as_json: bool
) -> None:
    """Keep episodes out of datasets, for a reason."""
    _check_seen(episodes, seen_revision)
    rows = [catalog.find(prefix) for prefix in episodes]
    for row in rows:
        catalog.reject(row.id, author, reason, row.revision if seen_revision is None else seen_revision)
    _tell("rejected", [row.id for row in rows], as_json)


@review.command(epilog="\b\nExample:\n  teleloom review undo demo-out/station 0192f3c1 --by anna")
@_on_catalog
@click.argument("episode")
@click.option("--revision", type=click.IntRange(min=1), help="The event to take back; without it, the newest in force.")
@_by_option
@_json_option
def undo(catalog: Catalog, episode: str, revision: int | None, author: str, as_json: bool) -> None:
    """Take back one thing that was said about an episode."""
    row = catalog.find(episode)
    history = catalog.history(row.id)
    undone = undone_revisions(history)
    in_force = [event for event in history if event.revision not in undone and event.annotation.kind != "undo"]
    if revision is None:
        if not in_force:
            raise click.ClickException(f"episode {row.id}: nothing was said about it that could be taken back")
        revision = in_force[-1].revision
    catalog.undo(row.id, author, revision, seen_revision=row.revision)
    _tell(f"revision {revision} taken back; now {catalog.view(row.id).status}", [row.id], as_json)


@review.command(epilog="\b\nExample:\n  teleloom review history demo-out/station 0192f3c1")
@_on_catalog
@click.argument("episode")
@_json_option
def history(catalog: Catalog, episode: str, as_json: bool) -> None:
    """Show everything that was said about an episode, oldest first, and what holds now."""
    row = catalog.find(episode)
    events = catalog.history(row.id)
    if as_json:
        document = {
            "episode": row.model_dump(),
            "view": catalog.view(row.id).model_dump(),
            "history": [event.model_dump() for event in events],
        }
        click.echo(dumps_json(document), nl=False)
        return
    undone = undone_revisions(events)
    table = Table("revision", "when (UTC)", "who", "what", title=f"{row.id} is {row.status}")
    for event in events:
        what = summary(event.annotation) + (" (taken back)" if event.revision in undone else "")
        table.add_row(str(event.revision), _when(event.wall_ns), event.author, what)
    Console().print(table)


@review.command(epilog="\b\nExample:\n  teleloom review rescan demo-out/station")
@_on_catalog
@_json_option
def rescan(catalog: Catalog, as_json: bool) -> None:
    """Make the list of episodes anew from the files under ROOT; what was said about them stays."""
    report = catalog.rebuild()
    if as_json:
        document = {"registered": report.registered, "removed": report.removed, "unreadable": report.unreadable}
        click.echo(dumps_json(document), nl=False)
    else:
        click.echo(f"{report.registered} episodes; {len(report.removed)} removed whose file is gone")
    if report.unreadable:
        raise click.ClickException("\n".join(report.unreadable.values()))


def _check_seen(episodes: Sequence[str], seen_revision: int | None) -> None:
    if seen_revision is not None and len(episodes) != 1:
        raise click.UsageError("--seen-revision is of one episode: name that one alone")


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """For each of different ids, the shortest beginning, of at least SHORTEST_ID characters, that fits no other."""
    ordered = ["", *sorted(ids), ""]
    return {
        each: each[: max(SHORTEST_ID, _shared(before, each) + 1, _shared(each, after) + 1)]
        for before, each, after in zip(ordered, ordered[1:], ordered[2:], strict=False)
    }


def _shared(a: str, b: str) -> int:
    """How many characters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _cells(row: EpisodeRow, short: str) -> tuple[str, ...]:
    length = f"{row.duration_ns / NS_PER_S:.1f} s"
    quality = str((row.quality or {}).get("verdict", ""))
    return short, _when(row.created_wall_ns), row.task, length, row.outcome, quality, row.status


def _when(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns / NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _tell(what: str, ids: Sequence[str], as_json: bool) -> None:
    if as_json:
        click.echo(dumps_json({"did": what, "episodes": list(ids)}), nl=False)
    else:
        click.echo(f"{what}: {', '.join(ids) or 'no episode'}")
