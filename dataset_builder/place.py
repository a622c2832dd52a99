"""Putting a finished folder in place: it appears whole, and what was there before stays until it does."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder_in_place(final: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside `final`; when the block ends well it becomes `final`, replacing any before.

    When the block raises, the hidden folder is removed and `final` stays as it was.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    building, replaced = (final.with_name(f".{final.name}.{token}.{suffix}") for suffix in ("building", "replaced"))
    building.mkdir()
    try:
        yield building
        if final.exists():
            os.replace(final, replaced)
        os.replace(building, final)
    except BaseException:
        if replaced.exists() and not final.exists():
            os.replace(replaced, final)
        raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
