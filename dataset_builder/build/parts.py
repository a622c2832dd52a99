"""Finished shards on their way into a dataset, each under the key of what it is made of.

They lie beside the version that is being built, so that a build that was killed is taken up where it stopped, and two
builds of one version at the same time do no harm: under the same key both write the same bytes.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from dataset_builder.build.place import BUILDING
from dataset_builder.build.work import ShardResult
from dataset_builder.location import is_local, key_of, make_folder, sizes_of, store_of

SHARD_SUFFIX = ".tfrecord"
RESULT_SUFFIX = ".json"
_FOLDER_SUFFIX = ".parts"


@contextmanager
def parts_of(final: Path) -> Iterator[Path]:
    """The folder of parts of the version that is to be `final`. When the block ends well it is removed, unless another
    build still uses it; when the block raises, the parts stay for the next build."""
    folder = _folder(final)
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
            _remove(folder)
    except BaseException:
        if _alone(descriptor):
            with suppress(OSError):
                folder.rmdir()  # Succeeds only where nothing has been made that is worth keeping.
        raise
    finally:
        os.close(descriptor)


def clear(final: Path) -> None:
    """Remove the parts of a version that is finished, unless a build uses them; in a store nobody can tell."""
    folder = _folder(final)
    if is_local(folder) and folder.is_dir():
        with parts_of(final):
            pass


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


def _folder(final: Path) -> Path:
    return final.parent / f".{final.name}{_FOLDER_SUFFIX}"


def _shared(folder: Path) -> int:
    """A descriptor of `folder` that says, as long as it is open, that a build uses it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if _alone(descriptor):
                for leftover in folder.glob("*.tmp"):
                    leftover.unlink(missing_ok=True)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            with suppress(FileNotFoundError):
                if folder.stat().st_ino == os.fstat(descriptor).st_ino:
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # Another build ended and removed it just now.


def _remove(folder: Path) -> None:
    """Take the folder away at once, under another name: a worker that a killed build left may still write into it."""
    gone = folder.with_name(f"{folder.name.removesuffix(_FOLDER_SUFFIX)}.{secrets.token_hex(4)}{BUILDING}")
    os.replace(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def _alone(descriptor: int) -> bool:
    """Whether no other build uses the folder; it is held for this one alone then, and by this one no longer if not."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
