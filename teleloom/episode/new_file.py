"""A new HDF5 file, on a disk that may be full."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@contextmanager
def new_hdf5(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """Yield a new HDF5 file to be written, and what raises OSError as soon as the disk has refused a write.

    The end of the block raises it too; whoever writes much asks in between, lest it be for nothing. What is at `path`
    is useless then.
    """
    with _Disk(path, "w+b") as disk:
        try:
            with h5py.File(disk, "w") as file:
                yield file, disk.check
        except Exception:
            disk.check()  # HDF5 may have stumbled over what is not there.
            raise
        disk.check()


class _Disk(io.FileIO):
    """The file below HDF5, which is not told that a write has failed: from then on everything is dropped.

    HDF5 keeps what it could not write, and tries again when the file is closed and when the process ends. When that
    fails too, it takes the process down.
    """

    fault: OSError | None = None

    def check(self) -> None:
        if self.fault is not None:
            raise self.fault

    def write(self, data: ReadableBuffer) -> int:
        rest = memoryview(data).cast("B")
        count = len(rest)
        try:
            while rest and self.fault is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.fault = error
        return count

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size) if self.fault is None else size or 0
        except OSError as error:
            self.fault = error
            return size or 0
