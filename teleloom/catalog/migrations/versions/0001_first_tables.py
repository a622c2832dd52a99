"""The first tables, and triggers that keep the annotation events append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER annotation_events_no_update BEFORE UPDATE ON annotation_events
    BEGIN SELECT RAISE(ABORT, 'annotation events are append-only'); END
    """,
    """
    CREATE TRIGGER annotation_events_no_delete BEFORE DELETE ON annotation_events
    BEGIN SELECT RAISE(ABORT, 'annotation events are append-only'); END
    """,
    # INSERT OR REPLACE deletes without firing the trigger above.
    """
    CREATE TRIGGER annotation_events_no_replace BEFORE INSERT ON annotation_events
    WHEN EXISTS (SELECT 1 FROM annotation_events WHERE episode_id = NEW.episode_id AND revision = NEW.revision)
    BEGIN SELECT RAISE(ABORT, 'annotation events are append-only'); END
    """,
)
_POSTGRESQL_TRIGGERS = (
    """
    CREATE FUNCTION annotation_events_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'annotation events are append-only'; END $$
    """,
    """
    CREATE TRIGGER annotation_events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON annotation_events
    FOR EACH STATEMENT EXECUTE FUNCTION annotation_events_append_only()
    """,
)


def upgrade() -> None:
    op.create_table(
        "episodes",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("station", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("robot", sa.Text, nullable=False),
        sa.Column("instruction", sa.Text, nullable=False),
        sa.Column("created_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("duration_ns", sa.BigInteger, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("success_check", sa.Boolean, nullable=True),
        sa.Column("quality", sa.JSON, nullable=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_index("episodes_by_status", "episodes", ["status", "created_wall_ns"])
    op.create_index("episodes_by_task", "episodes", ["task", "created_wall_ns"])
    op.create_table(
        "annotation_events",
        sa.Column("episode_id", sa.String(64), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("wall_ns", sa.BigInteger, nullable=False),
        sa.Column("annotation", sa.JSON, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("episode_id", sa.String(64), sa.ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("expires_wall_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "builds",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("lock", sa.JSON, nullable=False),
        sa.Column("created_wall_ns", sa.BigInteger, nullable=False),
    )
    dialect = op.get_bind().dialect.name
    for statement in _SQLITE_TRIGGERS if dialect == "sqlite" else _POSTGRESQL_TRIGGERS:
        op.execute(statement)
