"""What the catalog does not keep of an episode's file: where its time begins, and how its task is said."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from teleloom.catalog import Catalog, EpisodeRow
from teleloom.episode.meta import TaskInfo
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import is_required, span_ns


@dataclass(frozen=True)
class Recorded:
    """start_ns: the instant, CLOCK_MONOTONIC, from which times in HTTP documents count. task: as it was recorded."""

    start_ns: int
    task: TaskInfo


def recorded(catalog: Catalog, row: EpisodeRow) -> Recorded:
    """What the episode's file says. Raises BadEpisodeError when it cannot be read any more."""
    return _read(catalog.path_of(row), row.content_hash)


@lru_cache(maxsize=1024)
def _read(path: Path, content_hash: str) -> Recorded:
    """content_hash: only to tell a file from another that came in its place."""
    with EpisodeReader(path) as reader:
        start_ns, _ = span_ns({name: reader.stream(name) for name in reader.stream_names if is_required(name)})
        return Recorded(start_ns, reader.meta.task)
