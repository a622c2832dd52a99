"""robomimic HDF5: all episodes in one file, as `data/demo_N`, written and read.

The layout is that of robomimic 0.3: `actions`, `rewards`, `dones` and `obs/<key>` in each demonstration, `num_samples`
on it, `env_args` on `data`, and the splits as `mask/train` and `mask/valid`. Keys of the arm are robosuite's, so that
robomimic's own configurations find them. Actions lie in [-1, 1], as robomimic's policies end in a tanh.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
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
from dataset_builder.exchange.imported import ImportedEpisode, RawArray, unknown_robot
from dataset_builder.exchange.report import (
    ForeignDataset,
    ForeignDatasetError,
    ImportOptions,
    NotCarried,
    Progress,
    Source,
)
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.splits import TEST, TRAIN, VAL
from dataset_builder.source.candidates import Selection
from teleloom.episode.meta import Outcome
from teleloom.episode.new_file import new_hdf5

FORMAT = "robomimic"
LOOKS_FOR = "an HDF5 file with data/demo_0/actions"
EXPORT_OPTIONS: Mapping[str, tuple[str, ...]] = {"next_obs": ("no", "yes"), "compress": ("none", "gzip")}
"""next_obs: the observation after each step too, which doubles the file; offline reinforcement learning wants it.
compress: gzip on images; smaller, and slower to train from."""

MASKS = {TRAIN: "train", VAL: "valid", TEST: "test"}
REAL_ROBOT = 4
"""robomimic's EnvType of a real robot: nothing that could be simulated for a rollout."""

_FILES = "*.hdf5"
_JOINTS, _SPEEDS, _POSITION, _ROTATION, _FINGERS = (
    f"robot0_{name}" for name in ("joint_pos", "joint_vel", "eef_pos", "eef_quat", "gripper_qpos")
)
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
    """Export the selected episodes to `out/<name>.hdf5`, or only say what that would do. Raises ExportOptionError,
    and what `export_whole` does."""
    choice = chosen(options, EXPORT_OPTIONS)

    def write(folder: Path, departures: Departures) -> None:
        name = f"{manifest.name}.hdf5"
        with new_hdf5(folder / name) as (file, check):
            _write(file, departures, manifest, choice, name, check)

    return export_whole(
        FORMAT,
        selection,
        manifest,
        out,
        write,
        force=force,
        dry_run=dry_run,
        progress=progress,
        not_carried=NOT_CARRIED,
        notes=NOTES,
    )


def _write(
    file: h5py.File,
    departures: Departures,
    manifest: BuildManifest,
    choice: Mapping[str, str],
    name: str,
    check: Callable[[], None],
) -> None:
    data = file.create_group("data")
    masks: dict[str, list[str]] = {}
    bounds = _Bounds(manifest)
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
        steps = data[f"{demo}/{hdf5.OURS}/steps"]
        data[demo].create_dataset("actions", data=scaled(steps["action"][()], steps["target"][:, 7], low, high))
    data.attrs["total"] = sum(entry.steps for entry in departures.emitted)
    data.attrs["env_args"] = json.dumps({"env_name": manifest.name, "type": REAL_ROBOT, "env_kwargs": {}})
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
    hdf5.write_ours(group, departure, manifest, jpegs=True)


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
    values = {_FINGERS: np.column_stack([finger, -finger])}
    if "tool_pose" in departure.known:
        values |= {_POSITION: trajectory.ee_pose[:, :3], _ROTATION: trajectory.ee_pose[:, 3:]}
    if "joints" in departure.known:
        values[_JOINTS] = trajectory.joints
    return values


