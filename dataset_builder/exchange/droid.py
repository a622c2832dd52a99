"""`teleloom import` of DROID's raw episodes: `trajectory.h5`, its metadata and its MP4 recordings.

Layout: github.com/droid-dataset/droid, trajectory_writer.py, robot_env.py and postprocessing/schema.py. Euler angles
are about the fixed axes x, y, z; the gripper is 0 open, 1 closed; times are milliseconds since the Unix epoch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange import conventions, hdf5
from dataset_builder.exchange.imported import (
    ImportedCamera,
    ImportedEpisode,
    RawArray,
    UnimportableError,
    encode_pixels,
    task_name,
    unknown_robot,
)
from dataset_builder.exchange.report import ForeignDataset, ForeignDatasetError, ImportOptions, NotCarried, Source
from dataset_builder.exchange.rlds.folder import read_document
from teleloom.episode.meta import Outcome
from teleloom.extras import require
from teleloom.messages import ControlMode

LOOKS_FOR = "trajectory.h5, or a folder with such files up to six levels below it"
FORMAT = "droid"
TRAJECTORY = "trajectory.h5"
CONTROL_HZ = 15.0
JOINTS = 7
GRIPPER_MAX_M = 0.085
NS_PER_MS = 1_000_000
MAX_DEPTH = 6
MAX_LOOKED_AT = 5_000
"""Folders that are looked into before a tree is held to be something else."""
CAPTURED = ("estimated_capture", "frame_received", "read_end")
"""When a camera's frame was taken, best first: names of its timestamps."""

_STATE, _ACTION, _TIME = "observation/robot_state", "action", "observation/timestamp"
_CAMERAS = {"wrist": "wrist", "ext1": "exterior_1", "ext2": "exterior_2"}


def recognises(path: Path) -> bool:
    """Whether `path` is such a file, or holds one."""
    return next(_files(path, MAX_LOOKED_AT), None) is not None


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The DROID episodes at or below `path`. Raises ForeignDatasetError."""
    if options.map or options.profile:
        raise ForeignDatasetError("DROID says itself what is where: leave --map and --profile out")
    files = sorted(_files(path))
    if not files:
        raise ForeignDatasetError(f"{path}: no {TRAJECTORY} up to {MAX_DEPTH} levels below it")
    annotations = _annotations(path)
    base = path if path.is_dir() else path.parent
    names = [file.parent.relative_to(base).as_posix() for file in files]
    named = [(base.name if name == "." else name, file) for name, file in zip(names, files, strict=True)]
    return ForeignDataset(
        format=FORMAT,
        name=base.resolve().name,
        count=len(files),
        sources=[Source(name, _reader(file, options, annotations)) for name, file in named],
        not_carried=(
            NotCarried("recordings/SVO", "ZED's own recordings need its SDK; the MP4 beside them is taken"),
            NotCarried("recordings/MP4/*-stereo.mp4", "both eyes side by side; the left one alone is taken"),
            NotCarried("depth, point clouds and sound", "an episode here has no place for them"),
        ),
        notes=("Steps in which the operator held no clutch (movement_enabled) are marked as held.",),
    )


def _files(path: Path, most: int | None = None) -> Iterator[Path]:
    if path.is_file():
        if path.name == TRAJECTORY:
            yield path
        return
    for folder, below, files in islice(os.walk(path), most):
        if len(Path(folder).relative_to(path).parts) >= MAX_DEPTH:
            below.clear()
        if TRAJECTORY in files:
            yield Path(folder) / TRAJECTORY


def _annotations(path: Path) -> dict[str, Any]:
    """DROID's language annotations by the episodes' uuid, where a file of them lies in the folder or in those above."""
    found: dict[str, Any] = {}
    folder = path if path.is_dir() else path.parent
    for place in (folder, *folder.resolve().parents[:MAX_DEPTH]):
        for file in sorted(place.glob("*annotations*.json")):
            found = read_document(file) | found
    return found


def _reader(file: Path, options: ImportOptions, annotations: Mapping[str, Any]) -> Callable[[], ImportedEpisode]:
    def read() -> ImportedEpisode:
        with hdf5.naming(file.name), h5py.File(file, "r") as trajectory:
            arrays, left = _arrays(trajectory)
            return _episode(_Trajectory(file, arrays, left, _attributes(trajectory)), options, annotations)

    return read


@dataclass(frozen=True)
class _Trajectory:
    """An open file. arrays: of numbers, by path, not read yet. left: what else lies in it. attributes: plain values."""

    file: Path
    arrays: Mapping[str, h5py.Dataset]
    left: tuple[str, ...]
    attributes: Mapping[str, Any]

    def numbers(self, name: str) -> NDArray:
        """An array (T, ...). Raises UnimportableError when the file has none of that name."""
        if name not in self.arrays:
            raise UnimportableError("features-mismatch", f"it has no {name}")
        return np.asarray(self.arrays[name][()])

    def known(self, name: str) -> NDArray | None:
        return self.numbers(name) if name in self.arrays else None


def _arrays(file: h5py.File) -> tuple[dict[str, h5py.Dataset], tuple[str, ...]]:
    """Every array of numbers, and the names of those that are none or too large to be a trajectory's."""
    every = hdf5.arrays(file)
    found = {name: array for name, array in every.items() if _is_numbers(array)}
    return found, tuple(name for name in every if name not in found)


