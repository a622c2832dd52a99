"""The progress bar of commands that work through episodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from dataset_builder.source import gather


@contextmanager
def progress_bar(hidden: bool) -> Iterator[gather.Progress]:
    """One bar on the terminal for each thing that is done, and none where standard error is a file; they go away at the
    end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=hidden or not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(f"{what.capitalize()} episodes")
            bars.update(tasks[what], completed=done, total=total)

        yield report
