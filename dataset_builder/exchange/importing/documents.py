"""JSON documents that anybody may have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dataset_builder.exchange.importing.dataset import ForeignDatasetError

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024


def read_document(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ForeignDatasetError when it is none, or too large."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT_BYTES + 1)
        if len(data) > MAX_DOCUMENT_BYTES:
            raise ForeignDatasetError(f"{path} is larger than {MAX_DOCUMENT_BYTES} bytes")
        document = json.loads(data)
    except RecursionError:
        raise ForeignDatasetError(f"{path} is nested too deeply") from None
    except OSError as error:
        raise ForeignDatasetError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        if isinstance(error, ForeignDatasetError):
            raise
        raise ForeignDatasetError(f"{path} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise ForeignDatasetError(f"{path} is no JSON object")
    return document