def _is_numbers(dataset: h5py.Dataset) -> bool:
    return bool(dataset.dtype.kind in "fiub" and dataset.ndim > 0 and dataset.nbytes <= hdf5.MAX_ARRAY_BYTES)


def _attributes(file: h5py.File) -> dict[str, Any]:
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in file.attrs.items()}
    return {name: hdf5.text_of(value) or value for name, value in plain.items()}


def _episode(trajectory: _Trajectory, options: ImportOptions, annotations: Mapping[str, Any]) -> ImportedEpisode:
    metadata = _metadata(trajectory)
    count = len(trajectory.numbers(f"{_STATE}/cartesian_position"))
    t_ns, start_ms = _times(trajectory, count)
    robot = options.robot or unknown_robot("franka", [f"panda_joint{i + 1}" for i in range(JOINTS)], GRIPPER_MAX_M)
    enabled = trajectory.known("observation/controller_info/movement_enabled")
    said = _instructions(metadata, options, annotations)
    cameras, notes, missing = _cameras(trajectory, metadata, count, t_ns, start_ms, options.jpeg_quality)
    rows = {name: array for name, array in trajectory.arrays.items() if len(array) == count}
    others = [name for name in trajectory.arrays if name not in rows]
    return ImportedEpisode(
        format=FORMAT,
        dataset=str(metadata.get("lab", "droid")),
        source=str(metadata.get("uuid", trajectory.file.parent.name)),
        rate_hz=options.rate_hz or CONTROL_HZ,
        task=options.task
        or task_name(str(metadata.get("current_task", "")))
        or (task_name(said[0]) if said else "droid"),
        instructions=said,
        robot=robot,
        cameras=cameras,
        raw={name: RawArray(values) for name, values in hdf5.whole_of_each(rows).items()},
        t_ns=t_ns,
        pose=_poses(trajectory, f"{_STATE}/cartesian_position"),
        pose_target=_poses(trajectory, f"{_ACTION}/cartesian_position"),
        joints=trajectory.known(f"{_STATE}/joint_positions"),
        joint_velocity=trajectory.known(f"{_STATE}/joint_velocities"),
        effort=trajectory.known(f"{_STATE}/motor_torques_measured"),
        gripper=conventions.openings(trajectory.numbers(f"{_STATE}/gripper_position"), "closing", GRIPPER_MAX_M),
        joint_target=trajectory.known(f"{_ACTION}/joint_position"),
        gripper_target=conventions.openings(
            trajectory.numbers(f"{_ACTION}/gripper_position"), "closing", GRIPPER_MAX_M
        ),
        mode=None
        if enabled is None
        else np.where(enabled.astype(bool), ControlMode.HUMAN, ControlMode.HOLD).astype(np.uint8),
        scene=options.scene or _scene(metadata),
        operator=options.operator or str(metadata.get("user") or "unknown"),
        station=str(metadata.get("lab") or "imported"),
        outcome=_outcome(trajectory.file, metadata),
        wall_ns=0 if start_ms is None else start_ms * NS_PER_MS,
        notes=(*notes, *([] if t_ns is not None else ["Its times do not rise, and were not taken."])),
        not_carried=(*missing, *trajectory.left, *others),
    )


def _poses(trajectory: _Trajectory, name: str) -> NDArray[np.float64]:
    values = trajectory.numbers(name)
    try:
        return conventions.poses(values, "xyz_euler")
    except ValueError as error:
        raise UnimportableError("wrong-shape", f"{name} is no position and three angles: {error}") from None


def _metadata(trajectory: _Trajectory) -> dict[str, Any]:
    """The attributes of the file, under what the `metadata_*.json` beside it says."""
    known = dict(trajectory.attributes)
    for file in sorted(trajectory.file.parent.glob("metadata_*.json")):
        try:
            known |= read_document(file)
        except ForeignDatasetError as error:
            raise UnimportableError("bad-file", str(error)) from None
    return known


