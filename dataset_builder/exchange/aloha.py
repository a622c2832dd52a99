"""ACT / ALOHA HDF5: an `episode_N.hdf5` for each episode, written and read.

The layout is that of ACT's `record_episodes.py`: `/observations/{qpos,qvel,images/<cam>}`, `/action`, attribute `sim`;
and with the attribute `compress`, as Mobile ALOHA has it, each image is a row of JPEG bytes padded with zeros, whose
lengths are in `/compress_len`. In ACT an action is where the joints shall go, so that is what `/action` holds, whatever
the manifest says; the manifest's actions are in our group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from dataset_builder.exchange import hdf5
from dataset_builder.exchange.arriving import restored
from dataset_builder.exchange.departures import Departure, Departures
from dataset_builder.exchange.exporting import ExportReport, chosen, export_whole
from dataset_builder.exchange.imported import (
    ImportedCamera,
    ImportedEpisode,
    RawArray,
    UnimportableError,
    unknown_robot,
)
from dataset_builder.exchange.report import (
    ForeignDataset,
    ForeignDatasetError,
    ImportOptions,
    NotCarried,
    Progress,
    Source,
)
from dataset_builder.manifest import BuildManifest
from dataset_builder.source.candidates import Selection
from teleloom.episode.new_file import new_hdf5

FORMAT = "aloha"
LOOKS_FOR = "episode_N.hdf5 with observations/qpos and action"
JPEG, PIXELS = "jpeg", "pixels"
EXPORT_OPTIONS: Mapping[str, tuple[str, ...]] = {"images": (JPEG, PIXELS)}
"""images: the JPEGs as recorded, padded, or decoded pixels, which every reader of ACT files takes."""

ALOHA_RATE_HZ = 50.0
"""ACT's DT is 0.02 s, and its files do not say so."""

_ARM = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
ALOHA_NAMES = tuple(f"{side}_{name}" for side in ("left", "right") for name in (*_ARM, "gripper"))
_GRIPPERS = (6, 13)
_FILES = "episode_*.hdf5"
_IMAGES = "observations/images/"
_QPOS, _QVEL, _ACTION, _LENGTHS, _LANGUAGE = (
    "observations/qpos",
    "observations/qvel",
    "action",
    "compress_len",
    "language_raw",
)

NOTES = (
    "/action is where joints (rad) and gripper (1 is open) were told to go, as ACT has it; the manifest's actions are "
    "in /teleloom/steps/action",
    "the gripper's part of qvel is the difference of openings over time, and so is the arm's where it is not measured",
    "the JPEGs are plain ones, and cv2.imdecode gives BGR: convert, or let policy and training see the same order",
)

NOT_CARRIED = (
    NotCarried("step rate", "ACT keeps it in its configuration (DT); it is in /teleloom/about"),
    NotCarried("splits", "ACT parts episodes itself; which side each was on is in ledger.json"),
)


def export(
    selection: Selection,
    manifest: BuildManifest,
    out: Path,
    options: Mapping[str, str],
    *,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress,
) -> ExportReport:
    """Export the selected episodes to the folder `out`, or only say what that would do. Raises ExportOptionError, and
    what `export_whole` does."""
    images = chosen(options, EXPORT_OPTIONS)["images"]

    def write(folder: Path, departures: Departures) -> None:
        for index, departure in enumerate(departures):
            name = f"episode_{index}.hdf5"
            _write(folder / name, departure, manifest, images)
            departures.wrote(departure, name)

    return export_whole(
        FORMAT,
        selection,
        manifest,
        out,
        write,
        force=force,
        dry_run=dry_run,
        progress=progress,
        needs_joints=True,
        not_carried=NOT_CARRIED,
        notes=NOTES,
    )


def _write(path: Path, departure: Departure, manifest: BuildManifest, images: str) -> None:
    with new_hdf5(path) as (file, _):
        file.attrs["sim"] = departure.meta.simulated
        file.attrs["compress"] = images == JPEG
        file.create_dataset(_QPOS, data=departure.state)
        file.create_dataset(_QVEL, data=_velocity(departure))
        file.create_dataset(_ACTION, data=departure.trajectory.joint_target)
        file.create_dataset(_LANGUAGE, data=np.array([departure.trajectory.instruction.encode()]))
        group = file.create_group(_IMAGES)
        if images == JPEG:
            _write_padded(file, group, departure.images)
        else:
            for key, frames in sorted(departure.images.items()):
                hdf5.write_pixels(group, key, map(simplejpeg.decode_jpeg, frames), len(departure))
        hdf5.write_ours(file, departure, manifest, jpegs=images == PIXELS)


