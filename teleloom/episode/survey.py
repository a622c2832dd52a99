"""What an HDF5 file holds, found without following anything out of it and without reading data.

Values of varying length are refused wherever they stand: HDF5 keeps them in a heap whose damage can make the library
loop for ever, and their size is not known before they are read.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

MAX_OBJECTS = 10_000
MAX_DEPTH = 6
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_BYTES = 64 * 1024


def objects(file: h5py.File, file_bytes: int) -> dict[str, h5py.Dataset]:
    """Every dataset by its path, without a leading slash.

    Raises ValueError for links that are not hard, loops, storage outside the file, arrays larger than the file,
    compound or reference types, and more than MAX_OBJECTS.
    """
    found: dict[str, h5py.Dataset] = {}
    pending: list[tuple[str, h5py.Group, int]] = [("", file["/"], 0)]
    seen = 0
    while pending:
        prefix, group, depth = pending.pop()
        for name in group:
            path = f"{prefix}{name}"
            seen += 1
            _check_name(name, group)
            if seen > MAX_OBJECTS or depth > MAX_DEPTH:
                raise ValueError(f"more than {MAX_OBJECTS} objects, or groups nested deeper than {MAX_DEPTH}")
            if type(group.get(name, getlink=True)) is not h5py.HardLink:
                raise ValueError(f"/{path} is a link to somewhere else")
            item = group[name]
            if isinstance(item, h5py.Group):
                pending.append((f"{path}/", item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                _check_dataset(path, item, file_bytes)
                found[path] = item
            else:
                raise ValueError(f"/{path} is neither a group nor a dataset")
    return found


def attributes(item: h5py.Group) -> dict[str, Any]:
    """The attributes of a group as plain Python values. Raises ValueError for any that is no small scalar."""
    if len(item.attrs) > MAX_ATTRIBUTES:
        raise ValueError(f"{item.name} has more than {MAX_ATTRIBUTES} attributes")
    values: dict[str, Any] = {}
    for name in item.attrs:
        _check_name(name, item)
        stored = item.attrs.get_id(name)
        if stored.shape != () or stored.dtype.kind not in "iufbS":
            raise ValueError(f"attribute {name} of {item.name} is no number and no text of fixed length")
        if stored.get_storage_size() > MAX_ATTRIBUTE_BYTES:
            raise ValueError(f"attribute {name} of {item.name} is larger than {MAX_ATTRIBUTE_BYTES} bytes")
        value = item.attrs[name]
        values[name] = bytes(value).decode() if stored.dtype.kind == "S" else value.item()
    return values


def texts(dataset: h5py.Dataset) -> list[str]:
    """A column of texts. Raises ValueError when it is none."""
    if dataset.dtype.kind != "S" or dataset.ndim != 1:
        raise ValueError(f"{dataset.name} is {dataset.dtype} {dataset.shape}, not a column of texts")
    return [bytes(value).decode() for value in dataset[()]]


def _check_name(name: str | bytes, parent: h5py.Group) -> None:
    if not isinstance(name, str) or not name.isprintable():
        raise ValueError(f"{parent.name} holds something with an unreadable name")


def _check_dataset(path: str, dataset: h5py.Dataset, file_bytes: int) -> None:
    dtype = dataset.dtype
    if dtype.kind not in "iufbS" or dtype.subdtype is not None:
        raise ValueError(f"/{path} is of type {dtype}")
    if dataset.external is not None or dataset.is_virtual:
        raise ValueError(f"/{path} keeps its data outside the file")
    if dataset.shape is None or int(np.prod(dataset.shape, dtype=object)) * dtype.itemsize > file_bytes:
        raise ValueError(f"/{path} claims {dataset.shape} of {dtype}, more than the whole file")
