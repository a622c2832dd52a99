"""Going through all episodes that match, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator

from teleloom.catalog import Catalog, EpisodeFilter, EpisodeRow

ROWS_AT_ONCE = 1000


def all_rows(catalog: Catalog, filter: EpisodeFilter) -> Iterator[EpisodeRow]:
    """Every episode that matches, oldest first. What changes meanwhile may be missed or come twice."""
    offset = 0
    while rows := catalog.search(filter, sort="oldest", offset=offset, limit=ROWS_AT_ONCE).rows:
        yield from rows
        offset += len(rows)
