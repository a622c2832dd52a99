"""The manifest that a command line asks for."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import ValidationError

from dataset_builder.manifest import BuildManifest
from teleloom.config import ConfigError, describe, load_yaml


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
