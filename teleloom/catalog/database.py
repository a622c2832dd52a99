"""Opening the catalog's database: connection settings, the one schema version, and transactions that write."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import ArgumentError, OperationalError

from teleloom.catalog.entries import derive_all
from teleloom.catalog.errors import CatalogError
from teleloom.extras import require

SQLITE_BUSY_TIMEOUT_MS = 60_000
_MIGRATION_LOCK = 0x74656C65


class Database:
    """An engine with the schema brought up to date. `read` and `write` give one transaction each."""

    def __init__(self, url: str | URL) -> None:
        self._engine = _engine(url)
        isolation = {"isolation_level": "REPEATABLE READ"} if self._engine.dialect.name == "postgresql" else {}
        self._reading = self._engine.execution_options(**isolation)
        self._writing = self._engine.execution_options(sqlite_begin="IMMEDIATE")
        self._noting = self._writing.execution_options(sqlite_synchronous="NORMAL")
        file = self._engine.url.database if self._engine.dialect.name == "sqlite" else None
        self._turns = Path(f"{file}-turn") if file else None
        try:
            with self._turn(), self._engine.connect():
                pass  # SQLite will not wait for a lock to turn a new file to WAL: one process at a time.
            self._migrate()
        except (OperationalError, OSError) as error:
            self.close()
            where = self._engine.url.render_as_string(hide_password=True)
            why = error.orig if isinstance(error, OperationalError) else error.strerror
            raise CatalogError(f"cannot open the catalog {where}: {why}") from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The database as of one moment, for SELECT."""
        with self._reading.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed when the block ends well. In SQLite it has the write lock from the start."""
        with self._turn(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def note(self) -> Iterator[Connection]:
        """As `write`, for what a power cut may undo, such as a lease: SQLite does not wait for the disk."""
        with self._turn(), self._noting.begin() as connection:
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait in line for SQLite's one write lock.

        SQLite itself polls for it, ever more rarely: with 16 writers it lies idle most of the time. The kernel wakes
        the next one at once, and passes the turn on when a process dies.
        """
        if self._turns is None:
            yield
            return
        turn = os.open(self._turns, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield
        finally:
            os.close(turn)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _migrate(self) -> None:
        config = AlembicConfig()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        known = ScriptDirectory.from_config(config)
        with self.read() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        if current == known.get_current_head():
            return
        if current is not None and current not in {script.revision for script in known.walk_revisions()}:
            raise CatalogError(f"the catalog has schema {current}, made by a newer version; update teleloom")
        with self._writing.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            derive_all(connection)


class _HintingCompiler(SQLiteCompiler):
    """Puts the hints of `with_hint`, such as INDEXED BY, behind the table: SQLAlchemy leaves them out for SQLite."""

    def get_from_hint_text(self, table: object, text: str | None) -> str | None:
        return text


def _engine(url: str | URL) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise CatalogError(f"{url} is neither a folder nor a database URL such as postgresql://host/teleloom") from None
    if parsed.get_backend_name() == "postgresql":
        require("psycopg", "postgres")
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if parsed.get_backend_name() != "sqlite":
        raise CatalogError(f"the catalog knows SQLite and PostgreSQL, not {parsed.get_backend_name()}")
    engine = create_engine(parsed)
    engine.dialect.statement_compiler = _HintingCompiler
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, record: object) -> None:
    # The driver's own BEGIN comes too late for a consistent view; `_begin_sqlite` says it instead.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA synchronous = {options.get('sqlite_synchronous', 'FULL')}")
    connection.exec_driver_sql(f"BEGIN {options.get('sqlite_begin', 'DEFERRED')}")
