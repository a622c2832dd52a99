from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from annotator_process import LEASE_S, RESEND_EVERY, STALE_EVERY, Shared, annotate_until_done
from catalog_crowd import fill_unreviewed

from teleloom.catalog import Catalog, Score, Verdict
from teleloom.clock import NS_PER_S

ANNOTATORS = 16
HOLDING, STRUCK = (13, 14, 15), (11, 12)
Entry = dict[str, Any]


class Work(NamedTuple):
    """How many episodes are to be judged by one, and by two."""

    single: int
    double: int

    @property
    def verdicts(self) -> int:
        return self.single + 2 * self.double


SOME, MANY = Work(450, 25), Work(9_000, 500)


class Annotators:
    """Sixteen annotators at work: three who are killed while they hold an episode, two at any moment."""

    def __init__(self, url: str, folder: Path, work: Work) -> None:
        self.work = work
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["psycopg", "annotator_process"])
        self.shared = Shared(
            start=context.Barrier(ANNOTATORS + 1),
            # Without locks: whoever is killed could take one along.
            jump_ns=context.RawValue("q", 0),
            idle=context.RawArray("b", ANNOTATORS),
            done=context.RawArray("i", ANNOTATORS),
        )
        self.diaries = [folder / f"annotator-{number}.jsonl" for number in range(ANNOTATORS)]
        self.processes = [
            context.Process(
                target=annotate_until_done,
                args=(url, number, self.shared, self.diaries[number], 20 if number in HOLDING else None),
                daemon=True,
            )
            for number in range(ANNOTATORS)
        ]

    def run(self) -> None:
        for process in self.processes:
            process.start()
        self.shared.start.wait(120)
        self._wait(lambda: sum(self.shared.done) > self.work.verdicts // 3)
        self._wait(lambda: all(self.shared.idle[number] for number in HOLDING))
        for number in (*HOLDING, *STRUCK):
            pid = self.processes[number].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            self.processes[number].join(60)
        survivors = [n for n in range(ANNOTATORS) if n not in (*HOLDING, *STRUCK)]
        self._wait(lambda: all(self.shared.idle[number] for number in survivors))
        self.left_by_the_dead = self.work.verdicts - sum(self.shared.done)
        self.jumped_at_ns = time.monotonic_ns()
        self.shared.jump_ns.value = round(2 * LEASE_S * NS_PER_S)
        for number in survivors:
            self.processes[number].join(600)
        assert [self.processes[number].exitcode for number in survivors] == [0] * len(survivors)

    def entries(self) -> dict[str, list[Entry]]:
        """What all wrote down, by what it is about. The last line of one who was killed is whole, or not there."""
        found: dict[str, list[Entry]] = defaultdict(list)
        for number, diary in enumerate(self.diaries):
            for line in diary.read_text().splitlines():
                entry = json.loads(line) | {"author": f"annotator {number}"}
                found[entry["what"]].append(entry)
        return found

    @staticmethod
    def _wait(condition: Any) -> None:
        deadline = time.monotonic() + 600
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("work", [SOME, pytest.param(MANY, marks=pytest.mark.long)], ids=["500", "10000"])
def test_of_the_verdicts_of_16_annotators_at_once_none_is_lost_or_given_on_a_taken_episode(
    url: str, tmp_path: Path, work: Work
) -> None:
    with Catalog.open(url) as catalog:
        ids = fill_unreviewed(catalog, work.single + work.double, overlapped=work.double)
        doubled = set(ids[: work.double])
        annotators = Annotators(url, tmp_path, work)
        started = time.monotonic()
        annotators.run()
        print(f"{work.verdicts / (time.monotonic() - started):.0f} verdicts a second")
        entries = annotators.entries()
        check_none_is_lost(catalog, ids, doubled, entries, work)
        check_all_is_derived(catalog, ids)
        judged = {(row.episode_id, row.author) for row in catalog.verdicts()}
    check_stale_writes(entries, work)
    check_leases(entries, doubled, work)
    check_what_the_dead_held(entries, judged, doubled, annotators.jumped_at_ns)
    assert len(HOLDING) <= annotators.left_by_the_dead <= len(HOLDING) + 2 * len(STRUCK)


def check_none_is_lost(
    catalog: Catalog, ids: list[str], doubled: set[str], entries: dict[str, list[Entry]], work: Work
) -> None:
    """Every verdict that was acknowledged is there once; so many are given as are wanted, each by another."""
    rows = catalog.verdicts()
    assert len(rows) == work.verdicts
    by_episode = defaultdict(list)
    for row in rows:
        by_episode[row.episode_id].append(row.author)
    for episode in ids:
        assert len(set(by_episode[episode])) == len(by_episode[episode]) == (2 if episode in doubled else 1)
    histories = catalog.histories(ids)
    events = list(chain.from_iterable(histories.values()))
    operations = Counter(event.operation for event in events if event.operation is not None)
    assert set(operations.values()) == {1}
    acknowledged = {(e["episode"], e["revision"], e["author"], e["operation"], e["reason"]) for e in entries["judged"]}
    assert len(acknowledged) == len(entries["judged"])
    there = {
        (event.episode_id, event.revision, event.author, event.operation, event.annotation.reason)
        for event in events
        if isinstance(event.annotation, Verdict)
    }
    assert acknowledged <= there
    assert len(there - acknowledged) <= len(STRUCK)
    for history in histories.values():
        assert [event.revision for event in history] == list(range(1, len(history) + 1))
    assert sum(isinstance(event.annotation, Score) for event in events) == work.verdicts
    assert all(entry["first"] == entry["again"] for entry in entries["resent"])
    assert len(entries["resent"]) > work.verdicts / RESEND_EVERY / 2


def check_all_is_derived(catalog: Catalog, ids: list[str]) -> None:
    """Every row says what its events add up to."""
    assert catalog.counts() == {"unreviewed": 0, "approved": len(ids), "rejected": 0, "disputed": 0}
    views = catalog.views(ids)
    for row in catalog.episodes():
        view = views[row.id]
        assert (row.revision, row.status, row.score, row.opinions, row.decided_by) == (
            view.revision,
            view.status,
            view.score,
            len(view.opinions),
            view.decided_by,
        )


def check_stale_writes(entries: dict[str, list[Entry]], work: Work) -> None:
    """Every one was refused, and its author was told who had said what."""
    assert not entries["stale went through"]
    assert len(entries["stale refused"]) > work.verdicts / STALE_EVERY / 2
    assert all(entry["mine"] in entry["told"] for entry in entries["stale refused"])
    assert all(entry["others"] for entry in entries["looked again"])


def check_leases(entries: dict[str, list[Entry]], doubled: set[str], work: Work) -> None:
    """No more people held an episode at a time than are wanted."""
    moments: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for entry in entries["took"]:
        moments[entry["episode"]].append((entry["at_ns"], 1, entry["author"]))
    for entry in entries["gives back"]:
        moments[entry["episode"]].append((entry["at_ns"], -1, entry["author"]))
    dead = {f"annotator {number}" for number in (*HOLDING, *STRUCK)}
    at_once = Counter[int]()
    for episode, steps in moments.items():
        held = most = 0
        for _, step, author in sorted(steps):
            if author not in dead:
                held += step
                most = max(most, held)
        at_once[most] += 1
        assert most <= (2 if episode in doubled else 1)
    assert at_once[1] > work.single / 2


def check_what_the_dead_held(
    entries: dict[str, list[Entry]], judged: set[tuple[str, str]], doubled: set[str], jumped_at_ns: int
) -> None:
    """It was kept for them until their leases had ended, and then judged by others.

    judged: episode and author of each verdict; whoever was killed may not have come to write the last one down.
    """
    left = {(entry["episode"], entry["author"]) for entry in entries["took"]} - judged
    assert {author for _, author in left} >= {f"annotator {number}" for number in HOLDING}
    for episode, dead in left:
        after = [e["at_ns"] for e in entries["took"] if e["episode"] == episode and e["author"] != dead]
        if episode not in doubled:
            assert len(after) == 1
            assert after[0] > jumped_at_ns
        assert {author for of, author in judged if of == episode}
