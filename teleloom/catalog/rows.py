"""What the catalog answers with: an episode, a lease, a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from teleloom.catalog.view import Status
from teleloom.config import Config
from teleloom.episode.meta import Outcome
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import span_ns


class EpisodeRow(Config):
    """One episode as the catalog knows it.

    path: relative to the root where the file lies under it, with forward slashes. content_hash: SHA-256 of the
    streams, hex. instruction: the one spoken to the operator. outcome: as the operator marked it; quality: the verdict
    that the recorder gave, if any. status and revision: of the annotations. Times in ns; size of the file in bytes.
    """

    id: str
    path: str
    content_hash: str
    station: str
    operator: str
    task: str
    robot: str
    instruction: str
    created_wall_ns: int
    duration_ns: int
    steps: int
    outcome: Outcome
    success_check: bool | None
    quality: dict[str, Any] | None
    size_bytes: int
    status: Status = "unreviewed"
    revision: int = 0


class Lease(Config):
    """The right of one person to work on an episode until `expires_wall_ns`, ns since the Unix epoch."""

    episode_id: str
    holder: str
    expires_wall_ns: int


class BuildRow(Config):
    """A dataset that was built. lock: what went into it, as the builder recorded it."""

    name: str
    version: str
    path: str
    lock: dict[str, Any]
    created_wall_ns: int


def read_row(path: Path, root: Path | None, quality: dict[str, Any] | None) -> EpisodeRow:
    """The row of an episode file. Raises BadEpisodeError when it is no sound episode."""
    with EpisodeReader(path) as reader:
        meta, steps = reader.meta, len(reader.steps())
        start_ns, end_ns = span_ns({name: reader.stream(name) for name in reader.stream_names})
        return EpisodeRow(
            id=meta.episode_id,
            path=stored_path(path, root),
            content_hash=reader.content_hash(),
            station=meta.station,
            operator=meta.operator,
            task=meta.task.name,
            robot=meta.robot.name,
            instruction=meta.task.spoken,
            created_wall_ns=meta.anchor.wall_ns,
            duration_ns=end_ns - start_ns,
            steps=steps,
            outcome=meta.outcome,
            success_check=meta.success_check,
            quality=quality,
            size_bytes=path.stat().st_size,
        )


def stored_path(path: Path, root: Path | None) -> str:
    """`path` relative to `root` where it lies under it, so that the whole root can be moved; otherwise absolute."""
    absolute = path.absolute()
    if root is not None and absolute.is_relative_to(root.absolute()):
        absolute = absolute.relative_to(root.absolute())
    return absolute.as_posix()
