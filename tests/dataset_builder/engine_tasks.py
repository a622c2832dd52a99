"""Tasks for the engines' tests: functions that workers import by name. A task is the path of the file it is to make."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def make(task: str) -> None:
    Path(task).write_text(str(os.getpid()))


def tell_environment(task: str) -> None:
    Path(task).write_text(os.environ.get("OF_TODAY", "nothing"))


def die_once(task: str) -> None:
    """The first worker that gets the task whose file is called `deadly` is killed by it."""
    path = Path(task)
    mark = path.with_suffix(".mark")
    if path.name == "deadly" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    make(task)


def die(task: str) -> None:
    """Every worker that gets the task whose file is called `deadly` is killed by it; each leaves a letter."""
    if Path(task).name == "deadly":
        with Path(task).with_suffix(".deaths").open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    make(task)


def fail(task: str) -> None:
    raise OSError(28, "No space left on device", task)
