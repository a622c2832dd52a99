"""Where a dataset lies: a folder on this machine, or anywhere that fsspec reaches."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeGuard, cast

from teleloom.extras import MissingExtraError, require
from teleloom.files import atomic_writer

_LOCAL = ("file://", "local://")


class StoreError(OSError):
    """A store that cannot be reached. The message names the URL and what its client said."""


def location(text: str | Path) -> Path:
    """The folder or file that `text` names: a path, or a URL such as `s3://bucket/datasets` or `memory://datasets`.

    What comes back for a URL is a `upath.UPath`, which has of a Path all that reading and writing files takes, but
    cannot rename. How to reach a store (endpoint, keys) is told to fsspec, by its own configuration or environment.
    Raises StoreError for a scheme that nobody knows, MissingExtraError when a URL is given and universal_pathlib is
    not there.
    """
    if not isinstance(text, str):
        return text
    if "://" not in text:
        return Path(text)
    for scheme in _LOCAL:
        if text.startswith(scheme):
            return Path(text.removeprefix(scheme))
    upath = require("upath", "build")
    try:
        # Other processes write into the same folders, of which a listing that is kept would know nothing.
        return cast(Path, upath.UPath(text, use_listings_cache=False))
    except ValueError as error:
        raise StoreError(f"{text} cannot be reached: {error}") from None


def is_local(path: object) -> TypeGuard[Path]:
    """Whether `path` is a file or folder on this machine."""
    return isinstance(path, Path)


def is_shared(path: object) -> bool:
    """Whether another process that is given `path` finds the same files there; what lies in memory is not."""
    return getattr(path, "protocol", "file") != "memory"


def store_of(path: Path) -> Any:
    """The fsspec file system of a `path` that is not local."""
    return path.fs  # type: ignore[attr-defined]


def key_of(path: Path) -> str:
    """How the file system of a `path` that is not local names it."""
    return str(path.path)  # type: ignore[attr-defined]


def make_folder(path: Path) -> None:
    """Make a folder of a store where there is such a thing, and never a bucket. Raises OSError when there is no place
    for it."""
    with suppress(FileExistsError):
        store_of(path).mkdir(key_of(path), create_parents=False)


def sizes(folder: Path) -> dict[str, int]:
    """The bytes of each file in a folder, by name, asked for at once; nothing where there is no folder."""
    try:
        if is_local(folder):
            return sizes_of(folder, os.listdir(folder))
        listed = store_of(folder).ls(key_of(folder), detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {entry["name"].rpartition("/")[2]: int(entry["size"]) for entry in listed if entry["type"] == "file"}


def sizes_of(folder: Path, names: Iterable[str]) -> dict[str, int]:
    """The bytes of those of these files that are in a folder, by name.

    It finds a file also while somebody puts a new one in its place, which the listing of a local folder may leave out.
    """
    if not is_local(folder):
        there = sizes(folder)
        return {name: there[name] for name in names if name in there}
    found = {}
    for name in names:
        with suppress(FileNotFoundError, NotADirectoryError):  # What another process has just taken away is not there.
            status = (folder / name).stat()
            if stat.S_ISREG(status.st_mode):
                found[name] = status.st_size
    return found


def share(files: Mapping[Path, Path]) -> None:
    """Have each file, whose content never changes, at a second place of the same disk or store too.

    On a disk by hard link where the file system can, and what is in the second place already stays. In a store by its
    own copies, many at a time. Raises FileNotFoundError for a file that is not there.
    """
    if not files:
        return
    if not is_local(next(iter(files))):
        store_of(next(iter(files))).copy([key_of(path) for path in files], [key_of(path) for path in files.values()])
        return
    for source, target in files.items():
        try:
            os.link(source, target)
        except FileExistsError:
            continue
        except OSError:  # Not every file system has hard links.
            with atomic_writer(target) as temporary:
                shutil.copyfile(source, temporary)


def reachable(path: Path) -> Path:
    """`path`, once its store has answered. Raises StoreError, and MissingExtraError where its client is missing."""
    if is_local(path):
        return path
    try:
        path.exists()
    except ImportError as error:
        raise MissingExtraError(f"{getattr(path, 'protocol', '')}fs", "cloud") from error
    except Exception as error:  # The client of each store has errors of its own: no keys, no such host, no such scheme.
        raise StoreError(
            f"{path} cannot be reached: {error}; check the URL, and the keys in the environment"
        ) from error
    return path
