"""`teleloom build`: from approved episodes to a dataset."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from dataset_builder.build import documents
from dataset_builder.build.run import (
    BuildResult,
    CollisionError,
    DatasetExistsError,
    NothingToBuildError,
    ShardsGoneError,
    build_dataset,
    dry_run,
)
from dataset_builder.codecs import CodecOptionError
from dataset_builder.commands.manifests import load_manifest, open_catalog
from dataset_builder.commands.progress import progress_bar
from dataset_builder.commands.rejections import print_rejected
from dataset_builder.engines.choice import ENGINES, chosen_engine
from dataset_builder.engines.contract import Engine, EngineError
from dataset_builder.layouts import LayoutError
from dataset_builder.location import StoreError
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.files import StatisticsFileError
from dataset_builder.rules.filters import TaskErasedError
from dataset_builder.source.select import select_episodes
from teleloom.catalog import BuildConflictError, Catalog, CatalogError
from teleloom.config import ConfigError
from teleloom.extras import MissingExtraError
from teleloom.plugins import PluginError

BROKEN_INPUTS = 3
_REFUSALS = (
    ConfigError,
    CatalogError,
    PluginError,
    MissingExtraError,
    CodecOptionError,
    LayoutError,
    StatisticsFileError,
    TaskErasedError,
    DatasetExistsError,
    ShardsGoneError,
    CollisionError,
    NothingToBuildError,
    EngineError,
    StoreError,
)
_EPILOG = """\b
Exit codes: 0 all is well; 1 nothing was built; 2 wrong usage; 3 built (or, in a dry run, to be built), but some
inputs are broken and were left out.

\b
Examples:
  teleloom build station --name kitchen --out rlds
  teleloom build station -c build.yaml --version 1.1.0 --out rlds --dry-run
  teleloom build station -c build.yaml --out s3://robots/rlds --engine dask --scheduler tls://head:8786
"""


@click.command(epilog=_EPILOG)
@click.argument("root", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--name", help="Name of the dataset; the manifest's by default.")
@click.option("--version", help="Version x.y.z; the manifest's by default, else 1.0.0.")
@click.option("--out", required=True, help="Folder of datasets, or a URL such as s3://bucket/datasets.")
@click.option("-c", "--config", type=click.Path(path_type=Path, dir_okay=False), help="The build manifest, YAML.")
@click.option("--catalog", "catalog_url", help="Database URL of the catalog; ROOT's own by default.")
@click.option("--force", is_flag=True, help="Replace the version if it exists.")
@click.option(
    "--trust-reused", is_flag=True, help="Check the size alone of shards that are taken over, not their SHA-256."
)
@click.option("--engine", "engine_name", type=click.Choice(ENGINES), default="pool", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Processes that write shards; by default as many as pay.")
@click.option("--scheduler", help="Dask: the address of a running scheduler.")
@click.option("--tls", nargs=3, metavar="CA CERT KEY", help="Dask: PEM files for a tls:// scheduler.")
@click.option("--runner", help="Beam: the runner, DirectRunner by default.")
@click.option(
    "--pipeline-option", "options", multiple=True, metavar="NAME=VALUE", help="Beam: an option of the runner."
)
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would be built, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
def build(
    root: Path,
    name: str | None,
    version: str | None,
    out: str,
    config: Path | None,
    catalog_url: str | None,
    force: bool,
    trust_reused: bool,
    engine_name: str,
    workers: int | None,
    scheduler: str | None,
    tls: tuple[str, str, str] | None,
    runner: str | None,
    options: tuple[str, ...],
    is_dry_run: bool,
    as_json: bool,
) -> None:
    """Build an RLDS dataset from the approved episodes of the station folder ROOT.

    What an earlier build has written already is not written again.
    """
    try:
        manifest = load_manifest(config, name, version)
        engine = chosen_engine(engine_name, workers, scheduler, tls, runner, options)
        result = _run(root, catalog_url, manifest, out, force, is_dry_run, engine, trust_reused, as_json)
    except _REFUSALS as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename or out}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        raise click.ClickException("stopped; the same command goes on with what is finished") from None
    for warning in result.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if broken := result.ledger.broken:
        why = "would be left out" if is_dry_run else f"left out; the reasons are in {result.path / documents.LEDGER}"
        click.echo(f"Warning: {broken} of {len(result.ledger.inputs)} episodes are broken and {why}", err=True)
    if as_json:
        click.echo(json.dumps(_document(result, is_dry_run)))
    else:
        _print(result, is_dry_run)
    if broken:
        sys.exit(BROKEN_INPUTS)


def _run(
    root: Path,
    catalog_url: str | None,
    manifest: BuildManifest,
    out: str,
    force: bool,
    is_dry_run: bool,
    engine: Engine | None,
    trust_reused: bool,
    hidden: bool,
) -> BuildResult:
    with open_catalog(root, catalog_url) as catalog:
        with progress_bar(hidden) as progress:
            selection = select_episodes(catalog, root, manifest.select)
            if is_dry_run:
                return dry_run(selection, manifest, out, progress, force=force)
            result = build_dataset(
                selection, manifest, out, force=force, progress=progress, engine=engine, trust_reused=trust_reused
            )
        _record(catalog, manifest, result)
        return result


def _record(catalog: Catalog, manifest: BuildManifest, result: BuildResult) -> None:
    try:
        catalog.record_build(manifest.name, manifest.version, result.path, result.lock)
    except BuildConflictError as error:
        click.echo(f"Note: the catalog keeps the first build of this version: {error}", err=True)


def _document(result: BuildResult, is_dry_run: bool) -> dict[str, Any]:
    return {
        "path": str(result.path),
        "dry_run": is_dry_run,
        "up_to_date": result.up_to_date,
        "splits": result.splits,
        "num_bytes": result.num_bytes,
        "shards": {"written": result.written, "reused": result.reused},
        "warnings": list(result.warnings),
        "ledger": result.ledger.to_json(),
    }


def _print(result: BuildResult, is_dry_run: bool) -> None:
    console = Console(markup=False, emoji=False)
    counts = result.ledger.to_json()["counts"]
    splits = ", ".join(f"{split} {count}" for split, count in result.splits.items())
    verb = "Up to date:" if result.up_to_date else "Would build" if is_dry_run else "Built"
    emitted = f"{counts['emitted']} episodes ({splits}), {counts['steps']} steps"
    console.print(f"{verb} {result.path}: {emitted}", soft_wrap=True)
    if result.reused and not result.up_to_date:
        console.print(f"Shards: {result.written} {'to write' if is_dry_run else 'written'}, {result.reused} reused")
    if not result.ledger.rejected:
        return
    if is_dry_run:
        console.print(_by_reason(counts), _by_task(counts))
    rejected = [(entry.episode_id, entry.reason, entry.detail) for entry in result.ledger.rejected]
    others = "--json names them all" if is_dry_run else f"all are in {result.path / documents.LEDGER}"
    print_rejected(rejected, counts["inputs"], others)


def _by_reason(counts: dict[str, Any]) -> Table:
    table = Table("not in, because", Column("episodes", justify="right"))
    for reason, count in counts["rejected_by_reason"].items():
        table.add_row(reason, str(count))
    return table


def _by_task(counts: dict[str, Any]) -> Table:
    table = Table("task", Column("in", justify="right"), Column("not in", justify="right"))
    for task, count in counts["by_task"].items():
        table.add_row(task or "(unknown)", str(count["emitted"]), str(count["rejected"]))
    return table
