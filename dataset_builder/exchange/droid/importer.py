"""DROID's raw episodes as episodes of a station.

Layout: github.com/droid-dataset/droid, trajectory_writer.py, robot_env.py and postprocessing/schema.py. Euler angles
are about the fixed axes x, y, z; the gripper is 0 open, 1 closed; times are milliseconds since the Unix epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange import hdf5
from dataset_builder.exchange.droid.annotations import Annotations, annotations_for
from dataset_builder.exchange.droid.recordings import cameras_of
from dataset_builder.exchange.droid.trajectory import ACTION, NS_PER_MS, STATE, TIME, Trajectory
from dataset_builder.exchange.importing import conventions
from dataset_builder.exchange.importing.dataset import ForeignDataset, ForeignDatasetError, ImportOptions, Source
from dataset_builder.exchange.importing.documents import read_document
from dataset_builder.exchange.importing.episode import (
    ImportedEpisode,
    RawArray,
    UnimportableError,
    task_name,
    unknown_robot,
)
from dataset_builder.exchange.report import NotCarried
from teleloom.episode.meta import Outcome
from teleloom.messages import ControlMode

LOOKS_FOR = "trajectory.h5, or a folder with such files up to six levels below it"
FORMAT = "droid"
TRAJECTORY = "trajectory.h5"
CONTROL_HZ = 15.0
JOINTS = 7
GRIPPER_MAX_M = 0.085
MAX_DEPTH = 6
MAX_LOOKED_AT = 5_000
"""Folders that are looked into before a tree is held to be something else."""


def recognises(path: Path) -> bool:
    """Whether `path` is such a file, or holds one."""
    return next(_files(path, MAX_LOOKED_AT), None) is not None


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The DROID episodes at or below `path`. Raises ForeignDatasetError."""
    files = sorted(_files(path))
    if not files:
        raise ForeignDatasetError(f"{path}: no {TRAJECTORY} up to {MAX_DEPTH} levels below it")
    annotations = annotations_for(path)
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
        notes=("Steps in which the operator held no clutch (movement_enabled) are marked as held.", *annotations.notes),
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


def _reader(file: Path, options: ImportOptions, annotations: Annotations) -> Callable[[], ImportedEpisode]:
    def read() -> ImportedEpisode:
        with hdf5.naming(file.name), h5py.File(file, "r") as opened:
            return _episode(Trajectory.of(file, opened), options, annotations)

    return read


def _episode(trajectory: Trajectory, options: ImportOptions, annotations: Annotations) -> ImportedEpisode:
    metadata = _metadata(trajectory)
    count = len(trajectory.numbers(f"{STATE}/cartesian_position"))
    t_ns, start_ms = _times(trajectory, count)
    robot = options.robot or unknown_robot("franka", [f"panda_joint{i + 1}" for i in range(JOINTS)], GRIPPER_MAX_M)
    enabled = trajectory.known("observation/controller_info/movement_enabled")
    said = _instructions(metadata, options, annotations)
    cameras, notes, missing = cameras_of(trajectory, metadata, count, t_ns, start_ms, options.jpeg_quality)
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
        pose=_poses(trajectory, f"{STATE}/cartesian_position"),
        pose_target=_poses(trajectory, f"{ACTION}/cartesian_position"),
        joints=trajectory.known(f"{STATE}/joint_positions"),
        joint_velocity=trajectory.known(f"{STATE}/joint_velocities"),
        effort=trajectory.known(f"{STATE}/motor_torques_measured"),
        gripper=conventions.openings(trajectory.numbers(f"{STATE}/gripper_position"), "closing", GRIPPER_MAX_M),
        joint_target=trajectory.known(f"{ACTION}/joint_position"),
        gripper_target=conventions.openings(trajectory.numbers(f"{ACTION}/gripper_position"), "closing", GRIPPER_MAX_M),
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


def _poses(trajectory: Trajectory, name: str) -> NDArray[np.float64]:
    values = trajectory.numbers(name)
    try:
        return conventions.poses(values, "xyz_euler")
    except ValueError as error:
        raise UnimportableError("wrong-shape", f"{name} is no position and three angles: {error}") from None


def _metadata(trajectory: Trajectory) -> dict[str, Any]:
    """The attributes of the file, under what the `metadata_*.json` beside it says."""
    known = dict(trajectory.attributes)
    for file in sorted(trajectory.file.parent.glob("metadata_*.json")):
        try:
            known |= read_document(file)
        except ForeignDatasetError as error:
            raise UnimportableError("bad-file", str(error)) from None
    return known


def _times(trajectory: Trajectory, count: int) -> tuple[NDArray[np.int64] | None, int | None]:
    """When each state was read, ns since the earliest time of the file, and that time in ms; None where not told."""
    read = trajectory.known(f"{TIME}/robot_state/read_start")
    if read is None or read.shape != (count,) or not count:
        return None, None
    taken = [array[0] for name, array in trajectory.arrays.items() if name.startswith(f"{TIME}/cameras/")]
    start_ms = int(min(int(read[0]), *(int(ms) for ms in taken if ms > 0))) if taken else int(read[0])
    t_ns = (read.astype(np.int64) - start_ms) * NS_PER_MS
    return (t_ns if np.all(np.diff(t_ns) > 0) else None), start_ms


def _instructions(metadata: Mapping[str, Any], options: ImportOptions, annotations: Annotations) -> tuple[str, ...]:
    texts = annotations.texts.get(str(metadata.get("uuid", "")), ())
    task = str(metadata.get("current_task", ""))
    said = [options.instruction or "", *texts, task]
    return tuple(dict.fromkeys(text.strip() for text in said if text.strip()))


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
