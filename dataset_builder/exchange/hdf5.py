"""HDF5 files that anybody may have written: what is in them, and never more than can be held."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.importing.episode import ImportedCamera, UnimportableError, encode_pixels

Arrays = dict[str, h5py.Dataset]

MAX_MEMBERS, MAX_DEPTH = 10_000, 16
MAX_ARRAY_BYTES, MAX_IMAGE_BYTES = 256 * 1024 * 1024, 64 * 1024 * 1024
MAX_NUMBERS_BYTES = 1024 * 1024 * 1024
"""Of what is read at once: one array, one image, all arrays of an episode. A file can claim any size for an array that
was never written."""

FAULTS = (OSError, KeyError, RuntimeError, TypeError, ValueError, IndexError, AttributeError)
"""What h5py and numpy raise at a file that is damaged or of another shape than expected."""


def member(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset:
    """What lies at `path` in the file itself. Raises KeyError, and UnimportableError for a link to anywhere else."""
    found = group
    for name in path.split("/"):
        link = found.get(name, getlink=True) if isinstance(found, h5py.Group) else None
        if link is None:
            raise KeyError(f"no {path}")
        if not isinstance(link, h5py.HardLink):
            raise UnimportableError("bad-file", f"{path} is a link to somewhere else; only what is in the file is read")
        found = found[name]
    return found


def has(group: h5py.Group, path: str) -> bool:
    """Whether the file itself has something at `path`."""
    try:
        member(group, path)
    except (KeyError, UnimportableError):
        return False
    return True


def arrays(group: h5py.Group) -> Arrays:
    """Every array below `group`, by its path. Raises UnimportableError for one that is kept in another file: a foreign
    file must not reach what else lies on this machine."""
    found: Arrays = {}
    members = 0
    pending: list[tuple[str, h5py.Group]] = [("", group)]
    while pending:
        prefix, each = pending.pop()
        for name in each:
            members += 1
            if members > MAX_MEMBERS:
                # One group can hang in many others, so that a small file has more paths than could ever be walked.
                raise UnimportableError("bad-file", f"it has more than {MAX_MEMBERS} groups and arrays")
            path = f"{prefix}{name}"
            item = member(each, name)
            if isinstance(item, h5py.Group):
                if path.count("/") >= MAX_DEPTH:
                    raise UnimportableError("bad-file", f"{path} lies deeper than {MAX_DEPTH} groups")
                pending.append((f"{path}/", item))
                continue
            if item.external or item.is_virtual:
                raise UnimportableError("bad-file", f"{path} is kept in another file; only what is in this one is read")
            if item.chunks is not None and math.prod(item.chunks) * item.dtype.itemsize > MAX_ARRAY_BYTES:
                raise UnimportableError("bad-file", f"{path} lies in chunks of more than {MAX_ARRAY_BYTES} bytes")
            found[path] = item
    return found


def whole(dataset: h5py.Dataset) -> NDArray[Any]:
    """All of an array. Raises UnimportableError for one that is larger than MAX_ARRAY_BYTES."""
    if dataset.nbytes > MAX_ARRAY_BYTES:
        detail = f"{dataset.name} claims {dataset.nbytes} bytes; at most {MAX_ARRAY_BYTES} are read at once"
        raise UnimportableError("bad-file", detail)
    values: NDArray[Any] = dataset[()]
    return values


def whole_of_each(found: Mapping[str, h5py.Dataset]) -> dict[str, NDArray[Any]]:
    """All of several arrays. Raises UnimportableError where they are larger than MAX_NUMBERS_BYTES together."""
    size = sum(dataset.nbytes for dataset in found.values())
    if size > MAX_NUMBERS_BYTES:
        detail = f"its arrays of numbers claim {size} bytes; at most {MAX_NUMBERS_BYTES} are read of an episode"
        raise UnimportableError("bad-file", detail)
    return {name: whole(dataset) for name, dataset in found.items()}


def numbers(found: Mapping[str, h5py.Dataset], count: int) -> dict[str, NDArray[Any]]:
    """The arrays that hold a row of numbers for each of `count` steps. Raises UnimportableError when too large."""
    return whole_of_each({name: data for name, data in found.items() if is_numbers(data, count)})


def write_pixels(group: h5py.Group, key: str, frames: Iterator[NDArray[np.uint8]], count: int, **options: Any) -> None:
    """Write (T, H, W, 3) images, a chunk for each, as a reader draws steps at random."""
    dataset: h5py.Dataset | None = None
    for i, pixels in enumerate(frames):
        if dataset is None:
            shape = (count, *pixels.shape)
            dataset = group.create_dataset(key, shape, dtype="u1", chunks=(1, *pixels.shape), **options)
        dataset[i] = pixels


def encoded(dataset: h5py.Dataset, count: int, quality: int) -> ImportedCamera:
    """A camera of at most `count` images (T, H, W, C), encoded once, one of them in memory at a time."""
    digest, frames = hashlib.sha256(), []
    for i in range(images_in(dataset, count)):
        pixels = dataset[i]
        digest.update(pixels.tobytes())
        frames.append(encode_pixels(pixels, quality))
    return ImportedCamera(frames, quality, origin=digest.digest())


def images_in(dataset: h5py.Dataset, count: int) -> int:
    """How many images an array (T, ...) holds. Raises UnimportableError where that, or their size, cannot be."""
    size = math.prod(dataset.shape[1:]) * dataset.dtype.itemsize
    if len(dataset) > count or size > MAX_IMAGE_BYTES:
        detail = f"{dataset.name} claims {len(dataset)} images of {size} bytes for {count} steps"
        raise UnimportableError("image-format", detail)
    return len(dataset)


def is_pixels(dataset: h5py.Dataset) -> bool:
    """Whether it holds images: (T, H, W, 1 or 3) uint8."""
    return bool(dataset.ndim == 4 and dataset.dtype == np.uint8 and dataset.shape[3] in (1, 3))


def is_numbers(dataset: h5py.Dataset, count: int) -> bool:
    """Whether it holds a row of numbers for each of `count` steps."""
    return bool(dataset.dtype.kind in "fiub" and dataset.ndim in (1, 2) and dataset.shape[0] == count)


def attributes_but(group: h5py.Group, known: Collection[str]) -> tuple[str, ...]:
    """The names of what hangs on a group beside its members, but for what is `known`."""
    return tuple(f"attribute {name}" for name in sorted(group.attrs) if name not in known)


def text_of(value: Any) -> str:
    """An attribute or a scalar as text; "" for what is none. Some writers keep bytes, others arrays of one."""
    while isinstance(value, np.ndarray) and value.size:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Turn what a damaged file raises into UnimportableError."""
    try:
        yield
    except UnimportableError:
        raise
    except FAULTS as error:
        raise UnimportableError("bad-file", f"{what} cannot be read ({error})") from None


def files(path: Path, pattern: str) -> Sequence[Path]:
    """`path` itself when it is a file, else the files in it that match, in order of the numbers in their names."""
    if path.is_file():
        return [path]
    return sorted(path.glob(pattern), key=lambda file: (_number(file.stem), file.name))


def first_has(path: Path, pattern: str, looks_right: Callable[[h5py.File], bool]) -> bool:
    """Whether the first of `files` is HDF5 and looks right; never raises."""
    try:
        found = files(path, pattern)
        if not found or not h5py.is_hdf5(found[0]):
            return False
        with h5py.File(found[0], "r") as file:
            return looks_right(file)
    except FAULTS:
        return False


def _number(stem: str) -> int:
    digits = stem.rpartition("_")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else -1


def by_number(names: Mapping[str, Any]) -> list[str]:
    """Names like `demo_2` in order of their numbers."""
    return sorted(names, key=lambda name: (_number(name), name))
