"""Putting a finished folder in place: it appears whole, and what was there before stays until it does."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from teleloom.files import sync_file, sync_folder

BUILDING = ".building"
REPLACED = ".replaced"


@contextmanager
def folder_in_place(final: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside `final`; when the block ends well it becomes `final`, replacing any before.

    It is on the disk then, with all files that lie directly in it. When the block raises, the hidden folder is removed
    and `final` stays as it was.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    building, replaced = (final.with_name(f".{final.name}.{token}{suffix}") for suffix in (BUILDING, REPLACED))
    with _locked(final.parent):
        building.mkdir()
        claim = _claim(building)
    try:
        yield building
        for file in building.iterdir():
            sync_file(file)
        sync_folder(building)
        with _locked(final.parent):
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
    if not final.parent.is_dir():
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
