"""The engine that the command line asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dataset_builder.engines.beam import DIRECT, Beam
from dataset_builder.engines.contract import Engine, EngineError
from dataset_builder.engines.dask import Dask, Tls
from dataset_builder.engines.here import Here
from dataset_builder.engines.pool import Pool

ENGINES = ("pool", "dask", "beam")
WORTH_A_POOL_BYTES = 1_000_000_000
"""Less than this is written in one process before a second one would have caught up."""


def default_engine(num_bytes: int, tasks: int) -> Engine:
    """This process for little work, a pool of all cores for much."""
    workers = min(os.cpu_count() or 1, tasks)
    return Pool(workers) if workers > 1 and num_bytes >= WORTH_A_POOL_BYTES else Here()


def chosen_engine(
    name: str,
    workers: int | None = None,
    scheduler: str | None = None,
    tls: Sequence[str] | None = None,
    runner: str | None = None,
    options: Sequence[str] = (),
) -> Engine | None:
    """The engine called `name`; None where the size of the work is to decide. Raises EngineError for options that
    belong to another engine."""
    for option, given, owner in (
        ("--scheduler", scheduler, "dask"),
        ("--tls", tls, "dask"),
        ("--runner", runner, "beam"),
        ("--pipeline-option", options, "beam"),
    ):
        if given and name != owner:
            raise EngineError(f"{option} belongs to --engine {owner}, not to {name}")
    if name == "dask":
        if scheduler and workers:
            raise EngineError("the workers of --scheduler are started by whoever runs it; leave --workers out")
        if tls and not scheduler:
            raise EngineError("--tls is for a --scheduler; workers of our own stay on this machine")
        return Dask(workers or os.cpu_count() or 1, scheduler, Tls(*tls) if tls else None)
    if name == "beam":
        if workers and runner not in (None, DIRECT):
            raise EngineError(f"how many workers {runner} uses is said by its own --pipeline-option")
        flags = [option if option.startswith("--") else f"--{option}" for option in options]
        return Beam(runner or DIRECT, flags, workers or 1)
    if workers is None:
        return None
    return Here() if workers == 1 else Pool(workers)
