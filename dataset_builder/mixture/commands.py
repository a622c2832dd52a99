"""Looking at a mixture before a long training run: what is in it, in which shares, and what a batch looks like."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from dataset_builder.codecs import CodecOptionError
from dataset_builder.dataset import NotADatasetError
from dataset_builder.mixture.images import UnreadableImageError
from dataset_builder.mixture.index import Progress as Report
from dataset_builder.mixture.index import UnusableDatasetError
from dataset_builder.mixture.mixture import BadMixtureError, Mixture
from dataset_builder.mixture.sheet import contact_sheet
from dataset_builder.mixture.tokens import TokenizationError
from dataset_builder.questions.question import BadQuestionsError
from dataset_builder.rlds.records import BadExampleError
from dataset_builder.rlds.tfrecord import BadRecordError
from teleloom.config import ConfigError
from teleloom.extras import MissingExtraError
from teleloom.files import atomic_write_bytes
from teleloom.plugins import PluginError

_REFUSALS = (
    BadExampleError,
    BadMixtureError,
    BadQuestionsError,
    BadRecordError,
    CodecOptionError,
    ConfigError,
    MissingExtraError,
    NotADatasetError,
    PluginError,
    TokenizationError,
    UnreadableImageError,
    UnusableDatasetError,
)
_EXAMPLES = """\b
Examples:
  python -m dataset_builder.mixture mixture.yaml
  python -m dataset_builder.mixture mixture.yaml --sheet batch.png --batch 3
"""


@click.command(epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("manifest", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Draw a batch into this PNG.")
@click.option("--batch", default=0, show_default=True, type=click.IntRange(min=0), help="The number of that batch.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
def mixture(manifest: Path, sheet: Path | None, batch: int, as_json: bool) -> None:
    """Say what the mixture MANIFEST draws from, in which shares, and draw one of its batches."""
    try:
        with _progress(hidden=as_json) as progress:
            opened = Mixture.open(manifest, progress)
        samples = opened.samples(batch)
        if sheet is not None:
            atomic_write_bytes(sheet, contact_sheet(samples))
    except _REFUSALS as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"cannot use {error.filename or manifest}: {error.strerror or error}") from None
    document = summary(opened)
    if as_json:
        click.echo(json.dumps(document))
    else:
        _print(document, opened.manifest.max_length, max(len(sample.tokens.ids) for sample in samples), batch, sheet)


def summary(opened: Mixture) -> dict[str, Any]:
    """Sources with their sizes and shares, as plain data."""
    shares, epochs = opened.shares(), opened.epochs()
    sources = [
        {
            "name": source.name,
            "kind": source.kind,
            "items": len(source),
            "share": shares[source.name],
            "samples_to_see_all": epochs[source.name],
        }
        for source in opened.sources
    ]
    return {"fingerprint": opened.fingerprint, "batch_size": opened.manifest.batch_size, "sources": sources}


def _print(document: dict[str, Any], max_length: int, longest: int, batch: int, sheet: Path | None) -> None:
    numbers = (Column(name, justify="right") for name in ("items", "share", "batches to see all"))
    table = Table("source", "kind", *numbers)
    for source in document["sources"]:
        batches = -(-source["samples_to_see_all"] // document["batch_size"])
        table.add_row(source["name"], source["kind"], str(source["items"]), f"{source['share']:.1%}", str(batches))
    console = Console(markup=False, emoji=False)
    console.print(table)
    console.print(f"The longest sample of batch {batch} has {longest} of {max_length} tokens.")
    if sheet is not None:
        console.print(f"It is drawn in {sheet}", soft_wrap=True)


@contextmanager
def _progress(hidden: bool) -> Iterator[Report]:
    """A bar on standard error for each dataset that is indexed; nothing at all when none is."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bars = Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden)
    tasks: dict[str, TaskID] = {}

    def report(what: str, done: int, total: int) -> None:
        bars.start()
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done)

    try:
        yield report
    finally:
        if tasks:
            bars.stop()
