"""ACT / ALOHA files, ours or anybody's, as episodes of a station."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange import hdf5, our_group
from dataset_builder.exchange.aloha import layout
from dataset_builder.exchange.importing.dataset import ForeignDataset, ForeignDatasetError, ImportOptions, Source
from dataset_builder.exchange.importing.episode import (
    ImportedCamera,
    ImportedEpisode,
    RawArray,
    UnimportableError,
    unknown_robot,
)
from dataset_builder.exchange.importing.own_exports import restored

LOOKS_FOR = "episode_N.hdf5 with observations/qpos and action"
_FILES = "episode_*.hdf5"


def recognises(path: Path) -> bool:
    """Whether `path` is an ACT file, or a folder of such."""
    names = (layout.QPOS, layout.ACTION)
    return hdf5.first_has(path, _FILES, lambda file: all(hdf5.has(file, name) for name in names))


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The episodes of a folder or file. Raises ForeignDatasetError."""
    found = hdf5.files(path, _FILES)
    if not found:
        raise ForeignDatasetError(f"{path} has no {_FILES}")
    sources = [Source(file.name, partial(_read, file, path.resolve().name, options)) for file in found]
    notes = (
        f"ACT files have no rate: {layout.RATE_HZ:g} steps a second, unless --rate-hz or our own group says otherwise.",
        "Whoever recorded with cv2.imencode from RGB images has red and blue exchanged; the files do not say.",
    )
    return ForeignDataset(layout.FORMAT, path.resolve().name, len(found), sources, (), notes)


def _read(path: Path, dataset: str, options: ImportOptions) -> ImportedEpisode:
    with hdf5.naming(path.name), h5py.File(path, "r") as file:
        found = hdf5.arrays(file)
        about = our_group.read_about(found)
        count = len(found[layout.QPOS])
        own = {name: data for name, data in found.items() if not name.startswith((layout.IMAGES, f"{our_group.OURS}/"))}
        raw = {name: RawArray(values, _names(name, values)) for name, values in hdf5.numbers(own, count).items()}
        images = {
            name.removeprefix(layout.IMAGES): data for name, data in found.items() if name.startswith(layout.IMAGES)
        }
        cameras = dict(_cameras(images, count, options.jpeg_quality))
        if about is not None:
            kept = our_group.read_jpegs(found) or cameras
            columns = our_group.read_columns(found)
            return restored(
                about, columns, kept, options, format=layout.FORMAT, dataset=dataset, source=path.name, raw=raw
            )
        texts = (options.instruction, hdf5.text_of(hdf5.whole(own[layout.LANGUAGE])) if layout.LANGUAGE in own else "")
        instruction = next((text for text in texts if text), "")
        known = {layout.LENGTHS, layout.LANGUAGE, *raw}
        return ImportedEpisode(
            format=layout.FORMAT,
            dataset=dataset,
            source=path.name,
            rate_hz=options.rate_hz or layout.RATE_HZ,
            task=options.task or dataset,
            instructions=(instruction,),
            cameras=cameras,
            raw=raw,
            scene=options.scene or "",
            operator=options.operator or "unknown",
            simulated=bool(file.attrs.get("sim", False)),
            not_carried=(
                *(name for name in own if name not in known),
                *hdf5.attributes_but(file, ("sim", "compress")),
            ),
            **_arms(raw, options),
        )


def _names(name: str, values: NDArray[Any]) -> tuple[str, ...]:
    known = name in (layout.QPOS, layout.QVEL, layout.ACTION, layout.EFFORT) and values.shape[1:] == (
        len(layout.NAMES),
    )
    return layout.NAMES if known else ()


def _arms(raw: Mapping[str, RawArray], options: ImportOptions) -> dict[str, Any]:
    """Robot and joints of a two-armed ALOHA; of any other robot the file says nothing but numbers."""
    if raw[layout.QPOS].names != layout.NAMES or raw.get(layout.ACTION, RawArray(np.empty(0))).names != layout.NAMES:
        return {"robot": options.robot or unknown_robot("aloha")}
    arms = [i for i in range(len(layout.NAMES)) if i not in layout.GRIPPERS]
    joints = {"joints": layout.QPOS, "joint_velocity": layout.QVEL, "joint_target": layout.ACTION}
    return {
        "robot": options.robot or unknown_robot("aloha", [layout.NAMES[i] for i in arms]),
        **{field: raw[name].values[:, arms].astype(np.float64) for field, name in joints.items() if name in raw},
    }


def _cameras(images: hdf5.Arrays, count: int, quality: int) -> Iterator[tuple[str, ImportedCamera]]:
    for key, data in sorted(images.items()):
        if hdf5.is_pixels(data):
            yield key, hdf5.encoded(data, count, quality)
        elif data.ndim == 2 and data.dtype == np.uint8:
            # The rows of /compress_len are in the order of somebody's configuration; zeros cannot end a JPEG.
            rows = range(hdf5.images_in(data, count))
            yield key, ImportedCamera([data[i].tobytes().rstrip(b"\0") for i in rows])
        elif data.ndim == 1 and _is_bytes(data):
            yield key, ImportedCamera([_bytes(data[i]) for i in range(hdf5.images_in(data, count))])
        else:
            raise UnimportableError("image-format", f"camera '{key}' is {data.dtype} {data.shape}")


def _is_bytes(data: h5py.Dataset) -> bool:
    """Whether each image is one string of bytes, as RDT and others derived from ACT have it."""
    return bool(data.dtype.kind in "SV" or h5py.check_string_dtype(data.dtype) or h5py.check_vlen_dtype(data.dtype))


def _bytes(image: Any) -> bytes:
    data = image if isinstance(image, bytes) else np.asarray(image).tobytes()
    return data.rstrip(b"\0")
