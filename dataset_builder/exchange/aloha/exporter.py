"""The approved episodes of a station as ACT files.

In ACT an action is where the joints shall go, so that is what `/action` holds, whatever the manifest says; the
manifest's actions are in our group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from dataset_builder.exchange import hdf5, our_group
from dataset_builder.exchange.aloha import layout
from dataset_builder.exchange.exporting.episodes import Departure, Departures
from dataset_builder.exchange.exporting.run import Writing
from dataset_builder.exchange.report import NotCarried
from dataset_builder.manifest import BuildManifest
from teleloom.episode.new_file import new_hdf5

FORMAT = layout.FORMAT
JPEG, PIXELS = "jpeg", "pixels"
EXPORT_OPTIONS: Mapping[str, tuple[str, ...]] = {"images": (JPEG, PIXELS)}
"""images: the JPEGs as recorded, padded, or decoded pixels, which every reader of ACT files takes."""

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


def writing(choice: Mapping[str, str]) -> Writing:
    """How an `episode_N.hdf5` is written for each episode."""

    def write(folder: Path, departures: Departures) -> None:
        for index, departure in enumerate(departures):
            name = f"episode_{index}.hdf5"
            _write(folder / name, departure, departures.manifest, choice["images"])
            departures.wrote(departure, name)

    return Writing(write, needs_joints=True, not_carried=NOT_CARRIED, notes=NOTES)


def _write(path: Path, departure: Departure, manifest: BuildManifest, images: str) -> None:
    with new_hdf5(path) as (file, _):
        file.attrs["sim"] = departure.meta.simulated
        file.attrs["compress"] = images == JPEG
        file.create_dataset(layout.QPOS, data=departure.state)
        file.create_dataset(layout.QVEL, data=_velocity(departure))
        file.create_dataset(layout.ACTION, data=departure.trajectory.joint_target)
        file.create_dataset(layout.LANGUAGE, data=np.array([departure.trajectory.instruction.encode()]))
        group = file.create_group(layout.IMAGES)
        if images == JPEG:
            _write_padded(file, group, departure.images)
        else:
            for key, frames in sorted(departure.images.items()):
                hdf5.write_pixels(group, key, map(simplejpeg.decode_jpeg, frames), len(departure))
        our_group.write_ours(file, departure, manifest, jpegs=images == PIXELS)


def _write_padded(file: h5py.File, group: h5py.Group, images: Mapping[str, Sequence[bytes]]) -> None:
    lengths = np.array([[len(frame) for frame in images[key]] for key in sorted(images)], dtype=np.int64)
    width = int(lengths.max())
    for key in sorted(images):
        padded = np.zeros((len(images[key]), width), dtype=np.uint8)
        for row, frame in zip(padded, images[key], strict=True):
            row[: len(frame)] = np.frombuffer(frame, dtype=np.uint8)
        group.create_dataset(key, data=padded, chunks=(1, width))
    file.create_dataset(layout.LENGTHS, data=lengths)


def _velocity(departure: Departure) -> NDArray[np.float64]:
    """(T, J+1) measured joint velocities, rad/s, and the change of the opening; differences where none are measured."""
    seconds = np.diff(departure.trajectory.t_ns) * 1e-9
    differences = np.zeros_like(departure.state)
    differences[1:] = np.diff(departure.state, axis=0) / seconds[:, None]
    measured = departure.joint_velocity
    arm = measured if np.isfinite(measured).all() else differences[:, :-1]
    return np.column_stack([arm, differences[:, -1]])
