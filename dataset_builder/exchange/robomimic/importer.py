"""robomimic files, ours or anybody's, as episodes of a station."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dataset_builder.exchange import hdf5, our_group
from dataset_builder.exchange.importing.dataset import ForeignDataset, ForeignDatasetError, ImportOptions, Source
from dataset_builder.exchange.importing.episode import ImportedEpisode, RawArray, unknown_robot
from dataset_builder.exchange.importing.own_exports import restored
from dataset_builder.exchange.report import NotCarried
from dataset_builder.exchange.robomimic import layout
from teleloom.episode.meta import Outcome

LOOKS_FOR = "an HDF5 file with data/demo_0/actions"
DEFAULT_RATE_HZ = 20.0
"""robosuite's control_freq where a file does not say another one."""

_FILES = "*.hdf5"
_MASK = "splits are made anew when a dataset is built; an episode's notes say in which masks it was"
_ATTRIBUTE = "of attributes, env_args, ep_meta and problem_info are read"
_READ_OF_DATA = (
    *("env_args", "problem_info", "total", "num_demos", "macros_image_convention"),
    *("action_low", "action_high", "action_meaning"),  # ours, said again in our own group
)
_READ_OF_DEMO = ("num_samples", "ep_meta")
_LIBERO_JOINTS = "joint_states"


def recognises(path: Path) -> bool:
    """Whether `path` is a robomimic file, or a folder of such."""
    return hdf5.first_has(path, _FILES, _has_demonstrations)


def _has_demonstrations(file: h5py.File) -> bool:
    data = hdf5.member(file, "data")
    return any(hdf5.has(data, f"{name}/actions") for name in list(data)[:1])


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The demonstrations of a file, or of the files of a folder. Raises ForeignDatasetError."""
    found = hdf5.files(path, _FILES)
    sources: list[Source] = []
    not_carried: list[NotCarried] = []
    for file_path in found:
        try:
            with h5py.File(file_path, "r") as file:
                data = hdf5.member(file, "data")
                demos = hdf5.by_number(data)
                sides = _sides(file)
                if sides:
                    not_carried.append(NotCarried("mask", _MASK))
                if any(hdf5.has(data, f"{demo}/next_obs") for demo in demos[:1]):
                    not_carried.append(NotCarried("next_obs", "it is `obs` of the step after"))
                not_carried += [NotCarried(name, _ATTRIBUTE) for name in hdf5.attributes_but(data, _READ_OF_DATA)]
        except hdf5.FAULTS as error:
            raise ForeignDatasetError(f"{file_path} is no sound robomimic file: {error}") from None
        prefix = f"{file_path.name}/" if len(found) > 1 else ""
        for demo in demos:
            read = partial(_read, file_path, demo, tuple(sides.get(demo, ())), options)
            sources.append(Source(f"{prefix}{demo}", read))
    if not sources:
        raise ForeignDatasetError(f"{path} has no {_FILES} with demonstrations")
    return ForeignDataset(layout.FORMAT, path.resolve().name, len(sources), sources, tuple(dict.fromkeys(not_carried)))


def _sides(file: h5py.File) -> dict[str, list[str]]:
    """The masks that each demonstration is in."""
    sides: dict[str, list[str]] = {}
    if hdf5.has(file, "mask"):
        for name, mask in hdf5.arrays(hdf5.member(file, "mask")).items():
            for demo in np.ravel(hdf5.whole(mask)):
                sides.setdefault(hdf5.text_of(demo), []).append(name)
    return sides


def _read(path: Path, demo: str, sides: tuple[str, ...], options: ImportOptions) -> ImportedEpisode:
    with hdf5.naming(demo), h5py.File(path, "r") as file:
        data = hdf5.member(file, "data")
        group = hdf5.member(data, demo)
        found = hdf5.arrays(group)
        about = our_group.read_about(found)
        count = len(found["actions"])
        own = {name: array for name, array in found.items() if not name.startswith(("next_obs/", f"{our_group.OURS}/"))}
        raw = {name: RawArray(values) for name, values in hdf5.numbers(own, count).items()}
        cameras = our_group.read_jpegs(found) or {
            name.removeprefix("obs/"): hdf5.encoded(array, count, options.jpeg_quality)
            for name, array in own.items()
            if name.startswith("obs/") and hdf5.is_pixels(array)
        }
        if about is not None:
            columns = our_group.read_columns(found)
            return restored(
                about, columns, cameras, options, format=layout.FORMAT, dataset=path.name, source=demo, raw=raw
            )
        environment = _json_attribute(data, "env_args")
        settings = environment.get("env_kwargs") if isinstance(environment.get("env_kwargs"), dict) else {}
        assert isinstance(settings, dict)
        vectors = {name: array for name, array in raw.items() if array.values.ndim == 2}
        joints = vectors.get(f"obs/{layout.JOINTS}", vectors.get(f"obs/{_LIBERO_JOINTS}"))
        names = [f"joint{i + 1}" for i in range(0 if joints is None else joints.values.shape[1])]
        speeds = vectors.get(f"obs/{layout.SPEEDS}")
        shown = {f"obs/{name}" for name in cameras}
        return ImportedEpisode(
            format=layout.FORMAT,
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
            simulated=environment.get("type") != layout.REAL_ROBOT,
            notes=tuple(_notes(data, sides)),
            not_carried=(
                *(name for name in own if name not in raw and name not in shown),
                *hdf5.attributes_but(group, _READ_OF_DEMO),
                *(f"ep_meta {name}" for name in sorted(_json_attribute(group, "ep_meta")) if name != "lang"),
            ),
        )


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


def _notes(data: h5py.Group, sides: tuple[str, ...]) -> Iterator[str]:
    yield "Poses of robosuite are in the world's frame and are kept as they are, under `obs`."
    if hdf5.text_of(data.attrs.get("macros_image_convention", "")) == "opengl":
        yield "Its images were rendered in OpenGL's convention, the lowest row first: they stand on their head."
    if sides:
        yield f"It was in the masks {', '.join(sides)}."


def _robot(settings: Mapping[str, Any]) -> str:
    robots = settings.get("robots")
    first = robots[0] if isinstance(robots, list) and robots else robots
    return first if isinstance(first, str) else "unknown"


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _outcome(raw: Mapping[str, RawArray]) -> Outcome:
    rewards = raw.get("rewards")
    return "success" if rewards is not None and np.any(rewards.values > 0) else "unknown"
