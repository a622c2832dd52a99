"""Finished shards on their way into a dataset, each under the key of what it is made of.

They lie beside the version that is being built, so that a build that was killed is taken up where it stopped, and two
builds of one version at the same time do no harm: under the same key both write the same bytes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from dataset_builder.build.work import ShardResult
from dataset_builder.location import is_local, key_of, make_folder, sizes_of, store_of

SHARD_SUFFIX = ".tfrecord"
RESULT_SUFFIX = ".json"
_FOLDER_SUFFIX = ".parts"


@contextmanager
def parts_of(final: Path) -> Iterator[Path]:
    """The folder of parts of the version that is to be `final`. When the block ends well it is removed, unless another
    build still uses it; when the block raises, the parts stay for the next build."""
    folder = final.parent / f".{final.name}{_FOLDER_SUFFIX}"
    if not is_local(folder):
        make_folder(final.parent)
        make_folder(folder)
        yield folder
        with suppress(FileNotFoundError):  # A folder of a store is there while something is in it.
            store_of(folder).rm(key_of(folder), recursive=True)
        return
    descriptor = _shared(folder)
    try:
        yield folder
        if _alone(descriptor):
            shutil.rmtree(folder)
    finally:
        with suppress(OSError):
            folder.rmdir()  # Succeeds only where nothing has been made that is worth keeping.
        os.close(descriptor)


def finished(parts: Path, keys: Iterable[str]) -> dict[str, ShardResult]:
    """What workers left about the shards of these keys, by key; nothing of one that cannot be used."""
    keys = list(keys)
    there = sizes_of(parts, [f"{key}{suffix}" for key in keys for suffix in (RESULT_SUFFIX, SHARD_SUFFIX)])
    found = {}
    for key in keys:
        if f"{key}{RESULT_SUFFIX}" not in there:
            continue
        try:
            result = ShardResult.model_validate_json((parts / f"{key}{RESULT_SUFFIX}").read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            continue
        if result.broken or there.get(f"{key}{SHARD_SUFFIX}") == result.bytes:
            found[key] = result
    return found


def shard_of(parts: Path, key: str) -> Path:
    """The file that holds the shard of this key."""
    return parts / f"{key}{SHARD_SUFFIX}"


def _shared(folder: Path) -> int:
    """A descriptor of `folder` that says, as long as it is open, that a build uses it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            if _alone(descriptor):
                for leftover in folder.glob("*.tmp"):
                    leftover.unlink(missing_ok=True)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if folder.exists() and folder.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
            os.close(descriptor)  # Another build ended and removed it just now.


def _alone(descriptor: int) -> bool:
    """Whether no other build uses the folder; it is held for this one alone then, and by this one no longer if not."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
