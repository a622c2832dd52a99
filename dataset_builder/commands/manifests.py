"""The manifest and the station that a command line asks for."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import ValidationError

from dataset_builder.manifest import BuildManifest
from teleloom.catalog import Catalog
from teleloom.catalog.catalog import FILE_NAME
from teleloom.config import ConfigError, describe, load_yaml
from teleloom.episode.layout import EPISODES_FOLDER


def load_manifest(config: Path | None, name: str | None, version: str | None) -> BuildManifest:
    """The manifest in the file `config`, or the defaults; `name` and `version` override what it says.

    Raises click.UsageError when neither names a dataset, ConfigError when it cannot be used.
    """
    given = load_yaml(config, BuildManifest).model_dump() if config else {}
    if not name and not given:
        raise click.UsageError("give the dataset a --name, or a manifest with -c")
    overrides = {key: value for key, value in (("name", name), ("version", version)) if value}
    try:
        return BuildManifest.model_validate(given | overrides)
    except ValidationError as error:
        raise ConfigError(f"the build cannot be made so:\n{describe(error, BuildManifest)}") from None


def open_catalog(root: Path, url: str | None) -> Catalog:
    """The catalog at `url`, or the one of the station folder `root`.

    Raises click.UsageError for a folder that is no station's, which would get an empty catalog otherwise.
    """
    if url is None and not any((root / name).exists() for name in (FILE_NAME, EPISODES_FOLDER)):
        raise click.UsageError(f"{root} is no station folder: it has no {EPISODES_FOLDER}/; name the folder that has")
    return Catalog.open(url or root, root)
