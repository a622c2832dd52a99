"""Writing files so that a reader finds the old content or the new, never half of it; and JSON that never varies."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_writer(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` (hidden, ending in `.tmp`, not created yet) to be written by the caller.

    When the block ends well the temporary file becomes `path`, and file and folder are synced to the disk before this
    returns. When the block raises, the temporary file is removed, `path` stays as it was, and the error goes on.
    Raises FileNotFoundError when the folder does not exist or nothing was written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        sync_file(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Write `data` as the whole content of `path`, or leave `path` as it was."""
    with atomic_writer(path) as temporary:
        temporary.write_bytes(data)


def dumps_json(obj: Any) -> str:
    """JSON with sorted keys, two spaces of indent and a newline at the end: equal values give equal text.

    Raises ValueError for NaN and infinity, which JSON does not have, and TypeError for what is not plain data.
    """
    return json.dumps(obj, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, obj: Any) -> None:
    """Write `obj` as deterministic JSON (see dumps_json), atomically."""
    atomic_write_bytes(path, dumps_json(obj).encode())


def free_bytes(path: Path) -> int:
    """Bytes that may still be written to the disk that holds `path`, which need not exist yet."""
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(existing).free


def sync_file(path: Path) -> None:
    """Push a file's content to the disk, so that it survives a power cut."""
    _fsync(path)


def sync_folder(path: Path) -> None:
    """Push a folder's entries to the disk: what was made, renamed or removed in it survives a power cut."""
    _fsync(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
