"""Numbers that lie on disk as columns, read through memory maps: what was found out about data once, kept for later.

A folder holds one raw little-endian file per column and `columns.json`, which names their types, shapes and texts. The
folder's name is a digest of everything that the content follows from, so a changed input never meets an old folder.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teleloom.files import write_json

Stamp = tuple[str, int, int]
"""Name, size and time of change of a file: what tells it from another content."""

_DOCUMENT = "columns.json"
_FORMAT = 2


class ColumnWriter:
    """Appends to columns; memory does not grow with them. Texts are kept once each and referred to by number."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._files: dict[str, BinaryIO] = {}
        self._columns: dict[str, dict[str, Any]] = {}
        self._texts: dict[str, int] = {}

    def add(self, name: str, rows: ArrayLike, dtype: str) -> None:
        """Append rows (N, ...) to the column `name`; every call must have the same dtype and row shape."""
        values = np.ascontiguousarray(np.asarray(rows), dtype=np.dtype(dtype).newbyteorder("<"))
        if name not in self._files:
            self._files[name] = self._stack.enter_context((self._folder / name).open("wb"))
            self._columns[name] = {"dtype": dtype, "shape": list(values.shape[1:]), "rows": 0}
        self._columns[name]["rows"] += len(values)
        values.tofile(self._files[name])

    def text(self, text: str) -> int:
        """The number of `text`."""
        return self._texts.setdefault(text, len(self._texts))

    def finish(self, **facts: Any) -> None:
        """Write the document. facts: further plain data, offered as `Columns.facts`."""
        document = {"columns": self._columns, "texts": list(self._texts), "facts": facts}
        write_json(self._folder / _DOCUMENT, document)


class Columns:
    """Columns of a finished folder. texts: by their numbers. facts: what the writer added."""

    def __init__(self, folder: Path) -> None:
        document = json.loads((folder / _DOCUMENT).read_text(encoding="utf-8"))
        self.texts: list[str] = document["texts"]
        self.facts: dict[str, Any] = document["facts"]
        self._arrays = {name: _mapped(folder / name, column) for name, column in document["columns"].items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Raises KeyError for a column that is not there."""
        return self._arrays[name]


def _mapped(path: Path, column: dict[str, Any]) -> NDArray[Any]:
    shape = (column["rows"], *column["shape"])
    dtype = np.dtype(column["dtype"]).newbyteorder("<")
    if 0 in shape:
        return np.empty(shape, dtype)
    array: NDArray[Any] = np.memmap(path, dtype, "r", shape=shape)
    return array


def cached(
    cache: Path, inputs: Iterable[bytes | str | int], write: Callable[[ColumnWriter], None]
) -> tuple[str, Columns]:
    """The columns that follow from `inputs`, and their digest: opened when they are in `cache`, else written by
    `write` first, as where a crash of the machine left only a part of them. Two processes may do so at the same time;
    one of the two equal results is kept."""
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in (_FORMAT, *inputs)]
    digest = sha256(b"".join(len(part).to_bytes(8, "little") + part for part in parts)).hexdigest()
    folder = cache / digest[:32]
    columns = _whole(folder)
    if columns is None:
        cache.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=cache))
        try:
            with ExitStack() as stack:
                write(ColumnWriter(temporary, stack))
            try:
                os.rename(temporary, folder)
            except OSError:
                if _whole(folder) is None:
                    shutil.rmtree(folder, ignore_errors=True)
                    os.rename(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        columns = Columns(folder)
    return digest, columns


def _whole(folder: Path) -> Columns | None:
    try:
        return Columns(folder)
    except (OSError, ValueError, KeyError):
        return None


def cache_folder() -> Path:
    """Where columns are kept unless a mixture says otherwise: `$XDG_CACHE_HOME/teleloom/mixture`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "teleloom" / "mixture"


def stamp(path: Path) -> Stamp:
    """The stamp of a file that is there."""
    status = path.stat()
    return path.name, status.st_size, status.st_mtime_ns