def _times(trajectory: _Trajectory, count: int) -> tuple[NDArray[np.int64] | None, int | None]:
    """When each state was read, ns since the earliest time of the file, and that time in ms; None where not told."""
    read = trajectory.known(f"{_TIME}/robot_state/read_start")
    if read is None or read.shape != (count,) or not count:
        return None, None
    taken = [array[0] for name, array in trajectory.arrays.items() if name.startswith(f"{_TIME}/cameras/")]
    start_ms = int(min(int(read[0]), *(int(ms) for ms in taken if ms > 0))) if taken else int(read[0])
    t_ns = (read.astype(np.int64) - start_ms) * NS_PER_MS
    return (t_ns if np.all(np.diff(t_ns) > 0) else None), start_ms


def _instructions(
    metadata: Mapping[str, Any], options: ImportOptions, annotations: Mapping[str, Any]
) -> tuple[str, ...]:
    found = annotations.get(str(metadata.get("uuid", "")), {})
    texts = [str(found[key]) for key in sorted(found) if key.startswith("language_instruction")] if found else []
    task = str(metadata.get("current_task", ""))
    said = [options.instruction or "", *texts, task]
    return tuple(dict.fromkeys(text.strip() for text in said if text.strip()))


def _cameras(
    trajectory: _Trajectory,
    metadata: Mapping[str, Any],
    count: int,
    t_ns: NDArray[np.int64] | None,
    start_ms: int | None,
    quality: int,
) -> tuple[dict[str, ImportedCamera], list[str], tuple[str, ...]]:
    """The cameras of the MP4 files, what to note of them, and which recordings are not carried."""
    folder = trajectory.file.parent / "recordings"
    serials = {str(metadata.get(f"{name}_cam_serial")): ours for name, ours in _CAMERAS.items()}
    cameras: dict[str, ImportedCamera] = {}
    notes: list[str] = []
    missing = [f"recordings/SVO/{file.name}" for file in sorted(folder.glob("SVO/*.svo*"))]
    for file in sorted(folder.glob("MP4/*.mp4")):
        if file.stem.endswith("-stereo"):
            missing.append(f"recordings/MP4/{file.name}")
            continue
        name = serials.get(file.stem) or _by_type(trajectory, file.stem)
        frames = list(_frames(file, count + 1, quality))
        if len(frames) > count:
            notes.append(f"Camera '{name}' has more frames than there are steps; the first {count} were taken.")
        elif len(frames) < count:
            notes.append(f"Camera '{name}' has {len(frames)} frames for {count} steps.")
        frames = frames[:count]
        taken = None if t_ns is None or start_ms is None else _captured(trajectory, file.stem, len(frames), start_ms)
        with file.open("rb") as video:
            origin = hashlib.file_digest(video, "sha256").digest()
        cameras[name] = ImportedCamera(frames, quality, taken, origin)
    return cameras, notes, tuple(missing)


def _by_type(trajectory: _Trajectory, serial: str) -> str:
    """A camera that the metadata does not name: type 0 is the one at the wrist."""
    kind = trajectory.known(f"observation/camera_type/{serial}")
    return "wrist" if kind is not None and kind.size and int(kind.flat[0]) == 0 else f"camera_{serial}"


def _captured(trajectory: _Trajectory, serial: str, count: int, start_ms: int) -> NDArray[np.int64] | None:
    for moment in CAPTURED:
        times = trajectory.known(f"{_TIME}/cameras/{serial}_{moment}")
        if times is not None and len(times) >= count:
            t_ns = (times[:count].astype(np.int64) - start_ms) * NS_PER_MS
            if np.all(np.diff(t_ns) > 0) and t_ns[0] >= 0:
                return t_ns
    return None


def _frames(file: Path, at_most: int, quality: int) -> Iterator[bytes]:
    """The frames of a video as JPEG, each encoded once."""
    av = require("av", "exchange")
    try:
        with av.open(str(file)) as container:
            for frame in islice(container.decode(video=0), at_most):
                yield encode_pixels(frame.to_ndarray(format="rgb24"), quality)
    except (av.error.FFmpegError, IndexError) as error:
        raise UnimportableError("broken-video", f"{file.name} cannot be decoded: {error}") from None


def _scene(metadata: Mapping[str, Any]) -> str:
    named = {"building": metadata.get("building"), "scene": metadata.get("scene_id")}
    return " ".join(f"{name} {value}" for name, value in named.items() if value not in (None, "", "N/A", -1))


def _outcome(file: Path, metadata: Mapping[str, Any]) -> Outcome:
    """What the metadata says, else the folder: DROID sorts its episodes into success/ and failure/."""
    said = metadata.get("success")
    if said is None:
        parts = file.parts
        said = True if "success" in parts else False if "failure" in parts else None
    return "unknown" if said is None else "success" if said else "failure"
