"""Runs the migrations on the connection that `teleloom.catalog.database` hands over."""

from __future__ import annotations

from alembic import context

from teleloom.catalog.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
