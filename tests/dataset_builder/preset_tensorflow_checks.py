"""Each preset, built by the real builder and loaded with the real TensorFlow, against what its loaders want on disk.

The tables are written from the loaders, not from this builder: OpenVLA's regenerated LIBERO, Bridge V2's features and
DROID's builder, and the keys that Octo's fine-tuning example names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from conftest import Station
from synthetic_episodes import Episode

from dataset_builder.codecs.contract import BoundedCodec
from dataset_builder.dataset import Dataset
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.schemes import normalise, unnormalise
from dataset_builder.presets import Preset
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import Steps

Wanted = dict[str, tuple[type, tuple[int, ...]]]

COMMON: Wanted = {
    "discount": (np.float32, ()),
    "reward": (np.float32, ()),
    "is_first": (np.bool_, ()),
    "is_last": (np.bool_, ()),
    "is_terminal": (np.bool_, ()),
    "language_instruction": (np.object_, ()),
}
LIBERO: Wanted = {
    **COMMON,
    "observation/image": (np.uint8, (256, 256, 3)),
    "observation/wrist_image": (np.uint8, (256, 256, 3)),
    "observation/state": (np.float32, (8,)),
    "observation/joint_state": (np.float32, (7,)),
    "action": (np.float32, (7,)),
}
BRIDGE: Wanted = {
    **COMMON,
    **{f"observation/image_{n}": (np.uint8, (256, 256, 3)) for n in range(4)},
    "observation/state": (np.float32, (7,)),
    "action": (np.float32, (7,)),
}
OCTO: Wanted = {
    **COMMON,
    "observation/image_primary": (np.uint8, (256, 256, 3)),
    "observation/image_wrist": (np.uint8, (128, 128, 3)),
    "observation/proprio": (np.float32, (8,)),
    "action": (np.float32, (7,)),
}
DROID: Wanted = {
    **COMMON,
    "observation/exterior_image_1_left": (np.uint8, (180, 320, 3)),
    "observation/exterior_image_2_left": (np.uint8, (180, 320, 3)),
    "observation/wrist_image_left": (np.uint8, (180, 320, 3)),
    "observation/cartesian_position": (np.float64, (6,)),
    "observation/gripper_position": (np.float64, (1,)),
    "observation/joint_position": (np.float64, (7,)),
    "action_dict/cartesian_position": (np.float64, (6,)),
    "action_dict/cartesian_velocity": (np.float64, (6,)),
    "action_dict/gripper_position": (np.float64, (1,)),
    "action_dict/gripper_velocity": (np.float64, (1,)),
    "action_dict/joint_position": (np.float64, (7,)),
    "action_dict/joint_velocity": (np.float64, (7,)),
    "action": (np.float64, (7,)),
    "language_instruction_2": (np.object_, ()),
    "language_instruction_3": (np.object_, ()),
}
TABLES: dict[Preset, Wanted] = {
    "teleloom": {
        **LIBERO,
        "observation/image": (np.uint8, (240, 320, 3)),
        "observation/wrist_image": (np.uint8, (240, 320, 3)),
        "is_valid": (np.bool_, ()),
        "control_mode": (np.int32, ()),
        "handover": (np.bool_, ()),
        "after_cut": (np.bool_, ()),
        "subtask": (np.object_, ()),
        "action_policy": (np.float32, (7,)),
        "has_action_policy": (np.bool_, ()),
        "action_human": (np.float32, (7,)),
        "has_action_human": (np.bool_, ()),
    },
    "openvla": LIBERO,
    "openvla-bridge": BRIDGE,
    "octo": OCTO,
    "openpi-droid": DROID,
}
# What every preset has on top of what its loaders want, which they pass over.
OURS: Wanted = {
    "is_intervention": (np.bool_, ()),
    "action_mode": (np.int32, ()),
    "intv_label": (np.int32, ()),
    "weight": (np.float32, ()),
}
METADATA = {
    "episode_id",
    "file_path",
    "task",
    "scene",
    "robot",
    "operator",
    "outcome",
    "instructions",
    "policy_version",
    "step_rate_hz",
    "weight",
}
MORE_METADATA: dict[Preset, set[str]] = {
    "openvla-bridge": {*(f"has_image_{n}" for n in range(4)), "has_language"},
    "openpi-droid": {"recording_folderpath", "has_exterior_image_2"},
}
# DCT coefficients are rounded to tenths: by Parseval no value of a chunk of H is off by more than sqrt(H) / 20.
FAST_BOUND = 0.5 / 10.0


Loaded = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Built:
    """A dataset of one preset. episodes: metadata and steps of each, as numpy arrays, decoded by tfds."""

    preset: Preset
    station: Station
    dataset: Dataset
    episodes: tuple[Loaded, ...]

    def sources(self) -> Iterator[tuple[dict[str, Any], dict[str, Any], EpisodeReader, Steps]]:
        """Each of `episodes` with its source and the step table that the episode format itself makes of it."""
        for metadata, steps in self.episodes:
            with EpisodeReader(episode_path(self.station.root, metadata["episode_id"].decode())) as reader:
                yield metadata, steps, reader, reader.steps(float(metadata["step_rate_hz"]))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Station:
    """Two demonstrations, and a policy that was corrected."""
    station = Station(tmp_path_factory.mktemp("recorded"))
    for seed in range(2):
        station.add(Episode(seed=seed, size=(240, 320)))
    station.add(Episode(seed=3, size=(240, 320), policy="round-1", corrections=((0.5, 1.0),)))
    return station


@pytest.fixture(scope="module", params=list(TABLES))
def built(request: pytest.FixtureRequest, recorded: Station, tmp_path_factory: pytest.TempPathFactory) -> Built:
    manifest = BuildManifest.model_validate({"name": "kitchen", "preset": request.param, "splits": {"val_fraction": 0}})
    result = recorded.build(tmp_path_factory.mktemp(request.param), manifest)
    assert result.splits == {"train": 3}
    return Built(request.param, recorded, Dataset.open(result.path), tuple(_loaded(result.path)))


def _loaded(path: Path) -> Iterator[Loaded]:
    for episode in tfds.builder_from_directory(str(path)).as_dataset(split="train"):
        (steps,) = episode["steps"].batch(1000)
        yield (
            {key: value.numpy() for key, value in flat(episode["episode_metadata"]).items()},
            {key: value.numpy() for key, value in flat(steps).items()},
        )


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    leaves = {}
    for name, node in tree.items():
        key = f"{prefix}{name}"
        leaves |= flat(node, f"{key}/") if hasattr(node, "items") else {key: node}
    return leaves


def test_keys_types_and_shapes_are_those_its_loaders_want(built: Built) -> None:
    wanted = {**TABLES[built.preset], **OURS}
    features = tfds.builder_from_directory(str(built.dataset.path)).info.features
    declared = flat(features["steps"].feature)
    assert declared.keys() == wanted.keys()
    for key, (dtype, shape) in wanted.items():
        assert (declared[key].np_dtype, declared[key].shape) == (np.dtype(dtype), shape), key
    assert set(features["episode_metadata"]) == METADATA | MORE_METADATA.get(built.preset, set())
    for _, steps in built.episodes:
        assert steps.keys() == wanted.keys()
        for key, (dtype, shape) in wanted.items():
            assert (steps[key].dtype, steps[key].shape[1:]) == (np.dtype(dtype), shape), key


def test_images_are_what_the_cameras_took_about_their_centre(built: Built) -> None:
    """Against TensorFlow's own crop and Lanczos resize of the recorded frame."""
    for _, steps, reader, table in built.sources():
        for camera, choice in built.dataset.manifest.cameras.items():
            shown = steps[f"observation/{choice.key}"]
            height, width = shown.shape[1:3]
            for step in (0, len(table) - 1):
                (jpeg,) = reader.frames(camera, table.streams[f"cameras/{camera}"].index[[step]])
                recorded = tf.io.decode_jpeg(jpeg)
                share = min(240 / height, 320 / width)
                cut = tf.image.resize_with_crop_or_pad(recorded, round(height * share), round(width * share))
                expected = tf.image.resize(cut, (height, width), "lanczos3", antialias=True)
                assert np.abs(shown[step] - np.clip(expected, 0, 255)).mean() < 4.0


