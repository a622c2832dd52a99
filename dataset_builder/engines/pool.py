"""A pool of processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from dataset_builder.engines.contract import TRIES, Done, TaskFailedError, Work, WorkerLostError

_SUCCESS = b""


class Pool:
    """`workers` processes, each with one task at a time, so that it is known whose task a dead one had.

    They are forked from a server that has imported the work's module once and nothing else: it has no threads and no
    open files that a fork could break. A worker ends when its coordinator does, its task finished.
    """

    name = "pool"
    is_elsewhere = True

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, work: Work, tasks: Sequence[str], done: Done) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([work.__module__])
        _start_server()
        waiting = deque(range(len(tasks)))
        tries = [0] * len(tasks)
        workers: dict[Connection, tuple[BaseProcess, int]] = {}

        def start() -> None:
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, work, dict(os.environ)), daemon=True)
            process.start()
            theirs.close()
            give(ours, process)

        def give(connection: Connection, process: BaseProcess) -> None:
            """The next task; a worker that is gone is noticed when its answer is awaited."""
            place = waiting.popleft()
            tries[place] += 1
            workers[connection] = process, place
            with suppress(OSError):
                connection.send_bytes(tasks[place].encode())

        try:
            for _ in range(min(self.workers, len(tasks))):
                start()
            while workers:
                for connection in wait(list(workers)):
                    assert isinstance(connection, Connection)
                    process, place = workers[connection]
                    try:
                        answer = connection.recv_bytes()
                    except (EOFError, OSError):
                        del workers[connection]
                        _bury(connection, process)
                        if tries[place] >= TRIES:
                            raise WorkerLostError(_how(process.exitcode)) from None
                        waiting.appendleft(place)
                        start()
                        continue
                    if answer != _SUCCESS:
                        raise TaskFailedError(answer.decode())
                    done(place)
                    if waiting:
                        give(connection, process)
                    else:
                        del workers[connection]
                        _bury(connection, process)
        finally:
            for connection, (process, _) in workers.items():
                process.terminate()
                _bury(connection, process)


def _start_server() -> None:
    """Start the server that workers are forked from, if it does not run yet, deaf to Ctrl-C while it imports."""
    resource_tracker.ensure_running()  # The server would start it, which lets the signal through again.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(connection: Connection, work: Work, environment: dict[str, str]) -> None:
    """What a worker does: tasks until there is nobody left to give one.

    environment: the coordinator's; the server that workers are forked from may be older than what it holds now.
    """
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The coordinator gets it too, and decides.
    while True:
        try:
            task = connection.recv_bytes().decode()
        except (EOFError, OSError):
            return
        try:
            work(task)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}".encode()
        else:
            answer = _SUCCESS
        with suppress(OSError):
            connection.send_bytes(answer)


def _bury(connection: Connection, process: BaseProcess) -> None:
    connection.close()
    process.join()


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
