"""What an engine must do: call one function with many texts, somewhere, each until it has succeeded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

Work = Callable[[str], None]
"""A function at the top of an importable module. Its task is JSON; what it makes it leaves in files, so running a task
twice does no harm. It may raise anything."""

Done = Callable[[int], None]
"""Called in the coordinating process with the place of each task that is done."""

TRIES = 3
"""How often a task is given out before its workers' deaths count as the task's own fault."""


class EngineError(RuntimeError):
    """The work could not be done by this engine. The message says why and what would help."""


class TaskFailedError(EngineError):
    """A task raised an error in a worker; the message is that error's."""


class WorkerLostError(EngineError):
    """A task cost several workers their lives."""

    def __init__(self, how: str) -> None:
        super().__init__(
            f"a shard could not be written: each of its {TRIES} workers died ({how}); if memory ran out, use fewer "
            "--workers or a smaller shards.max_bytes. What is finished is kept for the next build of this version"
        )


class Engine(Protocol):
    """Where tasks run.

    name: as --engine takes it. is_elsewhere: whether tasks run in other processes, so that they and their results must
    be found through files that both sides see.
    """

    name: str
    is_elsewhere: bool

    def run(self, work: Work, tasks: Sequence[str], done: Done) -> None:
        """Do all `tasks` in any order. Raises TaskFailedError at the first that fails, or the error itself, and
        WorkerLostError for one that keeps killing its workers."""
        ...
