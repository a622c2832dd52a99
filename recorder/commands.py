"""The recorder's commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table


@click.command(epilog="\b\nExample:\n  teleloom recover demo-out/station")
@click.argument("root", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def recover(root: Path, as_json: bool) -> None:
    """Finalise the journals that a crash, a kill or a full disk left under ROOT.

    Safe to run twice, and while a recorder is at work: a journal in use is left alone. A journal with nothing in it
    to keep is moved to ROOT/discarded with its reason.
    """
    from recorder.recovery import recover as recover_journals

    found = recover_journals(root)
    failed = [item for item in found if item.state == "failed"]
    if as_json:
        click.echo(json.dumps({"root": str(root), "journals": [item.to_json() for item in found]}))
    elif not found:
        click.echo(f"nothing to recover under {root}")
    else:
        table = Table("journal", "state", "episode", "rows", "bytes cut", "message")
        for item in found:
            where = str(item.episode) if item.episode else ""
            table.add_row(item.journal.name, item.state, where, str(item.rows), str(item.cut_bytes), item.message)
        Console(file=sys.stdout).print(table)
    if failed:
        raise click.ClickException("; ".join(f"{item.journal}: {item.message}" for item in failed))


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
