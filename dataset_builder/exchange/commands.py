"""The commands `teleloom export` and `teleloom import`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from dataset_builder.exchange import formats

if TYPE_CHECKING:
    from dataset_builder.exchange.exporting.run import ExportReport
    from dataset_builder.exchange.report import ImportReport
    from teleloom.specs import RobotSpec

PARTLY = 3
"""Exit code: some episodes could not be taken along, the others were."""

SHOWN = 10
"""How many of the things that single episodes left behind are printed."""

_EXPORT_EXAMPLES = """\b
Examples:
  teleloom export station --to lerobot --name kitchen --out exported/kitchen
  teleloom export station --to aloha -c build.yaml --out exported/aloha --json
"""
_IMPORT_EXAMPLES = """\b
Examples:
  teleloom import datasets/kitchen/1.0.0 station
  teleloom import ~/tensorflow_datasets/bridge_dataset/1.0.0 station --operator berkeley
  teleloom import my_dataset/1.0.0 station --rate-hz 10 \\
      --map pose=observation/state[0:7]:xyz_quat --map gripper=observation/state[7]:opening
"""


@click.command(epilog=_EXPORT_EXAMPLES)
@click.argument("root", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--to", "target", type=click.Choice(formats.EXPORTED), required=True, help="The format.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder to make.")
@click.option("--name", help="Name of the dataset; the manifest's by default.")
@click.option("-c", "--config", type=click.Path(path_type=Path, dir_okay=False), help="The build manifest, YAML.")
@click.option("--catalog", "catalog_url", help="Database URL of the catalog; ROOT's own by default.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the format; repeatable.")
@click.option("--force", is_flag=True, help="Replace the folder if it exists.")
@click.option("--dry-run", is_flag=True, help="Say what would be exported, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
def export(
    root: Path,
    target: str,
    out: Path,
    name: str | None,
    config: Path | None,
    catalog_url: str | None,
    options: tuple[str, ...],
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Export the approved episodes of the station folder ROOT to the format of another project.

    What is selected, trimmed and filtered, the step rate, cameras and actions follow the build manifest, as with
    `teleloom build`. What the format has no place for is listed, and written to export.json.

    Exit code: 0 all went out, 3 some episodes are broken and the others went out (or, in a dry run, would go), 1
    nothing did, 2 wrong usage.
    """
    from dataset_builder.build.run import DatasetExistsError, NothingToBuildError
    from dataset_builder.commands.manifests import load_manifest, open_catalog
    from dataset_builder.commands.progress import progress_bar
    from dataset_builder.exchange.exporting.run import ExportOptionError, UnexportableError, export_dataset
    from dataset_builder.rules.filters import TaskErasedError
    from dataset_builder.source.select import select_episodes
    from teleloom.catalog import CatalogError
    from teleloom.config import ConfigError
    from teleloom.extras import MissingExtraError

    chosen = dict(_pair(option, "--option", "NAME=VALUE") for option in options)
    refusals = (ConfigError, CatalogError, ExportOptionError, UnexportableError, TaskErasedError, MissingExtraError)
    try:
        manifest = load_manifest(config, name, None)
        module = formats.exporter(target)
        with open_catalog(root, catalog_url) as catalog, progress_bar(hidden=as_json) as progress:
            selection = select_episodes(catalog, root, manifest.select)
            report = export_dataset(
                module, selection, manifest, out, chosen, force=force, dry_run=dry_run, progress=progress
            )
    except (*refusals, DatasetExistsError, NothingToBuildError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename or out}: {error.strerror or error}") from None
    for warning in report.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if broken := report.ledger.broken:
        left = "would be left out" if dry_run else "left out"
        click.echo(f"Warning: {broken} of {len(report.ledger.inputs)} episodes are broken and {left}", err=True)
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        _print_export(report)
    if broken:
        sys.exit(PARTLY)


