"""Tasks one after another, in this process."""

from __future__ import annotations

from collections.abc import Sequence

from dataset_builder.engines.contract import Done, Work


class Here:
    """No worker to start: the quickest way for little data, and the one that reaches what lies in memory."""

    name = "pool"
    is_elsewhere = False

    def run(self, work: Work, tasks: Sequence[str], done: Done) -> None:
        for place, task in enumerate(tasks):
            work(task)
            done(place)
