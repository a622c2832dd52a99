"""From what a query finds to the records that the catalog answers with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select

from teleloom.config import ConfigT


def read_records(connection: Connection, query: Select[Any], model: type[ConfigT]) -> list[ConfigT]:
    """What the query finds, as records whose fields are its columns."""
    found = connection.execute(query)
    names = tuple(found.keys())  # A mapping of each row would look every name up again.
    return [model.model_validate(dict(zip(names, row, strict=True))) for row in found]
