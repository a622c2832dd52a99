"""The ranking finds nearly every fault in two tasks, at several degrees, and seldom suspects an able operator."""

from __future__ import annotations

from pathlib import Path

import pytest

from station.faults.tally import measure

pytestmark = pytest.mark.long

TASKS = ("put-in-bowl", "stack")
CLEAN, SEEDS, PROCESSES = 40, 2, 2
LEAST_RECALL = 0.75
MOST_FALSE = 0.06


def test_faults_are_found_and_able_operators_are_not_suspected(tmp_path: Path) -> None:
    tallies = measure(tmp_path, TASKS, CLEAN, SEEDS, PROCESSES)
    recalls = {tally.fault.slug: tally.recall for tally in tallies if not tally.fault.mild}
    assert sum(recalls.values()) / len(recalls) >= 0.95, recalls
    assert min(recalls.values()) >= LEAST_RECALL, recalls
    suspected = {tally.fault.slug: tally.false / tally.clean for tally in tallies}
    assert max(suspected.values()) <= MOST_FALSE, suspected
