"""The formats that can be imported and exported: a folder each, with an `importer.py`, an `exporter.py`, or both.

A format's module is loaded when it is used, so that naming them costs nothing.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dataset_builder.exchange.exporting.run import Exporter
    from dataset_builder.exchange.importing.dataset import ForeignDataset, Importer, ImportOptions

IMPORTED = ("rlds", "lerobot", "robomimic", "aloha", "droid")
"""In the order in which they are tried when nobody says which it is."""

EXPORTED = ("lerobot", "robomimic", "aloha")
MAPPED = ("rlds",)
"""Those whose keys differ from dataset to dataset, so that a map says where things are."""


def importer(name: str) -> Importer:
    """The importer of a format. Raises MissingExtraError when a package that it needs is not installed."""
    return cast("Importer", importlib.import_module(f"dataset_builder.exchange.{name}.importer"))


def exporter(name: str) -> Exporter:
    """The exporter of a format. Raises MissingExtraError when a package that it needs is not installed."""
    return cast("Exporter", importlib.import_module(f"dataset_builder.exchange.{name}.exporter"))


def detect(path: Path) -> str:
    """The format of the dataset at `path`. Raises ForeignDatasetError when none or several recognise it."""
    from dataset_builder.exchange.importing.dataset import ForeignDatasetError

    found = _recognising(path)
    if len(found) == 1:
        return found[0]
    if found:
        raise ForeignDatasetError(f"{path} looks like {' and like '.join(found)}; say which with --from")
    sought = "; ".join(f"{name}: {importer(name).LOOKS_FOR}" for name in IMPORTED)
    raise ForeignDatasetError(f"{path} is no dataset that is known here. Looked for {sought}. Say which with --from")


def open_dataset(path: Path, options: ImportOptions, name: str | None = None) -> ForeignDataset:
    """The dataset at `path`, of the format `name` or of the one that it looks like. Raises ForeignDatasetError, and
    MissingExtraError."""
    from dataset_builder.exchange.importing.dataset import ForeignDatasetError

    if name is not None and (others := _recognising(path)) and name not in others:
        raise ForeignDatasetError(f"{path} is no dataset of {name}, it looks like {others[0]}; leave --from out")
    name = name or detect(path)
    if name not in MAPPED and (options.map or options.profile):
        raise ForeignDatasetError(f"a dataset of {name} says itself what is what: leave --map and --profile out")
    return importer(name).open_dataset(path, options)


def _recognising(path: Path) -> list[str]:
    return [name for name in IMPORTED if importer(name).recognises(path)]
