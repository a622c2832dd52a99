"""Recording a demo in the background, for a root that has no episodes yet."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

TASKS = ("put-in-bowl", "stack", "open-drawer")
EPISODES_EACH = 2
SIMULATOR = "mujoco"
INSTALL = "pip install 'teleloom[sim]'"


def available() -> bool:
    """Whether the simulator is installed."""
    return importlib.util.find_spec(SIMULATOR) is not None


def command(root: Path, task: str) -> list[str]:
    """What records EPISODES_EACH episodes of `task` into `root`, as fast as the machine can."""
    return [
        sys.executable, "-m", "station", "record", str(root), "--operator", "scripted", "--lockstep",
        "--task", task, "--episodes", str(EPISODES_EACH), "--json",
    ]  # fmt: skip


@dataclass
class DemoRecording:
    """One demo being recorded: a process per task, one after the other. `fault`: what it said when it failed."""

    root: Path
    fault: str = ""
    _thread: threading.Thread = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._record, name="demo-recording", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def wanted(self) -> int:
        return len(TASKS) * EPISODES_EACH

    def join(self, timeout_s: float) -> None:
        """Wait for its end, at most so long."""
        self._thread.join(timeout_s)

    def recorded(self) -> int:
        """Episodes that lie in the root by now."""
        return len(list((self.root / "episodes").glob("*.h5")))

    def _record(self) -> None:
        for task in TASKS:
            done = subprocess.run(command(self.root, task), capture_output=True, text=True, check=False)
            if done.returncode:
                self.fault = done.stderr.strip() or f"it ended with {done.returncode}"
                return


_lock = threading.Lock()
_recordings: dict[Path, DemoRecording] = {}


def start(root: Path) -> DemoRecording:
    """Record into `root`; the recording that is under way there, if there is one."""
    with _lock:
        known = _recordings.get(root)
        if known is None or not known.running:
            known = _recordings[root] = DemoRecording(root)
        return known


def under_way(root: Path) -> DemoRecording | None:
    """The last recording into `root` that this server started."""
    return _recordings.get(root)
