"""A limit for pages of a browser that never answer."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from playwright.sync_api import Error, Page


@contextmanager
def pages_answer_within(seconds: float) -> Iterator[None]:
    """Fail an evaluate() that takes longer, which by itself waits for ever; every page of this process's browsers ends
    with it, since one whose script never rests can be stopped in no other way.
    """
    evaluate = Page.evaluate

    def limited(page: Page, expression: str, arg: object = None) -> Any:
        ended = threading.Event()
        overdue = threading.Timer(seconds, _end_pages, [ended])
        overdue.start()
        try:
            return evaluate(page, expression, arg)
        except Error as error:
            if not ended.is_set():
                raise
            raise TimeoutError(f"the page did not answer within {seconds:g} s and was ended: {expression}") from error
        finally:
            overdue.cancel()

    with patch.object(Page, "evaluate", limited):
        yield


def _end_pages(ended: threading.Event) -> None:
    ended.set()
    for process in _descendants(os.getpid()):
        with suppress(OSError):
            if b"--type=renderer" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGKILL)


def _descendants(process: int) -> Iterator[int]:
    with suppress(OSError):
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                yield child
                yield from _descendants(child)
