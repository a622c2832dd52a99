"""`teleloom verify`: a dataset read back and checked in full."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import click
from rich.console import Console

from dataset_builder.dataset import NotADatasetError
from dataset_builder.location import StoreError, is_local, location
from dataset_builder.verify.check import Report, verify_dataset
from dataset_builder.verify.tfds import verify_with_tfds
from teleloom.extras import MissingExtraError
from teleloom.plugins import PluginError

_EPILOG = """\b
Exit codes: 0 it is sound; 1 it is not, or cannot be read; 2 wrong usage.

\b
Examples:
  teleloom verify rlds/kitchen/1.0.0
  teleloom verify rlds/kitchen/1.0.0 --episodes /mnt/station --json
  teleloom verify s3://robots/rlds/kitchen/1.0.0
"""


@click.command(epilog=_EPILOG)
@click.argument("dataset")
@click.option(
    "--episodes",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The station folder with the source episodes; where the dataset was built from by default.",
)
@click.option("--tfds/--no-tfds", default=None, help="Read with TensorFlow Datasets too; by default if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
def verify(dataset: str, episodes: Path | None, tfds: bool | None, as_json: bool) -> None:
    """Read DATASET, a folder or a URL, back and check everything in it, down to the bytes of each image."""
    try:
        path = location(dataset)
        if tfds and not is_local(path):
            raise click.UsageError("--tfds reads folders of this machine only; copy the dataset here first")
        report = verify_dataset(path, episodes)
        if tfds or (tfds is None and is_local(path) and find_spec("tensorflow_datasets") is not None):
            if report.sound:
                verify_with_tfds(report)
            else:
                report.notes.append("not read with tfds, as it is not sound")
    except (NotADatasetError, StoreError, PluginError, MissingExtraError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        _print(report)
    if not report.sound:
        sys.exit(1)


def _print(report: Report) -> None:
    console = Console(soft_wrap=True, markup=False, emoji=False)
    console.print(
        f"{report.path}: {report.records} records, {report.steps} steps, {report.images} images; "
        f"{report.compared} compared with their episodes, {report.read_by_tfds} read with tfds"
    )
    for note in report.notes:
        console.print(f"Note: {note}")
    for fault in report.faults:
        console.print(f"Fault: {fault}", style="red")
    if report.sound:
        console.print("Sound.", style="green")
