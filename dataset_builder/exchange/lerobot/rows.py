"""The rows of a LeRobotDataset's Parquet files, an episode's at a time, however large the files' row groups are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from teleloom.extras import require

EPISODE = "episode_index"
BATCH_ROWS = 32
BUFFER_BYTES = 1024 * 1024


class EpisodeRows:
    """Rows of episodes, read on from where the last episode ended.

    A row group may be as large as a file: it is decoded a batch at a time, and never held whole. Episodes that are
    asked for in the order in which they lie are read in one pass; any other order costs a new one.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._batches: Iterator[Any] = iter(())
        self._pending: list[Any] = []

    def of(self, path: Path, columns: Sequence[str], episode: int, length: int) -> Any:
        """The `pyarrow.Table` of an episode, which lies in one piece. Raises ValueError where it has another length."""
        pa = require("pyarrow", "exchange")
        at_hand, self._path = self._path, None  # until it is known to be sound
        found = self._run(episode, length) if path == at_hand else []
        if not found:
            self._open(path, columns, episode)
            found = self._run(episode, length)
        self._path = path
        count = sum(batch.num_rows for batch in found)
        if count != length:
            raise MissingRowsError(count, length)
        return pa.Table.from_batches(found)

    def _run(self, episode: int, length: int) -> list[Any]:
        """The next rows of the episode, one more than `length` at most."""
        found: list[Any] = []
        count = 0
        while count <= length and (batch := self._next(is_needed=count < length)) is not None:
            own = np.flatnonzero(batch[EPISODE].to_numpy(zero_copy_only=False) == episode)
            if not len(own):
                if found:
                    self._pending.append(batch)
                    break
                continue
            first = int(own[0])
            if found and first:
                self._pending.append(batch)
                break
            breaks = np.flatnonzero(np.diff(own) != 1)
            end = int(own[breaks[0]] if len(breaks) else own[-1]) + 1
            found.append(batch.slice(first, end - first))
            count += end - first
            if end < batch.num_rows:
                self._pending.append(batch.slice(end))
                break
        return found

    def _next(self, is_needed: bool) -> Any:
        """Some more rows; None at the end, and where what follows is damaged and not needed."""
        if self._pending:
            return self._pending.pop()
        try:
            return next(self._batches, None)
        except OSError:
            if is_needed:
                raise
            return None

    def _open(self, path: Path, columns: Sequence[str], episode: int) -> None:
        """Begin with the first row group that may hold the episode."""
        pq = require("pyarrow.parquet", "exchange")
        self._pending = []
        table = pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
        there = set(table.schema_arrow.names)
        wanted = [name for name in dict.fromkeys((EPISODE, *columns)) if name in there]
        groups = range(_first_group(table.metadata, episode), table.metadata.num_row_groups)
        self._batches = (
            batch
            for group in groups  # each by itself, so that damage in one costs only the episodes in it
            for batch in table.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted, use_threads=False)
        )


class MissingRowsError(ValueError):
    """The table has another number of rows of an episode than `meta/episodes` says."""

    def __init__(self, count: int, length: int) -> None:
        super().__init__(f"{count} of its {length} frames are there" if count < length else f"more than {length} rows")


def _first_group(metadata: Any, episode: int) -> int:
    names = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
    column = names.index(EPISODE)
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(column).statistics
        if statistics is None or not statistics.has_min_max or statistics.min <= episode <= statistics.max:
            return group
    return 0


class DocumentRows:
    """Our documents about the episodes, by id. Ids are read once, documents by the row group that holds them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, tuple[int, int]] | None = None
        self._group = -1
        self._documents: list[str] = []

    def of(self, episode_id: str) -> str | None:
        """The document, None where there is none."""
        if not self._path.is_file():
            return None
        pq = require("pyarrow.parquet", "exchange")
        with pq.ParquetFile(self._path) as table:
            if self._places is None:
                self._places = {
                    str(identity): (group, row)
                    for group in range(table.metadata.num_row_groups)
                    for row, identity in enumerate(table.read_row_group(group, ["episode_id"])[0].to_pylist())
                }
            group, row = self._places.get(episode_id, (-1, -1))
            if group < 0:
                return None
            if group != self._group:
                self._documents = table.read_row_group(group, ["document"])[0].to_pylist()
                self._group = group
        return self._documents[row]
