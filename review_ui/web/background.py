"""What goes on beside the requests: new episode files are noticed, entered, assessed and ranked."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from review_ui.web.register import RegisterReport, RegisterRequest
from teleloom.episode.layout import EPISODES_FOLDER, SUFFIX

LOOK_EVERY_S = 2.0
SETTLED_S = 2.0
"""A file that changed within this time may still be copied."""
REST_PER_WORK = 4
"""After a round of work it rests this many times as long, so that a large corpus does not keep a core busy."""
STOP_WITHIN_S = 5.0

Stamp = tuple[int, int]
_log = logging.getLogger(__name__)


class EpisodeWatch:
    """Takes up the files that appear in root/episodes while the context lasts.

    A thread looks at names and sizes; all reading happens in another process, so that no request waits for it.
    unreadable: the files that are no sound episode, by name, and why; changed in place.
    """

    def __init__(self, root: Path, url: str | None, unreadable: dict[str, str]) -> None:
        self._root = root.absolute()
        self._url = url
        self._unreadable = unreadable
        self._sound: set[str] = set()
        self._refused: dict[str, Stamp] = {}
        self._ending = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._watch, name="episode-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(STOP_WITHIN_S)

    def _watch(self) -> None:
        rest_s = 0.0
        while not self._ending.wait(rest_s):
            began_s = time.monotonic()
            if found := self._settled():
                self._take_up(found)
            rest_s = max(LOOK_EVERY_S, REST_PER_WORK * (time.monotonic() - began_s))

    def _settled(self) -> dict[str, Stamp]:
        """The files that are new, or were refused and changed since, and that nobody is writing now."""
        names: set[str] = set()
        settled: dict[str, Stamp] = {}
        with suppress(OSError), os.scandir(self._root / EPISODES_FOLDER) as entries:
            for entry in entries:
                if not entry.name.endswith(SUFFIX) or entry.name.startswith("."):
                    continue
                names.add(entry.name)
                if entry.name in self._sound:
                    continue
                with suppress(OSError):
                    found = entry.stat()
                    stamp = (found.st_mtime_ns, found.st_size)
                    if self._refused.get(entry.name) != stamp and abs(time.time() - found.st_mtime) >= SETTLED_S:
                        settled[entry.name] = stamp
        self._sound &= names
        for gone in self._refused.keys() - names:
            del self._refused[gone]
            self._unreadable.pop(gone, None)
        return settled

    def _take_up(self, found: dict[str, Stamp]) -> None:
        request = RegisterRequest(root=self._root, url=self._url, files=tuple(sorted(found)))
        report = self._run(request)
        if report is None:
            return
        for name, stamp in found.items():
            if name in report.unreadable:
                self._refused[name] = stamp
                self._unreadable[name] = report.unreadable[name]
            else:
                self._sound.add(name)
                self._refused.pop(name, None)
                self._unreadable.pop(name, None)

    def _run(self, request: RegisterRequest) -> RegisterReport | None:
        """None when the round failed; it is tried again."""
        command = [sys.executable, "-m", "review_ui.web.register"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            self._process = process
            if self._ending.is_set():
                process.terminate()
            answer, _ = process.communicate(request.model_dump_json())
        if process.returncode == 0:
            return RegisterReport.model_validate_json(answer)
        if not self._ending.is_set():
            _log.warning("taking up new episodes failed (exit %s); trying again", process.returncode)
        return None
