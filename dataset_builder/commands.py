"""The commands `teleloom build` and `teleloom verify`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dataset_builder.build import documents
from dataset_builder.build.run import BuildResult, DatasetExistsError, NothingToBuildError, build_dataset, dry_run
from dataset_builder.codecs import CodecOptionError
from dataset_builder.dataset import Dataset, NotADatasetError
from dataset_builder.manifest import BuildManifest
from dataset_builder.source import gather
from dataset_builder.source.select import select_episodes
from dataset_builder.verify.check import Report, verify_dataset
from dataset_builder.verify.tfds import verify_with_tfds
from teleloom.catalog import BuildConflictError, Catalog, CatalogError
from teleloom.config import ConfigError, describe, load_yaml
from teleloom.extras import MissingExtraError
from teleloom.plugins import PluginError

_REFUSALS = (ConfigError, CatalogError, PluginError, CodecOptionError, DatasetExistsError, NothingToBuildError)
_BUILD_EXAMPLES = """\b
Examples:
  teleloom build station --name kitchen --out rlds
  teleloom build station -c build.yaml --version 1.1.0 --out rlds --dry-run
"""
_VERIFY_EXAMPLES = """\b
Examples:
  teleloom verify rlds/kitchen/1.0.0
  teleloom verify rlds/kitchen/1.0.0 --episodes /mnt/station --json
"""


@click.command(epilog=_BUILD_EXAMPLES)
@click.argument("root", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--name", help="Name of the dataset; the manifest's by default.")
@click.option("--version", help="Version x.y.z; the manifest's by default, else 1.0.0.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of datasets.")
@click.option("-c", "--config", type=click.Path(path_type=Path, dir_okay=False), help="The build manifest, YAML.")
@click.option("--catalog", "catalog_url", help="Database URL of the catalog; ROOT's own by default.")
@click.option("--force", is_flag=True, help="Replace the version if it exists.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would be built, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
def build(
    root: Path,
    name: str | None,
    version: str | None,
    out: Path,
    config: Path | None,
    catalog_url: str | None,
    force: bool,
    is_dry_run: bool,
    as_json: bool,
) -> None:
    """Build an RLDS dataset from the approved episodes of the station folder ROOT."""
    try:
        manifest = _manifest(config, name, version)
        with Catalog.open(catalog_url or root, root) as catalog, _progress(hidden=as_json) as progress:
            selection = select_episodes(catalog, root)
            if is_dry_run:
                result = dry_run(selection, manifest, out, progress)
            else:
                result = build_dataset(selection, manifest, out, force=force, progress=progress)
                _record(catalog, manifest, result)
    except _REFUSALS as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename or out}: {error.strerror or error}") from None
    if broken := result.ledger.broken:
        why = "would be left out" if is_dry_run else f"left out; the reasons are in {result.path / documents.LEDGER}"
        click.echo(f"Warning: {broken} of {len(result.ledger.inputs)} episodes are broken and {why}", err=True)
    if as_json:
        click.echo(json.dumps(_result_document(result, is_dry_run)))
    else:
        _print_result(result, is_dry_run)


@click.command(epilog=_VERIFY_EXAMPLES)
@click.argument("dataset", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--episodes",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The station folder with the source episodes; where the dataset was built from by default.",
)
@click.option("--tfds/--no-tfds", default=None, help="Read with TensorFlow Datasets too; by default if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
def verify(dataset: Path, episodes: Path | None, tfds: bool | None, as_json: bool) -> None:
    """Read the dataset in folder DATASET back and check everything in it, down to the bytes of each image."""
    try:
        report = verify_dataset(dataset, episodes)
        if tfds or (tfds is None and find_spec("tensorflow_datasets") is not None):
            verify_with_tfds(report)
    except (NotADatasetError, PluginError, MissingExtraError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        _print_report(report)
    if not report.sound:
        sys.exit(1)


def _manifest(config: Path | None, name: str | None, version: str | None) -> BuildManifest:
    given = load_yaml(config, BuildManifest).model_dump() if config else {}
    if not name and not given:
        raise click.UsageError("give the dataset a --name, or a manifest with -c")
    overrides = {key: value for key, value in (("name", name), ("version", version)) if value}
    try:
        return BuildManifest.model_validate(given | overrides)
    except ValidationError as error:
        raise ConfigError(f"the build cannot be made so:\n{describe(error, BuildManifest)}") from None


def _record(catalog: Catalog, manifest: BuildManifest, result: BuildResult) -> None:
    try:
        catalog.record_build(manifest.name, manifest.version, result.path, Dataset.open(result.path).lock)
    except BuildConflictError as error:
        click.echo(f"Note: the catalog keeps the first build of this version: {error}", err=True)


@contextmanager
def _progress(hidden: bool) -> Iterator[gather.Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(f"{what.capitalize()} episodes")
            bars.update(tasks[what], completed=done, total=total)

        yield report


def _result_document(result: BuildResult, is_dry_run: bool) -> dict[str, Any]:
    return {
        "path": str(result.path),
        "dry_run": is_dry_run,
        "splits": result.splits,
        "num_bytes": result.num_bytes,
        "ledger": result.ledger.to_json(),
    }


def _print_result(result: BuildResult, is_dry_run: bool) -> None:
    console = Console()
    counts = result.ledger.to_json()["counts"]
    splits = ", ".join(f"{split} {count}" for split, count in result.splits.items())
    done = "Would build" if is_dry_run else "Built"
    console.print(f"{done} {result.path}: {counts['emitted']} episodes ({splits}), {counts['steps']} steps")
    if result.ledger.rejected:
        table = Table("episode", "not in, because", title=f"{counts['rejected']} of {counts['inputs']} rejected")
        for entry in result.ledger.rejected:
            table.add_row(entry.episode_id, f"{entry.reason}: {entry.detail}")
        console.print(table)


def _print_report(report: Report) -> None:
    console = Console()
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