def test_the_action_that_tokens_and_statistics_give_back_is_the_recorded_one(built: Built) -> None:
    """In physical units, within the codec's bound wherever normalisation did not clip."""
    tokeniser = built.dataset.tokeniser
    statistics, scheme = tokeniser.statistics, tokeniser.scheme
    for _, steps in built.episodes:
        actions = built.dataset.layout.recorded_action({f"steps/{key}": values for key, values in steps.items()})
        ends = [unnormalise(np.full((1, actions.shape[1]), end), statistics, scheme) for end in (0.0, 1.0)]
        unit = np.abs(ends[1] - ends[0])[0]
        if tokeniser.codec.chunked:
            for ids, window in zip(tokeniser.encode(actions), tokeniser.chunks(actions), strict=True):
                inside = (np.abs(window) <= 1.0).all(axis=0)
                off = np.abs(tokeniser.decode(ids) - unnormalise(window, statistics, scheme))
                assert (off <= FAST_BOUND * np.sqrt(len(window)) * unit + 1e-6)[:, inside].all()
                assert inside.sum() >= 4
            continue
        assert isinstance(tokeniser.codec, BoundedCodec)
        clipped = np.abs(unnormalise(normalise(actions, statistics, scheme), statistics, scheme) - actions) > 1e-6
        off = np.abs(tokeniser.decode(np.stack(tokeniser.encode(actions))) - actions)
        assert (off <= tokeniser.codec.bound * unit + 1e-6)[~clipped].all()
        assert clipped.mean() < 0.1


