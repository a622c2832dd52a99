"""A few episode files kept open: a player that steps asks for three frames of the same file at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from teleloom.episode.reader import BadEpisodeError, EpisodeReader

MOST_OPEN = 4

FileKey = tuple[str, int, int]


def file_key(path: Path) -> FileKey:
    """What changes when a file does: its path, time of change in ns and size. Raises BadEpisodeError without one."""
    try:
        status = path.stat()
    except OSError as error:
        raise BadEpisodeError(
            path, f"cannot be read: {error.strerror}", "put it back, or run `teleloom review rescan ROOT`"
        ) from None
    return str(path), status.st_mtime_ns, status.st_size


@dataclass
class _Open:
    """One file: how many use it now, and its reader with what the file was when that was opened."""

    users: int = 0
    reader: EpisodeReader | None = None
    key: FileKey | None = None
    lock: Lock = field(default_factory=Lock)

    def read(self, path: Path, key: FileKey) -> EpisodeReader:
        """The reader of the file as it is now. Raises BadEpisodeError."""
        if self.reader is None or self.key != key:
            self.close()  # first: HDF5 answers from what it has open when the same file is opened again
            self.reader, self.key = EpisodeReader(path), key
        return self.reader

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()
        self.reader = None


class OpenReaders:
    """Readers of episode files, shared by threads; one thread at a time reads a file. At most MOST_OPEN stay open."""

    def __init__(self, most_open: int = MOST_OPEN) -> None:
        self._most_open = most_open
        self._files: OrderedDict[Path, _Open] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def reading(self, path: Path) -> Iterator[EpisodeReader]:
        """Yield the reader of `path` for as long as the block lasts. Raises BadEpisodeError."""
        with self._lock:
            file = self._files.setdefault(path, _Open())
            self._files.move_to_end(path)
            file.users += 1
        try:
            with file.lock:
                yield file.read(path, file_key(path))
        finally:
            with self._lock:
                file.users -= 1
                self._close_surplus()

    def _close_surplus(self) -> None:
        surplus = max(0, len(self._files) - self._most_open)
        for path in [path for path, file in self._files.items() if not file.users][:surplus]:
            self._files.pop(path).close()
