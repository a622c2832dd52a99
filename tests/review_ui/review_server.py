"""The review's server as people run it: in a process of its own, spoken to over HTTP."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from marked_episodes import write_marked

from teleloom.catalog import Catalog
from teleloom.episode.reader import EpisodeReader
from teleloom.quality import assess

START_WITHIN_S = 120.0


def make_root(root: Path, episodes: int = 6) -> Path:
    """A folder of short episodes with one camera, registered and assessed; half of one task, half of another."""
    with Catalog.open(root) as catalog:
        for number in range(episodes):
            task = ("put_in_bowl", "stack")[number % 2]
            path = write_marked(root, number, seconds=2.5, cameras=1, task=task)
            with EpisodeReader(path) as reader:
                report = assess(reader)
            catalog.register(path, report.model_dump(mode="json"))
    return root


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@dataclass
class RunningReview:
    """A server that was started. said: what it printed, standard error included."""

    url: str
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    @property
    def api(self) -> str:
        return f"{self.url}/teleloom/api"

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def running_review(root: Path, *options: str, name: str | None = "anna", port: int = 0) -> Iterator[RunningReview]:
    """`teleloom review ROOT` on a free port of this machine, until the block ends."""
    command = [sys.executable, "-m", "station", "review", str(root), "--no-browser", "--port", str(port), *options]
    if name is not None:
        command += ["--as", name]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )
    running = RunningReview("", process)
    try:
        running.url = _address(running)
        threading.Thread(target=_keep_reading, args=(running,), daemon=True).start()
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(running: RunningReview) -> str:
    assert running.process.stdout is not None
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        if not select.select([running.process.stdout], [], [], 0.5)[0]:
            continue
        line = running.process.stdout.readline()
        running.said.append(line)
        if found := re.search(r" at (https?://\S+)", line):
            return found[1]
        if not line:
            break
    raise AssertionError(f"the server did not start: {''.join(running.said)}")


def _keep_reading(running: RunningReview) -> None:
    assert running.process.stdout is not None
    for line in running.process.stdout:
        running.said.append(line)


class Api:
    """The JSON API as one reviewer's browser uses it."""

    def __init__(self, base: str, cookies: dict[str, str] | None = None) -> None:
        self.base = base
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.cookies.update(cookies or {})

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.http.get(self.base + path, timeout=30, **more)

    def post(self, path: str, body: dict[str, Any] | None = None, **more: Any) -> requests.Response:
        return self.http.post(self.base + path, json=body if body is not None else {}, timeout=30, **more)

    def commit(self, episode: str, seen: int, operation: str, *annotations: dict[str, Any]) -> requests.Response:
        body = {"operation": operation, "seen_revision": seen, "annotations": list(annotations)}
        return self.post(f"/episodes/{episode}/annotations", body)
