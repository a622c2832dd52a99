"""Configuration: pydantic models read from one YAML file, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

ConfigT = TypeVar("ConfigT", bound="Config")


class Config(BaseModel):
    """Base of every room's configuration: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ConfigError(ValueError):
    """A configuration file that cannot be used. The message names the file, each wrong key and what is allowed."""


def load_yaml(path: Path, model: type[ConfigT]) -> ConfigT:
    """Read `path` as a `model`. Raises ConfigError with one line per fault."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration {path}: {error.strerror}") from None
    # A date that is none, such as 2026-13-01, is a plain ValueError.
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    try:
        return model.model_validate({} if data is None else data)
    except ValidationError as error:
        raise ConfigError(f"{path} cannot be used:\n{describe(error, model)}") from None


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """One line per fault: where it is, what is wrong, and the keys that exist there if the key is unknown."""
    lines = []
    for fault in error.errors(include_url=False):
        where = ".".join(str(part) for part in fault["loc"]) or "(top level)"
        line = f"  {where}: {fault['msg'].removeprefix('Value error, ')}"
        if fault["type"] == "extra_forbidden":
            line = f"  {where}: unknown key; known here: {', '.join(_keys_at(model, fault['loc'][:-1]))}"
        lines.append(line)
    return "\n".join(lines)


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    current: type[BaseModel] = model
    for part in location:
        field = current.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ["(see the documentation)"]
        current = annotation
    return sorted(current.model_fields)
