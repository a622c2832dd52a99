"""Putting a finished version in place.

On this machine it appears whole, and what was there before stays until it does. An object store cannot rename: there
`dataset_info.json`, without which nobody takes the rest for a dataset, goes first when a version is replaced and comes
last when one is written. Nor can it lock: there a build says in a mark what it puts in place, and gives way to another
one that came to put something else there. It looks before that document and after it, so that of two at least one sees
the other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dataset_builder.location import is_local, key_of, make_folder, share, sizes, store_of
from teleloom.files import sync_file, sync_folder

BUILDING = ".building"
REPLACED = ".replaced"
_MARK = ".uploading"
_COLLISION = b"collision"


class ShardsGoneError(FileNotFoundError):
    """Another build of the same version has ended, and cleared shards away that this one was about to use."""


class CollisionError(OSError):
    """Two builds put different content in the place of one version at once. The message says what to do."""


@contextmanager
def version_in_place(final: Path, shards: Mapping[str, Path], commit: str, may_replace: bool) -> Iterator[Path]:
    """Yield a folder of this machine for documents; when the block ends well, they and the shards are `final`.

    shards: the finished file behind each name, in the same place as `final`; they stay. Files are shared with them by
    hard link where the file system can, and copied by the store itself elsewhere. commit: the document that makes a
    dataset of the rest. Raises FileExistsError when a version came into place meanwhile and `may_replace` is not set,
    and in a store ShardsGoneError and CollisionError, after which `final` is what it was before, or no dataset.
    """
    if is_local(final):
        with folder_in_place(final, may_replace) as folder:
            share({source: folder / name for name, source in shards.items()})
            yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="teleloom-") as scratch:
            yield Path(scratch)
            _upload(Path(scratch), final, shards, commit, may_replace)


@contextmanager
def folder_in_place(final: Path, may_replace: bool = True) -> Iterator[Path]:
    """Yield an empty hidden folder beside `final`; when the block ends well it becomes `final`, replacing any before.

    It is on the disk then, with all that lies in it. When the block raises, the hidden folder is removed
    and `final` stays as it was. Raises FileExistsError at the end when `final` is there and not to be replaced.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    building, replaced = (final.with_name(f".{final.name}.{token}{suffix}") for suffix in (BUILDING, REPLACED))
    with _locked(final.parent):
        building.mkdir()
        claim = _claim(building)
    try:
        yield building
        _sync(building)
        with _locked(final.parent):
            if not may_replace and final.exists():
                raise FileExistsError(f"{final} exists already")
            _exchange(building, final, replaced)
            sync_folder(final.parent)
    finally:
        os.close(claim)
        shutil.rmtree(building, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def tidy(final: Path) -> None:
    """Undo what a killed `folder_in_place` left beside `final`; one that is at work is left alone.

    Half-made folders are removed, and a `final` that was moved away for a successor that never came is put back.
    """
    if not is_local(final) or not final.parent.is_dir():
        return
    with _locked(final.parent):
        for replaced in sorted(final.parent.glob(f".{final.name}.*{REPLACED}")):
            if final.exists():
                shutil.rmtree(replaced, ignore_errors=True)
            else:
                os.replace(replaced, final)
        for building in final.parent.glob(f".{final.name}.*{BUILDING}"):
            with suppress(FileNotFoundError, BlockingIOError):
                claim = _claim(building)
                shutil.rmtree(building, ignore_errors=True)
                os.close(claim)


def _upload(documents: Path, final: Path, shards: Mapping[str, Path], commit: str, may_replace: bool) -> None:
    store, own = store_of(final), _digest(documents)
    there = {str(folder / name) for folder in {source.parent for source in shards.values()} for name in sizes(folder)}
    if gone := [name for name, source in shards.items() if str(source) not in there]:
        raise ShardsGoneError(_gone(final, gone[0]))
    _announce(final, own, commit, may_replace)
    try:
        share({source: final / name for name, source in shards.items()})
    except FileNotFoundError:
        raise ShardsGoneError(_gone(final, "a shard")) from None
    names = sorted(file.name for file in documents.iterdir())
    for name in names:
        if name != commit:
            store.put_file(str(documents / name), key_of(final / name))
    _check_alone(final, own, documents, commit)
    strays = sorted(sizes(final).keys() - {*names, *shards, _MARK})
    if strays:
        with suppress(FileNotFoundError):  # Where another build of the same content was at it too.
            store.rm([key_of(final / name) for name in strays])
    store.put_file(str(documents / commit), key_of(final / commit))
    _check_alone(final, own, documents, commit)  # One that came in between has not seen this document.
    (final / _MARK).unlink(missing_ok=True)


def _announce(final: Path, own: bytes, commit: str, may_replace: bool) -> None:
    """Leave the mark, and no dataset beside it. Raises FileExistsError when there is one and it is to stay."""
    taken = FileExistsError(f"{final} exists already")
    if not may_replace and (final / commit).exists():
        raise taken
    make_folder(final)
    (final / _MARK).write_bytes(own)
    if may_replace:
        (final / commit).unlink(missing_ok=True)
    elif (final / commit).exists():  # It came in between.
        (final / _MARK).unlink(missing_ok=True)
        raise taken


def _check_alone(final: Path, own: bytes, documents: Path, commit: str) -> None:
    """Give way to another build that came to put something else there since the mark was left: raise CollisionError,
    the dataset gone, and the mark such that the other one gives way too."""
    mark = _content(final / _MARK)
    is_alone = mark == own
    if mark is None:  # Another one took it along when it had ended: of the same content, if nothing else is there.
        there = ((file, _content(final / file.name)) for file in documents.iterdir())
        is_alone = all(found == file.read_bytes() or (found is None and file.name == commit) for file, found in there)
    if is_alone:
        return
    (final / _MARK).write_bytes(_COLLISION)
    (final / commit).unlink(missing_ok=True)
    raise CollisionError(
        f"{final}: another build, of something else, put it in place at the same time, so neither is there now; "
        "build one of the two again"
    )


def _digest(folder: Path) -> bytes:
    """SHA-256, hex, over the names and contents of the files in a folder of this machine."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest().encode()


def _gone(final: Path, what: str) -> str:
    return f"{final}: another build of this version cleared away {what} before it was in place; build it again"


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _sync(folder: Path) -> None:
    """Push a folder to the disk, from its leaves up."""
    for entry in folder.iterdir():
        if entry.is_dir():
            _sync(entry)
        else:
            sync_file(entry)
    sync_folder(folder)


def _exchange(building: Path, final: Path, replaced: Path) -> None:
    if final.exists():
        os.replace(final, replaced)
    try:
        os.replace(building, final)
    except BaseException:
        if replaced.exists():
            os.replace(replaced, final)
        raise


def _claim(folder: Path) -> int:
    """A descriptor that holds the folder for this process, as long as it lives. Raises BlockingIOError when held."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let nobody else put a folder in place here; held for moments only."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
