"""The catalog's tables, the same for SQLite and PostgreSQL. Triggers and changes over time are in the migrations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData()


class _LastWhenAbsent(TypeDecorator[Any]):
    """A number that sorts below all others where there is none: the databases differ on where NULL sorts."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return -1 if value is None else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value == -1 else value


class Risk(_LastWhenAbsent):
    """A risk from 0 to 1, or none."""

    impl = Float
    cache_ok = True


class Moment(_LastWhenAbsent):
    """A time in ns since the Unix epoch, or none."""

    impl = BigInteger
    cache_ok = True


# What the episode files say, and from `status` on what the annotation events add up to; can be rebuilt from both.
# Narrow on purpose: a search reads it from end to end, so what is long lies in `reports`.
episodes = Table(
    "episodes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("path", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("station", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("robot", Text, nullable=False),
    Column("instruction", Text, nullable=False),
    Column("created_wall_ns", BigInteger, nullable=False),
    Column("duration_ns", BigInteger, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("success_check", Boolean, nullable=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("instructions", JSON, nullable=False),
    Column("quality_verdict", Text, nullable=True),
    Column("risk", Risk, nullable=False),
    Column("score", Integer, nullable=True),
    Column("outcome_now", String(16), nullable=False),
    Column("instruction_now", Text, nullable=False),
    Column("decided_by", Text, nullable=True),
    Column("decided_wall_ns", Moment, nullable=False),
    Column("reviewers_wanted", Integer, nullable=False),
    Column("opinions", Integer, nullable=False),
    Column("segments", Integer, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("trim_start_ns", BigInteger, nullable=True),
    Column("trim_end_ns", BigInteger, nullable=True),
    Column("search_text", Text, nullable=False),
)
Index("episodes_by_status", episodes.c.status, episodes.c.created_wall_ns)
Index("episodes_by_task", episodes.c.task, episodes.c.created_wall_ns)
Index("episodes_by_time", episodes.c.created_wall_ns, episodes.c.id)
Index("episodes_by_duration", episodes.c.duration_ns, episodes.c.id)
Index("episodes_by_decision", episodes.c.decided_wall_ns, episodes.c.id)
Index("episodes_by_risk", episodes.c.risk.desc(), episodes.c.id)
Index("episodes_queue", episodes.c.status, episodes.c.risk.desc(), episodes.c.id)
# Holds every column that a search can filter or sort by, so that it need not read the rows.
Index(
    "episodes_search",
    *(
        episodes.c[name]
        for name in ("task", "robot", "station", "operator", "status", "outcome_now", "quality_verdict", "decided_by")
    ),
    *(episodes.c[name] for name in ("segments", "reviewers_wanted", "risk", "created_wall_ns", "duration_ns")),
    *(episodes.c[name] for name in ("decided_wall_ns", "id")),
)

# The long part of an episode's row: what was measured on it, and why it ranks where it does.
reports = Table(
    "reports",
    metadata,
    Column("episode_id", String(64), ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
    Column("quality", JSON(none_as_null=True), nullable=True),
    Column("risks", JSON, nullable=False),
)

# The words to find an episode by: its tags, and the labels of its flags. Derived from the annotation events.
labels = Table(
    "labels",
    metadata,
    Column("episode_id", String(64), ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("label", Text, primary_key=True),
    Index("labels_by_label", "kind", "label", "episode_id"),
)

# Append-only, kept by triggers. No foreign key: what was said outlives a file that was moved away.
annotation_events = Table(
    "annotation_events",
    metadata,
    Column("episode_id", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("author", Text, nullable=False),
    Column("wall_ns", BigInteger, nullable=False),
    Column("annotation", JSON, nullable=False),
    Column("operation", Text, nullable=True),
    Index("annotation_events_by_operation", "operation", unique=True),
    Index("annotation_events_by_author", "author", "wall_ns"),
)

# One row per verdict that was given. Derived from the annotation events, and like them kept without the file.
verdicts = Table(
    "verdicts",
    metadata,
    Column("episode_id", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("author", Text, nullable=False),
    Column("wall_ns", BigInteger, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("spent_s", Float, nullable=True),
    Column("final", Boolean, nullable=False),
    Column("score", Integer, nullable=True),
    Column("standing", Boolean, nullable=False),
    Column("overturned", Boolean, nullable=False),
    Index("verdicts_by_author", "author", "wall_ns"),
    Index("verdicts_by_time", "wall_ns"),
)

leases = Table(
    "leases",
    metadata,
    Column("episode_id", String(64), ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("expires_wall_ns", BigInteger, nullable=False),
    Index("leases_by_holder", "holder"),
)

builds = Table(
    "builds",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("path", Text, nullable=False),
    Column("lock", JSON, nullable=False),
    Column("created_wall_ns", BigInteger, nullable=False),
)
