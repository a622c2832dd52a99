"""Processes that train on a mixture, for tests that need real ones; they print what they saw as JSON lines.

python mixture_trainer.py train MANIFEST STATE WORKERS  a training that keeps its state after each batch, endlessly
python mixture_trainer.py epoch MANIFEST WORKERS RANK RANKS  one rank through an epoch of the first source
python mixture_trainer.py batches MANIFEST COUNT torch|tensorflow  digests of the first batches
"""

from __future__ import annotations

import json
import os
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

from dataset_builder.mixture.manifest import MixtureManifest
from dataset_builder.mixture.stream import Place, Stream
from teleloom.config import load_yaml


def digest(batch: dict) -> str:
    arrays = {name: np.asarray(batch[name]) for name in sorted(batch)}
    parts = [f"{name}{values.shape}{values.dtype}".encode() + values.tobytes() for name, values in arrays.items()]
    return sha256(b"".join(parts)).hexdigest()


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def train(manifest: str, state: str, workers: str) -> None:
    from dataset_builder.mixture.torch import MixtureDataset, MixtureLoader

    loader = MixtureLoader(MixtureDataset(Path(manifest)), int(workers))
    if Path(state).exists():
        loader.load_state_dict(json.loads(Path(state).read_text()))
    for batch in loader:
        say(batch=int(batch["batch"]), digest=digest(batch))
        temporary = Path(state + ".tmp")
        temporary.write_text(json.dumps(loader.state_dict()))
        os.replace(temporary, state)


def epoch(manifest: str, workers: str, rank: str, ranks: str) -> None:
    from dataset_builder.mixture.torch import MixtureDataset, MixtureLoader

    dataset = MixtureDataset(Path(manifest), place=Place(int(rank), int(ranks)))
    total = max(dataset.mixture.epochs().values())
    for batch in MixtureLoader(dataset, int(workers)):
        say(batch=int(batch["batch"]), item=batch["item"].tolist(), epoch=batch["epoch"].tolist())
        if int(batch["batch"] + int(ranks)) * dataset.mixture.manifest.batch_size >= total:
            return


def batches(manifest: str, count: str, kind: str) -> None:
    if kind == "torch":
        from dataset_builder.mixture.torch import MixtureDataset

        made = iter(MixtureDataset(Path(manifest)))
    else:
        from dataset_builder.mixture.tensorflow import tf_dataset

        stream = Stream(load_yaml(Path(manifest), MixtureManifest), Path(manifest).parent)
        dataset = tf_dataset(stream, int(count))
        assert all(spec.shape.is_fully_defined() for spec in dataset.element_spec.values())
        made = dataset.as_numpy_iterator()
    for _ in range(int(count)):
        batch = next(made)
        say(batch=int(batch["batch"]), digest=digest(batch))


if __name__ == "__main__":
    {"train": train, "epoch": epoch, "batches": batches}[sys.argv[1]](*sys.argv[2:])
