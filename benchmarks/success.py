"""How often the scripted operator succeeds, per arm and task, through the whole path and without mistakes of its own.

Every attempt is a fresh scene from its seed: simulated station, controller frames, control loop, physics, in lockstep
and without drawing. Success is the task's own check of the physics. Writes docs/success-rates.md.

Run: python benchmarks/success.py [--seeds 100] [--processes 2]
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean

import click
import numpy as np
from rich.console import Console

from robots.mujoco.tasks import TASKS
from station.rehearsal import Attempt, rehearse
from teleloom.files import atomic_write_bytes
from teleop.supervisor import INTERVENTIONS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "success-rates.md"
MAIN_ARM, OTHER_ARM = "panda", "ur5e"
OTHER_SHARE = 0.3


def rehearse_all(robot: str, task: str, seeds: Sequence[int], processes: int) -> list[Attempt]:
    """One attempt per seed, in the seeds' order."""
    count = len(seeds)
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(rehearse, [robot] * count, [task] * count, seeds, chunksize=4))


def lowest_likely(successes: int, attempts: int) -> float:
    """The lower end of Wilson's 95% interval of a success rate, percent."""
    z = 1.96
    rate, spread = successes / attempts, z * z / attempts
    margin = z * math.sqrt(rate * (1.0 - rate) / attempts + spread / (4.0 * attempts))
    return 100.0 * (rate + spread / 2.0 - margin) / (1.0 + spread)


def row(attempts: list[Attempt]) -> str:
    """One line of the table: an arm at a task."""
    first, count = attempts[0], len(attempts)
    successes = sum(attempt.success for attempt in attempts)
    seconds = [attempt.robot_s for attempt in attempts]
    faults = sum(any(INTERVENTIONS[name].fault for name in attempt.interventions) for attempt in attempts)
    cells = [
        first.robot,
        first.task,
        f"{successes} / {count}",
        f"{lowest_likely(successes, count):.0f}%",
        f"{mean(seconds):.1f} s",
        f"{np.percentile(seconds, 95):.1f} s",
        f"{mean(attempt.engagements - 1 for attempt in attempts):.1f}",
        f"{faults}",
        f"{mean(attempt.cpu_s for attempt in attempts):.2f} s",
        ", ".join(str(attempt.seed) for attempt in attempts if not attempt.success) or "none",
    ]
    return "| " + " | ".join(cells) + " |"


def page(results: list[list[Attempt]]) -> str:
    """The page `docs/success-rates.md`."""
    return "\n".join(
        [
            "# How often the scripted operator succeeds",
            "",
            "Written by `python benchmarks/success.py`. Each attempt is one episode of a fresh scene: the operator's",
            "controller frames go through mapping, filter, supervisor and inverse kinematics to the simulated arm.",
            "Tremor, delayed sight, re-clutches and hesitation are on, mistakes off. Success is the task's own check.",
            "",
            "| arm | task | succeeded | at least (95%) | mean length | 95th percentile | re-clutches | with a fault "
            "| CPU time | seeds that failed |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *(row(attempts) for attempts in results),
            "",
            "Length is robot time from the first frame to the verdict; re-clutches are the mean per episode. A fault",
            "is an intervention that stops the arm until the clutch is released; the column counts the episodes that",
            "had one, and the operator went on. CPU time is one core's, per episode.",
            "",
        ]
    )


@click.command()
@click.option("--seeds", default=100, show_default=True, help=f"Attempts per task with the {MAIN_ARM}.")
@click.option("--processes", default=2, show_default=True, help="Worker processes.")
def main(seeds: int, processes: int) -> None:
    """Measure the success rates and write docs/success-rates.md."""
    console = Console(stderr=True)
    counts = {MAIN_ARM: seeds, OTHER_ARM: max(1, round(OTHER_SHARE * seeds))}
    results = []
    for robot, count in counts.items():
        for task in TASKS:
            results.append(rehearse_all(robot, task, range(count), processes))
            console.print(row(results[-1]), soft_wrap=True)
    atomic_write_bytes(PAGE, page(results).encode())
    rates = [100.0 * mean(attempt.success for attempt in attempts) for attempts in results[: len(TASKS)]]
    console.print(f"lowest rate of the {MAIN_ARM}: {min(rates):.0f}%; written to {PAGE}")
    figures = {"name": "scripted operator: mean success rate", "figure": round(mean(rates), 2), "unit": "%"}
    print(json.dumps({**figures, "baseline": None, "ratio": None}))


if __name__ == "__main__":
    main()
