"""Starting, watching and ending a node, and what every node does at its own end.

A node reads JSON lines from standard input, the first its orders, and answers on standard output with one JSON line
once it is ready, or with its fault. When standard input ends, be it that the station closed it or died, it stops.
"""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from teleloom.extras import MissingExtraError

READY_TIMEOUT_S = 60.0
END_TIMEOUT_S = 60.0
MAX_LINE_BYTES = 4 * 1024 * 1024


class NodeError(RuntimeError):
    """A node that did not start, or ended by itself. The message says which and what it said."""


class Node:
    """A node as the station sees it."""

    def __init__(self, name: str, module: str, orders: dict[str, Any]) -> None:
        """Start `python -m module` and give it its orders. It answers later: see `ready`."""
        self.name = name
        self._process = subprocess.Popen(
            # -P: a file in the working folder must not stand in for a library of the same name.
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.tell(orders)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def tell(self, line: dict[str, Any]) -> None:
        """Send one more line. Raises NodeError when the node is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise NodeError(f"{self.name} ended with code {self._process.wait()}; its messages are above") from None

    def ready(self, timeout_s: float = READY_TIMEOUT_S) -> dict[str, Any]:
        """What the node answered. Raises NodeError with its fault, when it ended, or when it stayed silent."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        line = b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise NodeError(f"{self.name} was not ready within {timeout_s:.0f} s")
            part = os.read(descriptor, 65536)
            if not part or len(line) > MAX_LINE_BYTES:
                raise NodeError(f"{self.name} ended with code {self._process.wait()}; its messages are above")
            line += part
        answer: dict[str, Any] = json.loads(line)
        if "fault" in answer:
            raise NodeError(f"{self.name}: {answer['fault']}")
        return answer

    def fault(self) -> str:
        """Why a node that has ended did so, in its own words where it left any."""
        assert self._process.stdout is not None
        lines = self._process.stdout.read().decode(errors="replace").splitlines()
        for line in reversed(lines):
            if line.startswith('{"fault"'):
                return str(json.loads(line)["fault"])
        return f"it ended with code {self._process.wait()}; its messages are above"

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def close(self) -> int:
        """Let the node finish its work and end; after END_TIMEOUT_S it is killed. Returns its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ignore(line: dict[str, Any]) -> None:
    """A node that takes no orders while it works."""


class Orders:
    """A node's own end: its orders, its one answer, and the moment to stop."""

    def __init__(self) -> None:
        # Unbuffered: a thread that waits in a buffered read cannot be left behind when the interpreter ends.
        self._input = io.FileIO(0, closefd=False)
        self.first = self.next()
        self.stop = threading.Event()

    def answer(self, **facts: Any) -> None:
        """Say that the node is ready."""
        print(json.dumps(facts), flush=True)

    def next(self) -> dict[str, Any]:
        """Wait for one more line of orders."""
        line = self._input.readline(MAX_LINE_BYTES)
        if not line:
            raise SystemExit(0)
        orders: dict[str, Any] = json.loads(line)
        return orders

    def watch(self, obey: Callable[[dict[str, Any]], None] = _ignore) -> None:
        """From now on `stop` is set when standard input ends; a line until then is given to `obey`, in a thread."""
        threading.Thread(target=self._listen, args=(obey,), name="orders", daemon=True).start()

    def _listen(self, obey: Callable[[dict[str, Any]], None]) -> None:
        while line := self._input.readline(MAX_LINE_BYTES):
            obey(json.loads(line))
        self.stop.set()


def run_node(work: Callable[[Orders], None], faults: tuple[type[Exception], ...]) -> None:
    """The `main` of a node: a fault among `faults` becomes its answer and exit code 1, without a traceback.

    A missing extra is always one of them.
    """
    faults = (*faults, MissingExtraError)
    try:
        work(Orders())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except faults as error:
        print(json.dumps({"fault": str(error)}), flush=True)
        raise SystemExit(1) from None
