"""A process that trains on a mixture, for tests that need a real one; it prints what it saw as JSON lines.

python mixture_trainer.py MANIFEST STATE WORKERS  keeps its state after each batch, endlessly
"""

from __future__ import annotations

import json
import os
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np


def digest(batch: dict) -> str:
    arrays = {name: np.asarray(batch[name]) for name in sorted(batch)}
    parts = [f"{name}{values.shape}{values.dtype}".encode() + values.tobytes() for name, values in arrays.items()]
    return sha256(b"".join(parts)).hexdigest()


def train(manifest: str, state: str, workers: str) -> None:
    from dataset_builder.mixture.torch import MixtureDataset, MixtureLoader

    loader = MixtureLoader(MixtureDataset(Path(manifest)), int(workers))
    if Path(state).exists():
        loader.load_state_dict(json.loads(Path(state).read_text()))
    for batch in loader:
        print(json.dumps({"batch": int(batch["batch"]), "digest": digest(batch)}), flush=True)
        temporary = Path(state + ".tmp")
        temporary.write_text(json.dumps(loader.state_dict()))
        os.replace(temporary, state)


if __name__ == "__main__":
    train(*sys.argv[1:])
