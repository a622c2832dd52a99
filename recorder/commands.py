"""The recorder's commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from recorder.recovery import Recovered


@click.command(epilog="\b\nExample:\n  teleloom recover demo-out/station")
@click.argument("root", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--catalog", "url", metavar="URL", help="Database in place of ROOT/catalog.sqlite (postgresql://…).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def recover(root: Path, url: str | None, as_json: bool) -> None:
    """Finalise the journals that a crash, a kill or a full disk left under ROOT, and enter them into the catalog.

    Safe to run twice, and while a recorder is at work: a journal in use is left alone. A journal with nothing in it
    to keep is moved to ROOT/discarded with its reason.
    """
    from recorder.recovery import recover as recover_journals

    found = recover_journals(root, quality=True)
    failed = [f"{item.journal}: {item.message}" for item in found if item.state == "failed"]
    failed += _enter(root, url, found)
    if as_json:
        click.echo(json.dumps({"root": str(root), "journals": [item.to_json() for item in found]}))
    elif not found:
        click.echo(f"nothing to recover under {root}")
    else:
        table = Table("journal", "state", "episode", "rows", "bytes cut", "quality", "message")
        for item in found:
            where = str(item.episode) if item.episode else ""
            quality = item.quality.verdict if item.quality else ""
            figures = (str(item.rows), str(item.cut_bytes), quality)
            table.add_row(item.journal.name, item.state, where, *figures, item.message)
        Console(file=sys.stdout).print(table)
    if failed:
        raise click.ClickException("; ".join(failed))


def _enter(root: Path, url: str | None, found: Sequence[Recovered]) -> list[str]:
    """Enter the recovered episodes into the catalog, and say which it did not take and why.

    Only once all are files: a catalog that cannot be opened must keep nobody from them.
    """
    from teleloom.catalog import Catalog, CatalogError
    from teleloom.episode.reader import BadEpisodeError

    episodes = [(item.episode, item.quality) for item in found if item.episode is not None]
    if not episodes:
        return []
    remedy = f"when that is mended, run `teleloom review rescan {root}`"
    refused = []
    try:
        with Catalog.open(url or root, root=root) as catalog:
            for path, quality in episodes:
                try:
                    catalog.register(path, quality.model_dump(mode="json") if quality else None)
                except (CatalogError, BadEpisodeError) as error:
                    refused.append(f"{path} is not in the catalog: {error}; {remedy}")
    except CatalogError as error:
        return [f"{len(episodes)} recovered episodes are not in the catalog: {error}; {remedy}"]
    return refused


@click.command(
    epilog="\b\nExamples:\n  teleloom inspect demo-out/station\n"
    "  teleloom inspect demo-out/station/episodes/ID.h5 --html episode.html"
)
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write one page with pictures and curves."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def inspect(path: Path, html: Path | None, as_json: bool) -> None:
    """Show what is in an episode file, and how good it is; of a station's folder, its episodes in a table."""
    from recorder.inspection.inspect import inspect_episode, inspect_station

    if path.is_file():
        inspect_episode(path, html, as_json)
    elif html:
        raise click.ClickException(f"--html makes the page of one episode; name a file under {path / 'episodes'}")
    else:
        inspect_station(path, as_json)