@click.command(name="import", epilog=_IMPORT_EXAMPLES)
@click.argument("dataset", type=click.Path(path_type=Path, exists=True))
@click.argument("root", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from",
    "source",
    type=click.Choice(formats.IMPORTED),
    help="The format of DATASET; recognised by default.",
)
@click.option("--rate-hz", type=click.FloatRange(min=0, min_open=True), help="Steps a second, where it does not say.")
@click.option("--task", help="Name of the task that groups the episodes; made of the instruction by default.")
@click.option("--instruction", help="What to do, in words, as the first instruction of every episode.")
@click.option("--operator", help="Who drove, where the dataset does not say.")
@click.option("--scene", help="Where it was recorded: episodes of one scene can be kept in one split.")
@click.option(
    "--robot",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The robot, YAML; see docs/exchange.md.",
)
@click.option("--profile", help="A ready-made map: droid, libero, bridge or raw (RLDS).")
@click.option("--map", "mapped", multiple=True, metavar="OURS=THEIRS", help="Where one of ours is (RLDS); repeatable.")
@click.option("--jpeg-quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of pixels to encode.")
@click.option("--catalog", "catalog_url", help="Database URL of the catalog; ROOT's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
def import_(
    dataset: Path,
    root: Path,
    source: str | None,
    rate_hz: float | None,
    task: str | None,
    instruction: str | None,
    operator: str | None,
    scene: str | None,
    robot: Path | None,
    profile: str | None,
    mapped: tuple[str, ...],
    jpeg_quality: int,
    catalog_url: str | None,
    as_json: bool,
) -> None:
    """Import DATASET, of another project, into the station folder ROOT as episodes to review.

    ROOT is made if it is not there. An episode that ROOT has already is skipped, so the same command again completes
    what was interrupted. What could not be carried over is listed, and written to ROOT/imports.

    Exit code: 0 all is in, 3 some episodes could not be imported and the others are in, 1 nothing is, 2 wrong usage.
    """
    from dataset_builder.commands.progress import progress_bar
    from dataset_builder.exchange.importing.dataset import ForeignDatasetError, ImportOptions
    from dataset_builder.exchange.importing.run import import_dataset
    from teleloom.catalog import Catalog, CatalogError
    from teleloom.config import ConfigError
    from teleloom.extras import MissingExtraError

    entries = tuple(_pair(entry, "--map", "OURS=THEIRS") for entry in mapped)
    try:
        options = ImportOptions(
            rate_hz=rate_hz,
            robot=None if robot is None else _robot(robot),
            task=task,
            instruction=instruction,
            operator=operator,
            scene=scene,
            profile=profile,
            map=entries,
            jpeg_quality=jpeg_quality,
        )
        opened = formats.open_dataset(dataset, options, source)
        root.mkdir(parents=True, exist_ok=True)
        with Catalog.open(catalog_url or root, root) as catalog, progress_bar(hidden=as_json) as progress:
            report = import_dataset(opened, root, catalog, progress)
    except (ConfigError, CatalogError, ForeignDatasetError, MissingExtraError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        where = error.filename or root
        raise click.ClickException(f"{where}: {error.strerror or error}; what was imported until then stays") from None
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        _print_import(report)
    if not report.imported and not report.skipped:
        raise click.ClickException("nothing was imported: " + ("see above" if report.inputs else "it has no episodes"))
    if report.rejected:
        click.echo(f"Warning: {len(report.rejected)} of {len(report.inputs)} episodes could not be imported", err=True)
        sys.exit(PARTLY)


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise click.UsageError(f"{option} {text}: write it as {form}")
    return name, value


def _robot(path: Path) -> RobotSpec:
    from teleloom.config import load_yaml
    from teleloom.specs import RobotSpec

    return load_yaml(path, RobotSpec)


def _print_export(report: ExportReport) -> None:
    from dataset_builder.commands.rejections import print_rejected

    console = Console(markup=False, emoji=False)
    counts = report.ledger.to_json()["counts"]
    splits = ", ".join(f"{split} {count}" for split, count in report.splits.items())
    verb = "Would export" if report.dry_run else "Exported"
    emitted = f"{counts['emitted']} episodes ({splits}), {counts['steps']} steps"
    console.print(f"{verb} {report.path}: {emitted}", soft_wrap=True)
    if report.ledger.rejected:
        rejected = [(entry.episode_id, entry.reason, entry.detail) for entry in report.ledger.rejected]
        others = "--json names them all" if report.dry_run else f"all are in {report.path}/ledger.json"
        print_rejected(rejected, counts["inputs"], others)
    for note in report.notes:
        console.print(f"Note: {note}")
    for left in report.not_carried:
        console.print(f"Not carried over: {left.field}: {left.why}")


def _print_import(report: ImportReport) -> None:
    from dataset_builder.commands.rejections import print_rejected

    console = Console(markup=False, emoji=False)
    counts = report.to_json()["counts"]
    console.print(
        f"Imported {counts['imported']} of {counts['inputs']} episodes of {report.dataset} ({report.format}), "
        f"{counts['steps']} steps, into {report.root}; {counts['skipped']} were there, {counts['rejected']} rejected",
        soft_wrap=True,
    )
    for note in report.notes:
        console.print(f"Note: {note}")
    if report.rejected:
        rejected = [(entry.source, entry.reason, entry.detail) for entry in report.rejected]
        print_rejected(rejected, counts["inputs"], f"all are in {report.root}/imports")
    if report.not_carried:
        table = Table("field", "why", title="Not carried over")
        for left in report.not_carried:
            table.add_row(left.field, left.why)
        console.print(table)
    apart = Counter(name for entry in report.imported for name in entry.not_carried)
    for name, count in apart.most_common(SHOWN):
        console.print(f"Not carried over in {count} of them: {name}")
    if len(apart) > SHOWN:
        more = len(apart) - SHOWN
        console.print(f"… and {more} more; the whole report is in {report.root}/imports", soft_wrap=True)
    if report.imported:
        console.print(f"Review them: teleloom review {report.root}", soft_wrap=True)
