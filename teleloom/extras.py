"""Optional parts live in extras and are imported where they are used; this says how to get one that is missing."""

from __future__ import annotations

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """An optional package is not installed. The message names the command that installs it."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"'{module}' is not installed, and this needs it; run: pip install 'teleloom[{extra}]'", name=module
        )
        self.extra = extra


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or raise MissingExtraError naming the `extra` that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(module, extra) from None
