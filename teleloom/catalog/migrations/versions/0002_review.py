"""Reviewing by several people: planned overlap, verdicts with their time, search, ranking.

The columns and tables that are derived from the annotation events are made with stand-ins here; whoever runs the
migrations fills them by the rules of the newest version (see `teleloom.catalog.derived`).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SEARCH = (
    *("task", "robot", "station", "operator", "status", "outcome_now", "quality_verdict", "decided_by"),
    *("segments", "reviewers_wanted", "risk", "created_wall_ns", "duration_ns", "decided_wall_ns", "id"),
)
# INSERT OR REPLACE deletes without firing a trigger, by either of the two unique keys.
_SQLITE_NO_REPLACE = """
    CREATE TRIGGER annotation_events_no_replace BEFORE INSERT ON annotation_events
    WHEN EXISTS (
        SELECT 1 FROM annotation_events
        WHERE (episode_id = NEW.episode_id AND revision = NEW.revision) OR operation = NEW.operation
    )
    BEGIN SELECT RAISE(ABORT, 'annotation events are append-only'); END
"""


def upgrade() -> None:
    _move_reports()
    for column in _derived_columns():
        op.add_column("episodes", column)
    op.create_index("episodes_by_time", "episodes", ["created_wall_ns", "id"])
    op.create_index("episodes_by_duration", "episodes", ["duration_ns", "id"])
    op.create_index("episodes_by_decision", "episodes", ["decided_wall_ns", "id"])
    op.create_index("episodes_by_risk", "episodes", [sa.text("risk DESC"), "id"])
    op.create_index("episodes_queue", "episodes", ["status", sa.text("risk DESC"), "id"])
    op.create_index("episodes_search", "episodes", list(_SEARCH))
    _make_derived_tables()
    _give_events_an_operation()
    _let_several_hold_a_lease()


def _derived_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("instructions", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("quality_verdict", sa.Text, nullable=True),
        sa.Column("risk", sa.Float, nullable=False, server_default="-1"),
        sa.Column("score", sa.Integer, nullable=True),
        sa.Column("outcome_now", sa.String(16), nullable=False, server_default="unknown"),
        sa.Column("instruction_now", sa.Text, nullable=False, server_default=""),
        sa.Column("decided_by", sa.Text, nullable=True),
        sa.Column("decided_wall_ns", sa.BigInteger, nullable=False, server_default="-1"),
        sa.Column("reviewers_wanted", sa.Integer, nullable=False, server_default="1"),
        sa.Column("opinions", sa.Integer, nullable=False, server_default="0"),
        sa.Column("segments", sa.Integer, nullable=False, server_default="0"),
        sa.Column("flags", sa.Integer, nullable=False, server_default="0"),
        sa.Column("tags", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("trim_start_ns", sa.BigInteger, nullable=True),
        sa.Column("trim_end_ns", sa.BigInteger, nullable=True),
        sa.Column("search_text", sa.Text, nullable=False, server_default=""),
    ]


def _move_reports() -> None:
    op.create_table(
        "reports",
        sa.Column("episode_id", sa.String(64), sa.ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("quality", sa.JSON, nullable=True),
        sa.Column("risks", sa.JSON, nullable=False),
    )
    op.execute("INSERT INTO reports (episode_id, quality, risks) SELECT id, quality, '[]' FROM episodes")
    op.execute("ALTER TABLE episodes DROP COLUMN quality")


def _make_derived_tables() -> None:
    op.create_table(
        "labels",
        sa.Column("episode_id", sa.String(64), sa.ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("label", sa.Text, primary_key=True),
    )
    op.create_index("labels_by_label", "labels", ["kind", "label", "episode_id"])
    op.create_table(
        "verdicts",
        sa.Column("episode_id", sa.String(64), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("wall_ns", sa.BigInteger, nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("spent_s", sa.Float, nullable=True),
        sa.Column("final", sa.Boolean, nullable=False),
        sa.Column("score", sa.Integer, nullable=True),
        sa.Column("standing", sa.Boolean, nullable=False),
        sa.Column("overturned", sa.Boolean, nullable=False),
    )
    op.create_index("verdicts_by_author", "verdicts", ["author", "wall_ns"])
    op.create_index("verdicts_by_time", "verdicts", ["wall_ns"])


def _give_events_an_operation() -> None:
    op.add_column("annotation_events", sa.Column("operation", sa.Text, nullable=True))
    op.create_index("annotation_events_by_operation", "annotation_events", ["operation"], unique=True)
    op.create_index("annotation_events_by_author", "annotation_events", ["author", "wall_ns"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER annotation_events_no_replace")
        op.execute(_SQLITE_NO_REPLACE)


def _let_several_hold_a_lease() -> None:
    held = op.get_bind().execute(sa.text("SELECT episode_id, holder, expires_wall_ns FROM leases")).mappings().all()
    op.drop_table("leases")
    leases = op.create_table(
        "leases",
        sa.Column("episode_id", sa.String(64), sa.ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("holder", sa.Text, primary_key=True),
        sa.Column("expires_wall_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("leases_by_holder", "leases", ["holder"])
    op.bulk_insert(leases, [dict(lease) for lease in held])
