"""The encoder process: makes the proxies that people wait for, then all others that are missing, for ever."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path

from review_ui.proxies.batch import ENCODING_FAULTS, encode_row
from review_ui.proxies.store import ProxyStore
from teleloom.catalog import Catalog, CatalogError, EpisodeFilter, EpisodeRow, Sort, UnknownEpisodeError

NICENESS = 10
LISTEN_EVERY_S = 0.2
LOOK_EVERY_S = 5.0
LOOK_AT_ALL_EVERY_S = 3600.0
REST_AFTER_DISK_FAULT_S = 60.0
LISTEN_EVERY_FRAMES = 30
PAGE = 100
ORDER: tuple[Sort, ...] = ("risk", "newest")
"""As the queue has what is still to be reviewed; then the rest."""


class OvertakenError(Exception):
    """Somebody waits for another episode than the one being encoded."""


class GiveWay:
    """Watches, while an episode is encoded, whether another one is waited for; then stops what is less than half done.

    Called with the frames done and their number, from one thread at a time.
    """

    def __init__(self, waited_for: Callable[[], bool]) -> None:
        self._waited_for = waited_for
        self._overtaken = False

    def __call__(self, done: int, total: int) -> None:
        if done % LISTEN_EVERY_FRAMES == 0 and 2 * done < total:
            self._overtaken = self._overtaken or self._waited_for()
        if self._overtaken:  # every camera's thread must stop
            raise OvertakenError


class Worker:
    """Decides what to encode next. An episode that failed is not tried again before all are looked at anew.

    skip: ids of episodes that are never tried.
    """

    def __init__(self, catalog: Catalog, store: ProxyStore, skip: Collection[str] = ()) -> None:
        self._catalog = catalog
        self._store = store
        self._skip = frozenset(skip)
        self._failed: set[tuple[str, str]] = set()
        self._first: list[EpisodeRow] = []
        self._all: Iterator[EpisodeRow] = iter(())
        self._next_look_s = self._next_whole_look_s = self._resting_until_s = 0.0

    def step(self, now_s: float) -> bool:
        """Encode one episode, if there is one to encode. Whether there was."""
        if now_s < self._resting_until_s:
            return False
        row = self._waited_for() or self._unasked(now_s)
        if row is None:
            return False
        print(row.id, flush=True)  # what it dies of, if it dies now
        try:
            encode_row(self._catalog, self._store, row, GiveWay(lambda: (self._waited_for() or row).id != row.id))
        except OvertakenError:
            pass
        except ENCODING_FAULTS as error:
            self._failed.add((row.id, row.content_hash))
            print(f"no proxy of episode {row.id}: {error}", file=sys.stderr, flush=True)
            if isinstance(error, OSError):  # the disk's fault rather than the episode's
                self._resting_until_s = now_s + REST_AFTER_DISK_FAULT_S
        print(flush=True)
        return True

    def _waited_for(self) -> EpisodeRow | None:
        """The episode that somebody asked for last; wishes that are fulfilled, or cannot be, are taken back."""
        for episode_id in self._store.wanted():
            try:
                row = self._catalog.episode(episode_id)
            except UnknownEpisodeError:
                self._store.granted(episode_id)
                continue
            if self._worth_trying(row):
                return row
            self._store.granted(episode_id)
        return None

    def _unasked(self, now_s: float) -> EpisodeRow | None:
        if now_s >= self._next_whole_look_s:
            self._next_whole_look_s = now_s + LOOK_AT_ALL_EVERY_S
            self._store.remove_left_overs()
            self._failed.clear()
            self._all = (row for sort in ORDER for row in self._pages(sort))
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_EVERY_S
            self._first = [row for sort in ORDER for row in self._page(sort, 0)]
        return next(filter(self._worth_trying, chain(self._first, self._all)), None)

    def _worth_trying(self, row: EpisodeRow) -> bool:
        return not (row.id in self._skip or (row.id, row.content_hash) in self._failed or self._store.has(row))

    def _pages(self, sort: Sort) -> Iterator[EpisodeRow]:
        """All episodes, read page by page, as they are worked off."""
        offset = 0
        while rows := self._page(sort, offset):
            yield from rows
            offset += PAGE

    def _page(self, sort: Sort, offset: int) -> Sequence[EpisodeRow]:
        only = EpisodeFilter(statuses=("unreviewed", "disputed")) if sort == "risk" else EpisodeFilter()
        return self._catalog.search(only, sort=sort, offset=offset, limit=PAGE).rows


def main() -> None:
    """Read what to work on from standard input, and work until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's; this ends when the server does
    setup = json.loads(sys.stdin.buffer.readline())
    os.nice(NICENESS)
    threading.Thread(target=_end_with_input, daemon=True).start()
    root = Path(setup["root"])
    try:
        with Catalog.open(setup["url"] or root, root=root) as catalog:
            worker = Worker(catalog, ProxyStore(root), setup["skip"])
            while True:
                if not worker.step(time.monotonic()):
                    time.sleep(LISTEN_EVERY_S)
    except CatalogError as error:
        sys.exit(f"no proxies are made: {error}")


def _end_with_input() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
