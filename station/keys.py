"""Single keys from the terminal, read without waiting and without Enter."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Settings = list[Any]


class Keys:
    """The keys pressed since the last look. Where standard input is no terminal there are never any."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def pressed(self) -> str:
        """What was typed since the last call, "" for nothing."""
        typed = b""
        while self._descriptor is not None and select.select([self._descriptor], [], [], 0)[0]:
            part = os.read(self._descriptor, 64)
            if not part:
                self._descriptor = None
            typed += part
        return typed.decode(errors="ignore")


@contextmanager
def terminal_keys() -> Iterator[Keys]:
    """Keys of standard input while the block runs; the terminal is put back as it was. Ctrl-C still interrupts."""
    if not sys.stdin.isatty():
        yield Keys(None)
        return
    descriptor = sys.stdin.fileno()
    before: Settings = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
