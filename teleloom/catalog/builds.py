"""The datasets that were built, each version once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from teleloom.catalog.database import Database
from teleloom.catalog.errors import BuildConflictError
from teleloom.catalog.records import read_records
from teleloom.catalog.rows import BuildRow
from teleloom.catalog.tables import builds


def record(database: Database, row: BuildRow) -> BuildRow:
    """Enter the build; the same again changes nothing. Raises BuildConflictError for another under its version."""
    try:
        with database.write() as connection:
            connection.execute(insert(builds).values(row.model_dump()))
    except IntegrityError:
        with database.read() as connection:
            known = next(build for build in every(connection) if (build.name, build.version) == (row.name, row.version))
        if _contents(known.lock) != _contents(row.lock):
            raise BuildConflictError(
                f"{row.name} {row.version} was built already, from other episodes or settings; give it a new version"
            ) from None
        return known
    return row


def every(connection: Connection) -> list[BuildRow]:
    """All builds, oldest first."""
    query = select(builds).order_by(builds.c.created_wall_ns, builds.c.name, builds.c.version)
    return read_records(connection, query, BuildRow)


def _contents(lock: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in lock.items() if key != "source"}
