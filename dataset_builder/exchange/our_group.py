"""Our own group in a foreign HDF5 file: what the format has no place for, written on the way out and read back."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.exporting.episodes import Departure
from dataset_builder.exchange.hdf5 import MAX_IMAGE_BYTES, Arrays, whole, whole_of_each
from dataset_builder.exchange.importing.episode import ImportedCamera, UnimportableError
from dataset_builder.exchange.importing.own_exports import MAX_DOCUMENT_CHARS, About
from dataset_builder.manifest import BuildManifest

OURS = "teleloom"
"""The group that readers of the format do not look into: `about`, `steps/<column>` and `jpeg/<key>/{data,end}`."""


def write_ours(parent: h5py.Group, departure: Departure, manifest: BuildManifest, *, jpegs: bool) -> None:
    """Write our group into `parent`: the step columns, the document and, where asked for, the JPEG bytes."""
    group = parent.create_group(OURS)
    group.create_dataset("about", data=np.bytes_(departure.about(manifest).encode()))
    for name, values in departure.columns().items():
        group.create_dataset(f"steps/{name}", data=values)
    if jpegs:
        for key, frames in departure.images.items():
            ends = np.cumsum([len(frame) for frame in frames], dtype=np.uint64)
            group.create_dataset(f"jpeg/{key}/data", data=np.frombuffer(b"".join(frames), dtype=np.uint8))
            group.create_dataset(f"jpeg/{key}/end", data=ends)


def read_about(found: Arrays) -> About | None:
    """The document of our group; None where there is no such group. Raises UnimportableError."""
    dataset = found.get(f"{OURS}/about")
    if dataset is None:
        return None
    if dataset.dtype.kind != "S" or dataset.shape != () or dataset.dtype.itemsize > MAX_DOCUMENT_CHARS:
        raise UnimportableError(
            "bad-metadata", f"/{OURS}/about is no single text of at most {MAX_DOCUMENT_CHARS} bytes"
        )
    return About.parse(bytes(dataset[()]).decode())


def read_columns(found: Arrays) -> dict[str, NDArray[Any]]:
    """The step columns of our group."""
    prefix = f"{OURS}/steps/"
    return whole_of_each({name.removeprefix(prefix): data for name, data in found.items() if name.startswith(prefix)})


def read_jpegs(found: Arrays) -> dict[str, ImportedCamera]:
    """The JPEGs of our group by image key; none where the export left them out."""
    cameras = {}
    prefix, suffix = f"{OURS}/jpeg/", "/end"
    for name in sorted(found):
        if not (name.startswith(prefix) and name.endswith(suffix)):
            continue
        key = name.removeprefix(prefix).removesuffix(suffix)
        ends, data = whole(found[name]).astype(np.int64), found[f"{prefix}{key}/data"]
        sizes = np.diff(ends, prepend=0)
        if ends.ndim != 1 or np.any((sizes < 0) | (sizes > MAX_IMAGE_BYTES)) or (len(ends) and ends[-1] != len(data)):
            raise UnimportableError("broken-image", f"the frames of '{key}' do not lie one after another")
        starts = [0, *ends[:-1].tolist()]
        cameras[key] = ImportedCamera([data[s:e].tobytes() for s, e in zip(starts, ends.tolist(), strict=True)])
    return cameras
