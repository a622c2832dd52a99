"""What a command tells of the episodes that are not in."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

SHOWN = 50
"""So many are told one by one."""


def print_rejected(rejected: Sequence[tuple[str, str, str]], inputs: int, others: str) -> None:
    """Print the name, reason and detail of each episode that was rejected. others: where those that are not shown are.

    Blocks, as a table would leave a detail no room at 80 columns.
    """
    console = Console(markup=False, emoji=False)
    console.print(f"{len(rejected)} of {inputs} are not in:")
    for name, reason, detail in rejected[:SHOWN]:
        _print_indented(console, Text(f"{name}: {reason}", style="bold"), 2)
        _print_indented(console, Text(detail), 4)
    if (more := len(rejected) - SHOWN) > 0:
        console.print(f"  and {more} more; {others}", soft_wrap=True)


def _print_indented(console: Console, text: Text, by: int) -> None:
    """Unlike rich's Padding this leaves no blanks at the ends of the lines."""
    for line in text.wrap(console, console.width - by):
        line.rstrip()
        console.print(Text(" " * by) + line)
