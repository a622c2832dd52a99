"""A `trajectory.h5` that is open: its arrays of numbers and its attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange import hdf5
from dataset_builder.exchange.importing.episode import UnimportableError

STATE, ACTION, TIME = "observation/robot_state", "action", "observation/timestamp"
NS_PER_MS = 1_000_000


@dataclass(frozen=True)
class Trajectory:
    """arrays: of numbers, by path, not read yet. left: what else lies in it. attributes: plain values."""

    file: Path
    arrays: Mapping[str, h5py.Dataset]
    left: tuple[str, ...]
    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, path: Path, file: h5py.File) -> Trajectory:
        """Raises UnimportableError for a file that reaches for others, or holds more than can be walked."""
        every = hdf5.arrays(file)
        found = {name: array for name, array in every.items() if _is_numbers(array)}
        return cls(path, found, tuple(name for name in every if name not in found), _attributes(file))

    def numbers(self, name: str) -> NDArray:
        """An array (T, ...). Raises UnimportableError when the file has none of that name."""
        if name not in self.arrays:
            raise UnimportableError("features-mismatch", f"it has no {name}")
        return np.asarray(self.arrays[name][()])

    def known(self, name: str) -> NDArray | None:
        return self.numbers(name) if name in self.arrays else None


def _is_numbers(dataset: h5py.Dataset) -> bool:
    return bool(dataset.dtype.kind in "fiub" and dataset.ndim > 0 and dataset.nbytes <= hdf5.MAX_ARRAY_BYTES)


def _attributes(file: h5py.File) -> dict[str, Any]:
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in file.attrs.items()}
    return {name: hdf5.text_of(value) or value for name, value in plain.items()}
