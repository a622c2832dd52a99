"""The Parquet files of a LeRobotDataset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.lerobot.layout import Place
from teleloom.extras import require

TASK_INDEX, TASK = "task_index", "__index_level_0__"
"""lerobot looks a task up in the index of a pandas table; this is what pandas calls one that has no name."""


def fixed_table(columns: Mapping[str, NDArray[Any]], pictures: Mapping[str, Sequence[bytes]]) -> Any:
    """A `pyarrow.Table` of columns (T,) and (T, D), and of encoded images as `datasets.Image` keeps them."""
    pa = require("pyarrow", "exchange")
    arrays = {name: _array(pa, values) for name, values in columns.items()}
    kind = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
    for name, frames in pictures.items():
        rows = [{"bytes": data, "path": f"frame-{i:06d}.jpg"} for i, data in enumerate(frames)]
        arrays[name] = pa.array(rows, type=kind)
    return pa.table(arrays)


def _array(pa: Any, values: NDArray[Any]) -> Any:
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    if values.ndim == 1 or values.shape[1] == 1:
        return flat
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


class TableFiles:
    """Tables of one schema appended below `root`, each a row group, to a file until it is full."""

    def __init__(self, root: Path, pattern: str, max_bytes: float, compression: str) -> None:
        self._root, self._pattern, self._max_bytes = root, pattern, max_bytes
        self._compression = compression
        self._place = Place()
        self._file: Any = None
        self._writer: Any = None

    def place_for(self, num_bytes: int) -> Place:
        """The file in which a table of this size goes; a new one where the last one is full."""
        if self._writer is not None and self._file.tell() + num_bytes > self._max_bytes:
            self.close()
            self._place = self._place.following()
        return self._place

    def append(self, table: Any) -> Place:
        """Write a table. Returns the file that has it."""
        pq = require("pyarrow.parquet", "exchange")
        place = self.place_for(table.nbytes)
        if self._writer is None:
            path = self._root / place.of(self._pattern)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")
            self._writer = pq.ParquetWriter(self._file, table.schema, compression=self._compression)
        self._writer.write_table(table)
        return place

    def close(self) -> None:
        """Finish the file at work, if there is one."""
        if self._writer is not None:
            self._writer.close()
            self._file.close()
        self._writer = self._file = None


class RowFiles:
    """Rows that all have the same keys, written a batch at a time. Where they have `place_keys`, those are filled in
    with the chunk and the file in which a row is."""

    BATCH = 64

    def __init__(self, files: TableFiles, place_keys: tuple[str, str] | None = None) -> None:
        self._files, self._place_keys = files, place_keys
        self._rows: list[dict[str, Any]] = []

    def append(self, row: dict[str, Any]) -> None:
        """Take in a row."""
        self._rows.append(row)
        if len(self._rows) == self.BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is left, and finish the file."""
        self._flush()
        self._files.close()

    def _flush(self) -> None:
        pa = require("pyarrow", "exchange")
        if self._rows and self._place_keys is not None:
            size = pa.Table.from_pylist(self._rows).nbytes
            place = self._files.place_for(size)
            chunk, file = self._place_keys
            self._rows = [{**row, chunk: place.chunk_index, file: place.file_index} for row in self._rows]
        if self._rows:
            self._files.append(pa.Table.from_pylist(self._rows))
        self._rows = []


def write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """Write `meta/tasks.parquet`, the texts as the index of a pandas table."""
    pa, pq = require("pyarrow", "exchange"), require("pyarrow.parquet", "exchange")
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({TASK_INDEX: np.arange(len(tasks), dtype=np.int64), TASK: pa.array(tasks, type=pa.string())})
    kinds = {TASK_INDEX: ("int64", "int64"), TASK: ("unicode", "object")}
    pandas = {
        "index_columns": [TASK],
        "column_indexes": [],
        "columns": [
            {
                "name": None if name == TASK else name,
                "field_name": name,
                "pandas_type": kind,
                "numpy_type": numpy_kind,
                "metadata": None,
            }
            for name, (kind, numpy_kind) in kinds.items()
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": None,
    }
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), path)
