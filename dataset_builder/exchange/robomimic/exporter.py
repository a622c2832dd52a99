"""The approved episodes of a station as one robomimic file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from dataset_builder.exchange import hdf5, our_group
from dataset_builder.exchange.exporting.episodes import Departure, Departures
from dataset_builder.exchange.exporting.run import Writing
from dataset_builder.exchange.report import NotCarried
from dataset_builder.exchange.robomimic import layout
from dataset_builder.exchange.robomimic.scaling import Bounds, scaled
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.splits import TEST, TRAIN, VAL
from teleloom.episode.new_file import new_hdf5

FORMAT = layout.FORMAT
EXPORT_OPTIONS: Mapping[str, tuple[str, ...]] = {"next_obs": ("no", "yes"), "compress": ("none", "gzip")}
"""next_obs: the observation after each step too, which doubles the file; offline reinforcement learning wants it.
compress: gzip on images; smaller, and slower to train from."""

MASKS = {TRAIN: "train", VAL: "valid", TEST: "test"}
NOTES = (
    "`actions` are the manifest's actions scaled to [-1, 1] by what the train split holds: a change by its largest "
    "size, so that zero stays zero, a place between its least and its greatest; beyond that they are cut off. The "
    "gripper is robosuite's: -1 opens, +1 closes. The bounds are `action_low` and `action_high` on `data`, and the "
    "actions as they were are in `teleloom/steps/action`",
    "poses are in the robot's base frame, where robosuite has the world's",
    "set experiment.rollout.enabled to false: there is no environment to roll out in",
)

NOT_CARRIED = (
    NotCarried("states", "states of a simulator, to reset it to; an episode keeps what was sensed"),
    NotCarried("model_file", "the robot's model is in teleloom/about, and no scene to go with it"),
)


def writing(choice: Mapping[str, str]) -> Writing:
    """How `<name>.hdf5` is written."""

    def write(folder: Path, departures: Departures) -> None:
        name = f"{departures.manifest.name}.hdf5"
        with new_hdf5(folder / name) as (file, check):
            _write(file, departures, choice, name, check)

    return Writing(write, not_carried=NOT_CARRIED, notes=NOTES)


def _write(
    file: h5py.File,
    departures: Departures,
    choice: Mapping[str, str],
    name: str,
    check: Callable[[], None],
) -> None:
    manifest = departures.manifest
    data = file.create_group("data")
    masks: dict[str, list[str]] = {}
    bounds = Bounds(manifest)
    for index, departure in enumerate(departures):
        demo = f"demo_{index}"
        _write_demo(data.create_group(demo), departure, manifest, choice)
        check()
        if departure.split == TRAIN:
            bounds.widen(departure)
        masks.setdefault(MASKS[departure.split], []).append(demo)
        departures.wrote(departure, name)
    if not masks.get(MASKS[TRAIN]):
        return
    low, high = bounds.of()
    for demo in hdf5.by_number(data):
        steps = data[f"{demo}/{our_group.OURS}/steps"]
        data[demo].create_dataset("actions", data=scaled(steps["action"][()], steps["target"][:, 7], low, high))
    data.attrs["total"] = sum(entry.steps for entry in departures.emitted)
    data.attrs["env_args"] = json.dumps({"env_name": manifest.name, "type": layout.REAL_ROBOT, "env_kwargs": {}})
    data.attrs["action_low"], data.attrs["action_high"] = low, high
    data.attrs["action_meaning"] = manifest.action.sentence()
    for mask, demos in masks.items():
        file.create_dataset(f"mask/{mask}", data=np.array(demos, dtype="S"))


def _write_demo(group: h5py.Group, departure: Departure, manifest: BuildManifest, choice: Mapping[str, str]) -> None:
    group.attrs["num_samples"] = len(departure)
    group.attrs["ep_meta"] = json.dumps({"lang": departure.trajectory.instruction}, ensure_ascii=False)
    group.create_dataset("rewards", data=departure.reward.astype(np.float64))
    group.create_dataset("dones", data=departure.done.astype(np.int64))
    for kind, order in _observed(len(departure), choice["next_obs"] == "yes"):
        obs = group.create_group(kind)
        for key, values in _low_dimensional(departure).items():
            obs.create_dataset(key, data=values[order])
        packed = {"compression": "gzip", "compression_opts": 1} if choice["compress"] == "gzip" else {}
        for key, frames in sorted(departure.images.items()):
            pixels = (simplejpeg.decode_jpeg(frames[i]) for i in order)
            hdf5.write_pixels(obs, key, pixels, len(departure), **packed)
    our_group.write_ours(group, departure, manifest, jpegs=True)


def _observed(count: int, is_next_too: bool) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Which step each row of `obs`, and of `next_obs`, shows; after the last there is none, so it shows itself."""
    rows = np.arange(count)
    yield "obs", rows
    if is_next_too:
        yield "next_obs", np.minimum(rows + 1, count - 1)


def _low_dimensional(departure: Departure) -> dict[str, NDArray[np.float64]]:
    """Observations that are no images, each (T, D), under robosuite's keys; what is not known is left out."""
    trajectory = departure.trajectory
    finger = trajectory.gripper * (trajectory.gripper_max_m / 2.0)
    values = {layout.FINGERS: np.column_stack([finger, -finger])}
    if "tool_pose" in departure.known:
        values |= {layout.POSITION: trajectory.ee_pose[:, :3], layout.ROTATION: trajectory.ee_pose[:, 3:]}
    if "joints" in departure.known:
        values[layout.JOINTS] = trajectory.joints
    return values
