"""One annotator as a process of its own: takes episodes, judges them, gives them back, and keeps a diary."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teleloom.catalog import Catalog, EpisodeRow, Note, Score, StaleRevisionError, Verdict

LEASE_S = 600.0
STALE_EVERY = 20
RESEND_EVERY = 25
POLL_S = 0.05


@dataclass(frozen=True)
class Shared:
    """What the test and all annotators see. jump_ns: how far the catalog's clock is ahead of the machine's.

    idle: per annotator, whether there was nothing to take. done: per annotator, how many verdicts are in.
    """

    start: Any
    jump_ns: Any
    idle: Any
    done: Any


class Diary:
    """What one annotator knows to have happened, a line each, in the file as soon as it is said."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, what: str, **details: object) -> None:
        os.write(self._file, (json.dumps({"what": what, "at_ns": time.monotonic_ns()} | details) + "\n").encode())


def annotate_until_done(url: str, number: int, shared: Shared, diary_path: Path, die_after: int | None) -> None:
    """Judge episodes until none is unreviewed. die_after: hold the episode after so many verdicts, until killed."""
    name, diary = f"annotator {number}", Diary(diary_path)
    with Catalog.open(url, now=lambda: time.time_ns() + shared.jump_ns.value) as catalog:
        shared.start.wait(60)
        given = 0
        while True:
            taken = catalog.claim_next(name, LEASE_S)
            if taken is None:
                shared.idle[number] = True
                if catalog.counts()["unreviewed"] == 0:
                    return
                time.sleep(POLL_S)
                continue
            shared.idle[number] = False
            row, lease = taken
            diary.write("took", episode=row.id)
            if given == die_after:
                shared.idle[number] = True
                time.sleep(600)
            _judge(catalog, row, name, given, diary)
            given += 1
            shared.done[number] = given
            diary.write("gives back", episode=row.id)
            catalog.leases.release(lease)


def _judge(catalog: Catalog, row: EpisodeRow, name: str, given: int, diary: Diary) -> None:
    verdict = Verdict(decision="approve", reason=f"{name}: {given}", spent_s=1.5)
    operation = f"{name}/{given}"

    def send(seen_revision: int) -> int:
        return catalog.annotate_all(row.id, [Score(score=given % 5 + 1), verdict], name, seen_revision, operation)

    seen, revision = _send_when_fresh(catalog, row, send, diary)
    diary.write("judged", episode=row.id, revision=revision, operation=operation, reason=verdict.reason)
    if given % RESEND_EVERY == 0:
        diary.write("resent", first=revision, again=send(seen))
    if given % STALE_EVERY == 0:
        try:
            catalog.annotate(row.id, Note(text="stale"), name, row.revision)
            diary.write("stale went through", episode=row.id)
        except StaleRevisionError as error:
            diary.write(
                "stale refused", episode=row.id, told=str(error), mine=f"'{name}' approved it ('{verdict.reason}')"
            )


def _send_when_fresh(catalog: Catalog, row: EpisodeRow, send: Callable[[int], int], diary: Diary) -> tuple[int, int]:
    """Send with the newest revision: where two judge an episode at once, the second has to look again."""
    seen = row.revision
    while True:
        try:
            return seen, send(seen)
        except StaleRevisionError as error:
            diary.write("looked again", episode=row.id, others=sorted({event.author for event in error.events}))
            seen = catalog.view(row.id).revision