class _Bounds:
    """The least and greatest values of each dimension of the train split's actions."""

    def __init__(self, manifest: BuildManifest) -> None:
        self._semantics = manifest.action
        self._joints = 0
        self._low: NDArray[np.float64] | None = None
        self._high: NDArray[np.float64] | None = None

    def widen(self, departure: Departure) -> None:
        """Take in an episode."""
        self._joints = departure.trajectory.joints.shape[1]
        low, high = departure.action.min(axis=0), departure.action.max(axis=0)
        self._low = low if self._low is None else np.minimum(self._low, low)
        self._high = high if self._high is None else np.maximum(self._high, high)

    def of(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What becomes -1 and what becomes +1."""
        assert self._low is not None
        assert self._high is not None
        largest = np.maximum(np.abs(self._low), np.abs(self._high))
        is_absolute = np.array(self._semantics.is_absolute(self._joints))
        return np.where(is_absolute, self._low, -largest), np.where(is_absolute, self._high, largest)


def scaled(
    actions: NDArray[np.float64], opening: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Actions (T, D) in [-1, 1]; a dimension that never moved becomes 0, and the last one is the gripper."""
    span = high - low
    scaled = np.where(span > 0, 2.0 * (actions - low) / np.where(span > 0, span, 1.0) - 1.0, 0.0)
    scaled[:, -1] = 1.0 - 2.0 * opening
    return np.clip(scaled, -1.0, 1.0)


def recognises(path: Path) -> bool:
    """Whether `path` is a robomimic file, or a folder of such."""
    try:
        found = hdf5.files(path, _FILES)
        if not found or not h5py.is_hdf5(found[0]):
            return False
        with h5py.File(found[0], "r") as file:
            data = hdf5.member(file, "data")
            return any(hdf5.has(data, f"{name}/actions") for name in list(data)[:1])
    except hdf5.FAULTS:
        return False


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The demonstrations of a file, or of the files of a folder. Raises ForeignDatasetError."""
    if options.map or options.profile:
        raise ForeignDatasetError("robomimic files say themselves what is what: leave --map and --profile out")
    found = hdf5.files(path, _FILES)
    sources: list[Source] = []
    not_carried = [NotCarried("mask", "splits are made anew when a dataset is built")]
    for file_path in found:
        try:
            with h5py.File(file_path, "r") as file:
                data = hdf5.member(file, "data")
                demos = hdf5.by_number(data)
                if any(hdf5.has(data, f"{demo}/next_obs") for demo in demos[:1]):
                    not_carried.append(NotCarried("next_obs", "it is `obs` of the step after"))
        except hdf5.FAULTS as error:
            raise ForeignDatasetError(f"{file_path} is no sound robomimic file: {error}") from None
        prefix = f"{file_path.name}/" if len(found) > 1 else ""
        sources += [Source(f"{prefix}{demo}", partial(_read, file_path, demo, options)) for demo in demos]
    if not sources:
        raise ForeignDatasetError(f"{path} has no {_FILES} with demonstrations")
    return ForeignDataset(FORMAT, path.resolve().name, len(sources), sources, tuple(dict.fromkeys(not_carried)))


def _read(path: Path, demo: str, options: ImportOptions) -> ImportedEpisode:
    with hdf5.naming(demo), h5py.File(path, "r") as file:
        data = hdf5.member(file, "data")
        group = hdf5.member(data, demo)
        found = hdf5.arrays(group)
        about = hdf5.read_about(found)
        count = len(found["actions"])
        own = {name: array for name, array in found.items() if not name.startswith(("next_obs/", f"{hdf5.OURS}/"))}
        raw = {name: RawArray(values) for name, values in hdf5.numbers(own, count).items()}
        cameras = hdf5.read_jpegs(found) or {
            name.removeprefix("obs/"): hdf5.encoded(array, count, options.jpeg_quality)
            for name, array in own.items()
            if name.startswith("obs/") and hdf5.is_pixels(array)
        }
        if about is not None:
            columns = hdf5.read_columns(found)
            return restored(about, columns, cameras, options, format=FORMAT, dataset=path.name, source=demo, raw=raw)
        environment = _json_attribute(data, "env_args")
        settings = environment.get("env_kwargs") if isinstance(environment.get("env_kwargs"), dict) else {}
        assert isinstance(settings, dict)
        joints = raw.get(f"obs/{_JOINTS}")
        names = [f"joint{i + 1}" for i in range(0 if joints is None else joints.values.shape[1])]
        speeds = raw.get(f"obs/{_SPEEDS}")
        shown = {f"obs/{name}" for name in cameras}
        return ImportedEpisode(
            format=FORMAT,
            dataset=path.name,
            source=demo,
            rate_hz=options.rate_hz or _positive(settings.get("control_freq")) or DEFAULT_RATE_HZ,
            task=options.task or str(environment.get("env_name") or path.stem),
            instructions=(options.instruction or _instruction(data, group, environment),),
            robot=options.robot or unknown_robot(_robot(settings), names),
            cameras=cameras,
            raw=raw,
            joints=None if joints is None else joints.values.astype(np.float64),
            joint_velocity=None if speeds is None else speeds.values.astype(np.float64),
            scene=options.scene or "",
            operator=options.operator or "unknown",
            outcome=_outcome(raw),
            simulated=environment.get("type") != REAL_ROBOT,
            notes=("Poses of robosuite are in the world's frame and are kept as they are, under `obs`.",),
            not_carried=tuple(name for name in own if name not in raw and name not in shown),
        )


DEFAULT_RATE_HZ = 20.0
"""robosuite's control_freq where a file does not say another one."""


def _instruction(data: h5py.Group, group: h5py.Group, environment: Mapping[str, Any]) -> str:
    """What was to be done: robocasa says it on each demonstration, LIBERO on the file, robomimic 0.4 in env_args."""
    said = (
        _json_attribute(group, "ep_meta").get("lang"),
        _json_attribute(data, "problem_info").get("language_instruction"),
        environment.get("lang"),
        environment.get("env_lang"),
    )
    return next((hdf5.text_of(text).strip(' "') for text in said if hdf5.text_of(text)), "")


def _json_attribute(group: h5py.Group, name: str) -> dict[str, Any]:
    """A JSON object kept as an attribute; an empty one where there is none."""
    try:
        value = json.loads(hdf5.text_of(group.attrs.get(name, "")) or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _robot(settings: Mapping[str, Any]) -> str:
    robots = settings.get("robots")
    first = robots[0] if isinstance(robots, list) and robots else robots
    return first if isinstance(first, str) else "unknown"


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _outcome(raw: Mapping[str, RawArray]) -> Outcome:
    rewards = raw.get("rewards")
    return "success" if rewards is not None and np.any(rewards.values > 0) else "unknown"
