"""Whether the ranking of episodes finds faults: recall and false alarms per fault, on simulated episodes.

Able operators with habits of their own do each task in many scenes, in lockstep and through the whole path of a
station. A faulty episode is put among them, ranked with them, and counts as found when it is within the riskiest tenth
and one of its reasons names the fault and seeks to a time within it. Writes docs/fault-detection.md, in about a quarter
of an hour.

Run: python scripts/fault_detection.py [--clean 40] [--seeds 6] [--processes 2] [--corpus DIR]
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from station.faults.tally import AT_ONCE, Tally, measure
from station.faults.trials import RISKIEST
from teleloom.files import atomic_write_bytes

PAGE = Path(__file__).resolve().parent.parent / "docs" / "fault-detection.md"
TASKS = {
    "never looked at while the rules were made": ("put-on-plate", "open-drawer"),
    "the rules were made on these scenes": ("put-in-bowl", "stack"),
}


def row(tally: Tally) -> str:
    """One line of the table."""
    count = len(tally.found)
    cells = (
        tally.fault.name,
        f"{tally.fault.how} (mild)" if tally.fault.mild else tally.fault.how,
        f"{sum(found.detected for found in tally.found)} / {count}",
        f"{sum(found.among_riskiest for found in tally.found)} / {count}",
        f"{sum(found.shown is not None for found in tally.found)} / {count}",
        f"{max(found.position for found in tally.found)}",
        f"{tally.false} / {tally.clean}",
    )
    return "| " + " | ".join(cells) + " |"


def page(tables: dict[str, list[Tally]], clean: int, seeds: int) -> str:
    """The page `docs/fault-detection.md`; tables: by the words that stand above each."""
    parts = [
        "# Which faults the ranking finds",
        "",
        "Written by `python scripts/fault_detection.py`. The corpus is simulated: the scripted operator does each task",
        f"with the panda in {clean} scenes (seeds 0 to {clean - 1}), through the whole path of a station, with habits",
        "drawn anew for each (speed, tremor, hesitation, re-clutches) and two cameras. Each fault is tried with",
        f"{seeds} scenes of each task, {AT_ONCE} faulty episodes among the clean ones at a time. Faults of operator",
        "and arm are done by the simulated operator; faults of cameras are put into the streams of a further clean",
        "recording, as a failing camera would have left them.",
        "",
        f"An episode is *found* when it is within the riskiest {RISKIEST:.0%} of its task and one of its reasons",
        "names the fault (and the camera) and seeks to a time within it; the next columns say how often each half",
        "of that was so. *Worst rank* is the lowest place that a faulty episode had, 1 being the riskiest. *False",
        "alarms* are clean episodes that a ranking of clean ones alone suspects of the fault. *Mild* degrees show",
        "where detection ends.",
        "",
    ]
    for title, tallies in tables.items():
        parts += [
            f"## {title}",
            "",
            f"Mean recall over all but the mild degrees: {mean_recall(tallies):.1%}.",
            "",
            "| fault | how bad | found | riskiest tenth | right reason and time | worst rank | false alarms |",
            "|---|---|---|---|---|---|---|",
            *(row(tally) for tally in tallies),
            "",
        ]
    parts += [
        "Where all scenes are alike, as in `open-drawer`, whose drawer stands in one place, a second attempt at one",
        "scene is no closer to the first than any other attempt is: near-duplicates are not found there.",
        "",
        "Real stations are noisier than this one, whose clocks and cameras are ideal but for the fault: the tables",
        "say that the ranking sees what it is meant to see, not how often real operators err.",
        "",
    ]
    return "\n".join(parts)


def mean_recall(tallies: list[Tally]) -> float:
    """Of all but the mild degrees."""
    full = [tally.recall for tally in tallies if not tally.fault.mild]
    return sum(full) / len(full)


@click.command()
@click.option("--clean", default=40, show_default=True, help="Clean episodes of each task.")
@click.option("--seeds", default=6, show_default=True, help="Faulty episodes of each fault and task.")
@click.option("--processes", default=2, show_default=True, help="Worker processes.")
@click.option("--corpus", type=click.Path(file_okay=False, path_type=Path), help="Keep and use recordings there.")
def main(clean: int, seeds: int, processes: int, corpus: Path | None) -> None:
    """Measure the detection of faults and write docs/fault-detection.md."""
    console = Console(stderr=True)
    tables: dict[str, list[Tally]] = {}
    with ExitStack() as stack:
        root = corpus or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for why, tasks in TASKS.items():
            tables[f"{' and '.join(tasks)}: {why}"] = measure(root, tasks, clean, seeds, processes)
    for title, tallies in tables.items():
        console.print(title)
        for tally in tallies:
            console.print(row(tally), soft_wrap=True)
    atomic_write_bytes(PAGE, page(tables, clean, seeds).encode())


if __name__ == "__main__":
    main()