def test_the_recorded_action_is_what_the_robot_was_told(built: Built) -> None:
    """By the episode's own step table, added up by another way than the builder's."""
    for _, steps, _, table in built.sources():
        opening = table.action[:, 7]
        if built.preset == "openpi-droid":
            assert np.abs(steps["action_dict/joint_position"] - table.action_joint[:, :7]).max() < 1e-6
            assert np.abs(steps["action_dict/gripper_position"][:, 0] - (1.0 - opening)).max() < 1e-6
            continue
        moved = np.cumsum(steps["action"][:, :3].astype(np.float64), axis=0) + table.ee_pose[0, :3]
        assert np.abs(moved - table.action[:, :3]).max() < 1e-5
        raw = steps["action"][:, -1]
        assert np.abs(((1.0 - raw) / 2.0 if built.preset == "openvla" else raw) - opening).max() < 1e-6


def test_what_the_standard_transforms_make_of_it_means_what_they_say(built: Built) -> None:
    """The formulas of `libero_dataset_transform`, `relabel_bridge_actions` and openpi's success filter, restated."""
    for metadata, steps, _, table in built.sources():
        if built.preset == "openvla":
            gripper = 1.0 - tf.clip_by_value(steps["action"][:, -1:], 0, 1)
            assert np.array_equal(gripper[:, 0], table.action[:, 7])
        if built.preset == "openvla-bridge":
            movement = np.diff(steps["observation/state"][:, :6], axis=0)
            assert np.abs(movement[:, :3] - np.diff(table.ee_pose[:, :3], axis=0)).max() < 1e-6
            assert np.abs(movement[:, 3:]).max() < 0.5
            assert set(np.unique(steps["action"][:, -1])) == {0.0, 1.0}
            assert [bool(metadata[f"has_image_{n}"]) for n in range(4)] == [True, True, False, False]
            assert not steps["observation/image_3"].any()
        if built.preset == "openpi-droid":
            assert tf.strings.regex_full_match(metadata["file_path"], ".*success.*").numpy()
            outside = [steps[f"observation/exterior_image_{n}_left"] for n in (1, 2)]
            assert np.array_equal(*outside)
            assert all(steps[f"language_instruction_{n}"].all() for n in (2, 3))


def test_the_loaders_find_it_by_its_name(built: Built) -> None:
    root = str(Path(str(built.dataset.path)).parents[1])
    assert tfds.builder("kitchen", data_dir=root).info.splits["train"].num_examples == 3
    assert str(tfds.builder("kitchen", data_dir=root, version="1.0.0").version) == "1.0.0"
