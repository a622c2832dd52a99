"""The formats that can be imported and exported, each loaded when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from dataset_builder.exchange.exporting import ExportReport
from dataset_builder.exchange.report import ForeignDatasetError, Importer, Progress
from dataset_builder.manifest import BuildManifest
from dataset_builder.source.candidates import Selection


class Exporter(Protocol):
    """A module that writes a format. EXPORT_OPTIONS: its own options, and what each can be, the default first."""

    EXPORT_OPTIONS: Mapping[str, tuple[str, ...]]

    def export(
        self,
        selection: Selection,
        manifest: BuildManifest,
        out: Path,
        options: Mapping[str, str],
        *,
        force: bool,
        dry_run: bool = False,
        progress: Progress,
    ) -> ExportReport:
        """Write the dataset as the folder `out`, whole or not at all; in a dry run, say what would be. Raises
        ExportOptionError for a wrong option."""
        ...


IMPORTERS = {
    "rlds": "dataset_builder.exchange.rlds.importer",
    "lerobot": "dataset_builder.exchange.lerobot.importer",
    "robomimic": "dataset_builder.exchange.robomimic",
    "aloha": "dataset_builder.exchange.aloha",
    "droid": "dataset_builder.exchange.droid",
}
"""In the order in which they are tried when nobody says which it is."""

EXPORTERS = {
    "lerobot": "dataset_builder.exchange.lerobot.exporter",
    "robomimic": "dataset_builder.exchange.robomimic",
    "aloha": "dataset_builder.exchange.aloha",
}


def importer(name: str) -> Importer:
    """The importer of a format. Raises MissingExtraError when a package that it needs is not installed."""
    return cast(Importer, importlib.import_module(IMPORTERS[name]))


def exporter(name: str) -> Exporter:
    """The exporter of a format. Raises MissingExtraError when a package that it needs is not installed."""
    return cast(Exporter, importlib.import_module(EXPORTERS[name]))


def detect(path: Path) -> str:
    """The format of the dataset at `path`. Raises ForeignDatasetError when none or several recognise it."""
    found = [name for name in IMPORTERS if importer(name).recognises(path)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ForeignDatasetError(f"{path} looks like {' and like '.join(found)}; say which with --from")
    sought = "; ".join(f"{name}: {importer(name).LOOKS_FOR}" for name in IMPORTERS)
    raise ForeignDatasetError(f"{path} is no dataset that is known here. Looked for {sought}. Say which with --from")
