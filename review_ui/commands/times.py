"""Times on the command line: seconds from the episode's start, as it is played."""

from __future__ import annotations

from teleloom.catalog import Catalog, EpisodeRow
from teleloom.clock import NS_PER_S
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import span_ns


def start_ns_of(catalog: Catalog, row: EpisodeRow) -> int:
    """When the episode begins, ns of its own clock. Raises BadEpisodeError where its file cannot be read."""
    with EpisodeReader(catalog.path_of(row)) as reader:
        return span_ns({name: reader.stream(name) for name in reader.stream_names})[0]


def at(start_ns: int, seconds: float) -> int:
    """`seconds` after the start, ns of the episode's clock."""
    return start_ns + round(seconds * NS_PER_S)
