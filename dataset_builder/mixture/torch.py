"""A mixture in PyTorch: whole batches as an IterableDataset, over any number of workers and ranks.

Hand it to a DataLoader with `batch_size=None`, or use `MixtureLoader`, which also knows where it is. torchdata's
StatefulDataLoader finds `state_dict` and `load_state_dict` where it looks for them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builder.mixture.manifest import MixtureManifest
from dataset_builder.mixture.mixture import Mixture
from dataset_builder.mixture.stream import Place, Stream
from teleloom.config import load_yaml
from teleloom.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch", "train")
    require("torch.utils.data", "train")

Tensors = dict[str, torch.Tensor]
_WORKER_BATCHES = "worker_batches"


class MixtureDataset(torch.utils.data.IterableDataset[Tensors]):
    """The batches of this rank as dicts of tensors (`dataset_builder.mixture.mixture.Batch` says which), without end.

    place: rank and number of ranks; what torch.distributed says by default. The mixture is opened once here, so that
    indices are made before workers start, and again in workers that do not share this process's memory.
    """

    def __init__(self, manifest: Path | MixtureManifest, base: Path | None = None, place: Place | None = None) -> None:
        """manifest: a file, or one already read, whose relative paths start at `base`. Raises RuntimeError where
        several ranks were launched and do not know of each other yet."""
        super().__init__()
        if isinstance(manifest, Path):
            base, manifest = base or manifest.parent, load_yaml(manifest, MixtureManifest)
        self.stream = Stream(manifest, base or Path(), place or _distributed())
        self._worker_batches = 0
        _ = self.mixture

    @property
    def mixture(self) -> Mixture:
        return self.stream.mixture

    def __iter__(self) -> Iterator[Tensors]:
        number, count = _worker() or (0, 1)
        for batch in self.stream.batches(number + self._worker_batches * count, count):
            self._worker_batches += 1
            yield {name: torch.as_tensor(values) for name, values in batch.items()}

    def state_dict(self) -> dict[str, Any]:
        """Where this copy of the dataset is: that of a worker counts the worker's own batches, and the one in the main
        process sees nothing of what workers do. StatefulDataLoader asks each worker; else use `MixtureLoader`."""
        if _worker() is None:
            return self.stream.state(self._worker_batches)
        return {**self.stream.state(), _WORKER_BATCHES: self._worker_batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of `state_dict` or of a `MixtureLoader`. Raises BadMixtureError for another mixture's."""
        self.stream.resume(state)
        self._worker_batches = int(state.get(_WORKER_BATCHES, 0))


class MixtureLoader:
    """The batches of a MixtureDataset from `workers` processes (0: this one), in the same order with any number.

    `state_dict` after batch n leads to batch n + 1, whatever the workers have made ahead. Iterating again goes on,
    and ends an iteration that was left before. options: of the DataLoader, e.g. pin_memory, prefetch_factor,
    multiprocessing_context. Raises ValueError for persistent_workers, which would not hear of a state that is loaded,
    and for in_order=False, with which no state says what was given.
    """

    def __init__(self, dataset: MixtureDataset, workers: int = 0, **options: Any) -> None:
        if options.get("persistent_workers"):
            raise ValueError("persistent_workers would go on where they were, whatever state is loaded; leave it out")
        if not options.get("in_order", True):
            raise ValueError("without in_order a state would give batches twice and leave others out; leave it out")
        self.dataset = dataset
        self._loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers, **options)
        self._done = 0
        self._iteration = 0

    def __iter__(self) -> Iterator[Tensors]:
        self.load_state_dict(self.state_dict())
        iteration = self._iteration
        for batch in self._loader:
            if iteration != self._iteration:
                return
            self._done += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """What to keep beside a checkpoint, as plain JSON: the same on all ranks, for any number of workers."""
        return self.dataset.stream.state(self._done)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there the next time this is iterated over. Raises BadMixtureError for another mixture's state."""
        self.dataset.load_state_dict(state)
        self._done = 0
        self._iteration += 1


def _worker() -> tuple[int, int] | None:
    """Number of this worker and how many there are; None in the main process."""
    worker = torch.utils.data.get_worker_info()
    return None if worker is None else (worker.id, worker.num_workers)


def _distributed() -> Place:
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return Place(distributed.get_rank(), distributed.get_world_size())
    launched = os.environ.get("WORLD_SIZE") or "1"
    if launched != "1":
        raise RuntimeError(
            f"WORLD_SIZE says that {launched} ranks were launched, and torch.distributed is not initialised, so each "
            "of them would get all batches; call init_process_group first, or give place=Place(rank, ranks)"
        )
    return Place()
