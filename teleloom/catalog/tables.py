"""The catalog's tables, the same for SQLite and PostgreSQL. Triggers and changes over time are in the migrations."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

# Derived from the episode files, and `status` and `revision` from the annotation events; can be rebuilt from both.
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
    Column("quality", JSON(none_as_null=True), nullable=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Index("episodes_by_status", "status", "created_wall_ns"),
    Index("episodes_by_task", "task", "created_wall_ns"),
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
)

leases = Table(
    "leases",
    metadata,
    Column("episode_id", String(64), ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_wall_ns", BigInteger, nullable=False),
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