def _write_padded(file: h5py.File, group: h5py.Group, images: Mapping[str, Sequence[bytes]]) -> None:
    lengths = np.array([[len(frame) for frame in images[key]] for key in sorted(images)], dtype=np.int64)
    width = int(lengths.max())
    for key in sorted(images):
        padded = np.zeros((len(images[key]), width), dtype=np.uint8)
        for row, frame in zip(padded, images[key], strict=True):
            row[: len(frame)] = np.frombuffer(frame, dtype=np.uint8)
        group.create_dataset(key, data=padded, chunks=(1, width))
    file.create_dataset(_LENGTHS, data=lengths)


def _velocity(departure: Departure) -> NDArray[np.float64]:
    """(T, J+1) measured joint velocities, rad/s, and the change of the opening; differences where none are measured."""
    seconds = np.diff(departure.trajectory.t_ns) * 1e-9
    differences = np.zeros_like(departure.state)
    differences[1:] = np.diff(departure.state, axis=0) / seconds[:, None]
    measured = departure.joint_velocity
    arm = measured if np.isfinite(measured).all() else differences[:, :-1]
    return np.column_stack([arm, differences[:, -1]])


def recognises(path: Path) -> bool:
    """Whether `path` is an ACT file, or a folder of such."""
    try:
        found = hdf5.files(path, _FILES)
        if not found or not h5py.is_hdf5(found[0]):
            return False
        with h5py.File(found[0], "r") as file:
            return hdf5.has(file, _QPOS) and hdf5.has(file, _ACTION)
    except hdf5.FAULTS:
        return False


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The episodes of a folder or file. Raises ForeignDatasetError."""
    if options.map or options.profile:
        raise ForeignDatasetError("ACT files say themselves what is what: leave --map and --profile out")
    found = hdf5.files(path, _FILES)
    if not found:
        raise ForeignDatasetError(f"{path} has no {_FILES}")
    sources = [Source(file.name, partial(_read, file, path.resolve().name, options)) for file in found]
    notes = (
        f"ACT files have no rate: {ALOHA_RATE_HZ:g} steps a second, unless --rate-hz says otherwise, or our own group.",
        "Whoever recorded with cv2.imencode from RGB images has red and blue exchanged; the files do not say.",
    )
    return ForeignDataset(FORMAT, path.resolve().name, len(found), sources, (), notes)


def _read(path: Path, dataset: str, options: ImportOptions) -> ImportedEpisode:
    with hdf5.naming(path.name), h5py.File(path, "r") as file:
        found = hdf5.arrays(file)
        about = hdf5.read_about(found)
        count = len(found[_QPOS])
        own = {name: data for name, data in found.items() if not name.startswith((_IMAGES, f"{hdf5.OURS}/"))}
        raw = {name: RawArray(values, _names(name, values)) for name, values in hdf5.numbers(own, count).items()}
        images = {name.removeprefix(_IMAGES): data for name, data in found.items() if name.startswith(_IMAGES)}
        cameras = dict(_cameras(images, count, options.jpeg_quality))
        if about is not None:
            kept = hdf5.read_jpegs(found) or cameras
            columns = hdf5.read_columns(found)
            return restored(about, columns, kept, options, format=FORMAT, dataset=dataset, source=path.name, raw=raw)
        texts = (options.instruction, hdf5.text_of(hdf5.whole(own[_LANGUAGE])) if _LANGUAGE in own else "")
        instruction = next((text for text in texts if text), "")
        known = {_LENGTHS, _LANGUAGE, *raw}
        return ImportedEpisode(
            format=FORMAT,
            dataset=dataset,
            source=path.name,
            rate_hz=options.rate_hz or ALOHA_RATE_HZ,
            task=options.task or dataset,
            instructions=(instruction,),
            cameras=cameras,
            raw=raw,
            scene=options.scene or "",
            operator=options.operator or "unknown",
            simulated=bool(file.attrs.get("sim", False)),
            not_carried=tuple(name for name in own if name not in known),
            **_arms(raw, options),
        )


def _names(name: str, values: NDArray[Any]) -> tuple[str, ...]:
    known = name in (_QPOS, _QVEL, _ACTION, "observations/effort") and values.shape[1:] == (len(ALOHA_NAMES),)
    return ALOHA_NAMES if known else ()


def _arms(raw: Mapping[str, RawArray], options: ImportOptions) -> dict[str, Any]:
    """Robot and joints of a two-armed ALOHA; of any other robot the file says nothing but numbers."""
    if raw[_QPOS].names != ALOHA_NAMES or raw.get(_ACTION, RawArray(np.empty(0))).names != ALOHA_NAMES:
        return {"robot": options.robot or unknown_robot("aloha")}
    arms = [i for i in range(len(ALOHA_NAMES)) if i not in _GRIPPERS]
    joints = {"joints": _QPOS, "joint_velocity": _QVEL, "joint_target": _ACTION}
    return {
        "robot": options.robot or unknown_robot("aloha", [ALOHA_NAMES[i] for i in arms]),
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
        else:
            raise UnimportableError("image-format", f"camera '{key}' is {data.dtype} {data.shape}")
