"""How often each fault is found: every fault over tasks and scenes, counted."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from station.faults.kinds import FAULTS, Fault
from station.faults.trials import Faulty, Found, clean_episode, false_alarms, faulty_episode, trial
from teleloom.quality.corpus import EpisodeFeatures

AT_ONCE = 2
"""So many faulty episodes are put into the corpus at a time."""


@dataclass(frozen=True)
class Tally:
    """One fault over all tasks and seeds. false: clean episodes that were suspected of it, of `clean`."""

    fault: Fault
    found: tuple[Found, ...]
    false: int
    clean: int

    @property
    def recall(self) -> float:
        return sum(found.detected for found in self.found) / len(self.found)


def recording_pool(processes: int) -> ProcessPoolExecutor:
    """Processes that record. Not forked: the child of a process that has drawn would wait for its drawing thread."""
    return ProcessPoolExecutor(processes, mp_context=get_context("forkserver"))


def measure(root: Path, tasks: Sequence[str], clean: int, seeds: int, processes: int) -> list[Tally]:
    """Record everything under `root` and try every fault."""
    with recording_pool(processes) as pool:
        corpora = {
            task: list(pool.map(clean_episode, [root] * clean, [task] * clean, range(clean), chunksize=2))
            for task in tasks
        }
        return [_tally(pool, root, number, corpora, seeds) for number in range(len(FAULTS))]


def _tally(
    pool: ProcessPoolExecutor, root: Path, number: int, corpora: dict[str, list[EpisodeFeatures]], seeds: int
) -> Tally:
    fault = FAULTS[number]
    found: list[Found] = []
    false = 0
    for task, clean in corpora.items():
        tried = pool.map(_faulty, [root] * seeds, [task] * seeds, range(seeds), [number] * seeds)
        faulty: list[Faulty] = list(tried)
        for first in range(0, seeds, AT_ONCE):
            found += trial(clean, faulty[first : first + AT_ONCE], fault)
        false += len(false_alarms(clean, fault))
    return Tally(fault, tuple(found), false, sum(len(clean) for clean in corpora.values()))


def _faulty(root: Path, task: str, seed: int, number: int) -> Faulty:
    return faulty_episode(root, task, seed, FAULTS[number])
