"""What an HDF5 file holds, found without following anything out of it and without reading data.

Values of varying length are refused wherever they stand: HDF5 keeps them in a heap whose damage can make the library
loop for ever, and their size is not known before they are read.
"""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o
from h5py.h5d import DatasetID
from h5py.h5g import GroupID

MAX_OBJECTS = 10_000
MAX_DEPTH = 6
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_BYTES = 64 * 1024


def objects(file: h5py.File, file_bytes: int) -> dict[str, DatasetID]:
    """Every dataset by its path, without a leading slash.

    HDF5's own handles are asked, for speed: h5py's objects ask several times for each answer.
    Raises ValueError for links that are not hard, loops, storage outside the file, arrays larger than the file,
    compound or reference types, and more than MAX_OBJECTS.
    """
    found: dict[str, DatasetID] = {}
    pending: list[tuple[str, GroupID, int]] = [("", h5g.open(file.id, b"/"), 0)]
    seen = 0
    while pending:
        prefix, group, depth = pending.pop()
        links = group.links
        for name in group:
            path = f"{prefix}{_readable(name, f'/{prefix}')}"
            seen += 1
            if seen > MAX_OBJECTS or depth > MAX_DEPTH:
                raise ValueError(f"more than {MAX_OBJECTS} objects, or groups nested deeper than {MAX_DEPTH}")
            if links.get_info(name).type != h5l.TYPE_HARD:
                raise ValueError(f"/{path} is a link to somewhere else")
            item = h5o.open(group, name)
            if isinstance(item, GroupID):
                pending.append((f"{path}/", item, depth + 1))
            elif isinstance(item, DatasetID):
                _check_dataset(path, item, file_bytes)
                found[path] = item
            else:
                raise ValueError(f"/{path} is neither a group nor a dataset")
    return found


def attributes(item: h5py.Group) -> dict[str, Any]:
    """The attributes of a group as plain Python values. Raises ValueError for any that is no small scalar."""
    count = h5a.get_num_attrs(item.id)
    if count > MAX_ATTRIBUTES:
        raise ValueError(f"{item.name} has more than {MAX_ATTRIBUTES} attributes")
    values: dict[str, Any] = {}
    for index in range(count):
        stored = h5a.open(item.id, index=index)
        name, dtype = _readable(stored.name, f"{item.name}: its attributes"), stored.dtype
        if stored.shape != () or dtype.kind not in "iufbS":
            raise ValueError(f"attribute {name} of {item.name} is no number and no text of fixed length")
        if stored.get_storage_size() > MAX_ATTRIBUTE_BYTES:
            raise ValueError(f"attribute {name} of {item.name} is larger than {MAX_ATTRIBUTE_BYTES} bytes")
        value = np.empty((), dtype)
        stored.read(value)
        values[name] = value.item().decode() if dtype.kind == "S" else value.item()
    return values


def texts(dataset: h5py.Dataset) -> list[str]:
    """A column of texts. Raises ValueError when it is none."""
    if dataset.dtype.kind != "S" or dataset.ndim != 1:
        raise ValueError(f"{dataset.name} is {dataset.dtype} {dataset.shape}, not a column of texts")
    return [bytes(value).decode() for value in dataset[()]]


def _readable(name: bytes, parent: str) -> str:
    text = name.decode("utf-8", "replace")
    if not text.isprintable() or "\ufffd" in text:
        raise ValueError(f"{parent} holds something with an unreadable name")
    return text


def _check_dataset(path: str, dataset: DatasetID, file_bytes: int) -> None:
    dtype, shape = dataset.dtype, dataset.shape
    if dtype.kind not in "iufbS" or dtype.subdtype is not None:
        raise ValueError(f"/{path} is of type {dtype}")
    # What lies in one piece in this file has an offset there, which is far cheaper to ask for than the property list.
    if dataset.get_offset() is None:
        storage = dataset.get_create_plist()
        if storage.get_external_count() or storage.get_layout() == h5d.VIRTUAL:
            raise ValueError(f"/{path} keeps its data outside the file")
    if shape is None or math.prod(shape) * dtype.itemsize > file_bytes:
        raise ValueError(f"/{path} claims {shape} of {dtype}, more than the whole file")
