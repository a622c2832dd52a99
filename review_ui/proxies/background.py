"""The background encoder: a process of its own, niced, that lives as long as the server does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Self

RESTART_AFTER_S = 1.0
LONGEST_PAUSE_S = 60.0
STOP_WITHIN_S = 5.0
MOST_CRASHES = 2


class BackgroundEncoder:
    """Keeps an encoder process running while the context lasts; what it is to do it finds in the catalog and store.

    The process reads its standard input and ends when that does: so it never outlives this one, however this ends.
    When it is killed another one is started, after a pause that grows while it keeps failing; an episode at which it
    has died MOST_CRASHES times is left out.
    """

    def __init__(self, root: Path, url: str | None = None) -> None:
        self._root = Path(root).absolute()
        self._url = url
        self._crashes: Counter[str] = Counter()
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._keeper = threading.Thread(target=self._keep_running, name="proxy-encoder", daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._ending.set()
            process = self._process
        if process is not None:
            _end(process)
        self._keeper.join(STOP_WITHIN_S)

    @property
    def pid(self) -> int | None:
        """The process's id, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def _keep_running(self) -> None:
        pause_s = RESTART_AFTER_S
        while (process := self._start()) is not None:
            started = time.monotonic()
            at_work_on = _last_line(process)
            process.wait()
            if at_work_on:
                self._crashes[at_work_on] += 1
            quick = time.monotonic() - started < LONGEST_PAUSE_S
            self._ending.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if quick else RESTART_AFTER_S

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._ending.is_set():
                return None
            self._process = subprocess.Popen(
                [sys.executable, "-m", "review_ui.proxies.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            # The catalog's URL may hold a password: it goes down the pipe, not into the list of processes.
            skip = [episode_id for episode_id, count in self._crashes.items() if count >= MOST_CRASHES]
            setup = {"root": str(self._root), "url": self._url, "skip": skip}
            stdin = _pipe(self._process.stdin)
            stdin.write(json.dumps(setup).encode() + b"\n")
            stdin.flush()
            return self._process


def _last_line(process: subprocess.Popen[bytes]) -> str:
    """What the process said last before it ended: the episode it was at work on, or nothing."""
    last = b""
    for line in _pipe(process.stdout):
        last = line
    return last.decode(errors="replace").strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    _pipe(process.stdin).close()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
