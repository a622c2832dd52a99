"""Exports as the real `lerobot` and `robomimic` read them, and what the real `lerobot` wrote, imported here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import simplejpeg
from exchange_environments import LEROBOT, LEROBOT_NEEDS, ROBOMIMIC, ROBOMIMIC_NEEDS, interpreter, run

from dataset_builder.exchange.formats import importer
from dataset_builder.exchange.importing.dataset import ImportOptions
from dataset_builder.exchange.importing.episode import ImportedEpisode
from teleloom.catalog import Catalog, parse

pytestmark = pytest.mark.long

TASKS = ("stack", "put-in-bowl")
VIDEO_PSNR_DB = 30.0


def teleloom(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "station", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four episodes of two tasks, recorded in simulation and approved."""
    root = tmp_path_factory.mktemp("real") / "station"
    for task in TASKS:
        teleloom("record", root, "--lockstep", "--operator", "scripted", "--task", task, "--episodes", 2)
    with Catalog.open(root) as catalog:
        for row in catalog.episodes():
            verdict = parse({"kind": "verdict", "decision": "approve"})
            catalog.annotate(row.id, verdict, "tester", catalog.view(row.id).revision)
    return root


@pytest.fixture(scope="module")
def lerobot() -> Path:
    return interpreter("lerobot", LEROBOT, LEROBOT_NEEDS)


def export(station: Path, target: str, out: Path, *options: str) -> None:
    given = [word for option in options for word in ("--option", option)]
    teleloom("export", station, "--to", target, "--name", "kitchen", "--out", out, *given)


def imported(path: Path, target: str) -> list[ImportedEpisode]:
    return [source.read() for source in importer(target).open_dataset(path, ImportOptions()).sources]


@pytest.mark.parametrize("option", ["images=video", "images=image", "video_codec=h264"])
def test_lerobot_loads_the_export_and_iterates_it(station: Path, lerobot: Path, tmp_path: Path, option: str) -> None:
    export(station, "lerobot", tmp_path / "out", option)
    run(lerobot, "lerobot_program.py", "read", tmp_path / "out", tmp_path / "seen.npz", cache=tmp_path / "hf")
    seen = np.load(tmp_path / "seen.npz")
    facts = json.loads(str(seen["facts"]))
    episodes = imported(tmp_path / "out", "lerobot")
    steps = sum(len(episode) for episode in episodes)
    assert (facts["episodes"], len(seen["action"]), facts["fps"]) == (4, steps, 10)
    assert facts["tasks"] == [text for episode in episodes for text in [episode.instructions[0]] * len(episode)]
    assert len(set(facts["tasks"])) >= len(TASKS)
    action = np.concatenate([episode.raw["teleloom.action"].values for episode in episodes])
    state = np.concatenate([np.column_stack([episode.joints, episode.gripper]) for episode in episodes])
    np.testing.assert_array_equal(seen["action"], action.astype(np.float32))
    np.testing.assert_array_equal(seen["exact"], action.astype(np.float32))
    np.testing.assert_array_equal(seen["state"], state.astype(np.float32))
    np.testing.assert_array_equal(seen["t_ns"], np.concatenate([episode.t_ns for episode in episodes]))
    # A policy takes these for its inputs and outputs, and none of ours.
    cameras = [f"observation.images.{key}" for key in ("image", "wrist_image")]
    assert facts["policy_features"] == ["action", *cameras, "observation.state"]
    assert facts["window"][0] == [4, 3, action.shape[1]]
    assert facts["window"][1][:3] == [4, 2, 3]
    assert facts["windows"] == facts["episode_1"]
    assert {"mean", "std", "min", "max", "count", "q01", "q99"} <= set(facts["stats"]["action"])
    recorded = [frame for episode in episodes_as_recorded(station, tmp_path) for frame in episode]
    assert facts["camera"] == cameras[0]
    for before, after in zip(recorded, seen["image"], strict=True):
        error = np.mean((simplejpeg.decode_jpeg(before).astype(float) - after) ** 2)
        assert error == 0.0 if option == "images=image" else 10 * np.log10(255**2 / error) > VIDEO_PSNR_DB


def episodes_as_recorded(station: Path, folder: Path) -> list[list[bytes]]:
    """The bytes of the front camera, in the order of any export: by way of the format that keeps them."""
    export(station, "aloha", folder / "recorded")
    return [list(episode.cameras["front"].frames) for episode in imported(folder / "recorded", "aloha")]


def test_what_lerobot_wrote_is_imported(lerobot: Path, tmp_path: Path) -> None:
    run(lerobot, "lerobot_program.py", "write", tmp_path / "made", cache=tmp_path / "hf")
    root = tmp_path / "station"
    teleloom("import", tmp_path / "made", root)
    with Catalog.open(root) as catalog:
        assert {catalog.view(row.id).status for row in catalog.episodes()} == {"unreviewed"}
        assert len(catalog.episodes()) == 3
    episodes = imported(tmp_path / "made", "lerobot")
    assert [len(episode) for episode in episodes] == [5, 1, 7]
    assert [episode.instructions for episode in episodes] == [("push é",), ("pull",), ("push é",)]
    for number, episode in enumerate(episodes):
        count = len(episode)
        expected = np.column_stack([np.arange(count), np.full(count, number), np.full(count, 0.1)]).astype(np.float32)
        np.testing.assert_array_equal(episode.raw["observation.state"].values, expected)
        assert episode.raw["action"].names == ("pan", "lift", "gripper")
        for camera, step, base in (("front", 20, 5 * number), ("wrist", 30, 0)):
            shown = [simplejpeg.decode_jpeg(frame).mean() for frame in episode.cameras[camera].frames]
            np.testing.assert_allclose(shown, step * np.arange(count) + base, atol=4)


def test_robomimic_reads_the_export_as_a_policy_would(station: Path, tmp_path: Path) -> None:
    python = interpreter("robomimic", ROBOMIMIC, ROBOMIMIC_NEEDS)
    export(station, "robomimic", tmp_path / "out", "next_obs=yes")
    file = tmp_path / "out/kitchen.hdf5"
    run(python, "robomimic_program.py", file, tmp_path / "seen.npz", cache=tmp_path / "hf")
    seen = np.load(tmp_path / "seen.npz")
    facts = json.loads(str(seen["facts"]))
    with h5py.File(file) as data:
        demos = [name.decode() for name in data["mask/train"]]
        assert facts["demos"] == demos
        assert facts["samples"] == facts["seen"] == sum(data[f"data/{name}"].attrs["num_samples"] for name in demos)
        actions = np.concatenate([data[f"data/{name}/actions"][()] for name in demos])
        images = np.concatenate([data[f"data/{name}/obs/image"][()] for name in demos])
    np.testing.assert_array_equal(seen["actions"], actions.astype(np.float32))
    assert np.abs(seen["actions"]).max() <= 1.0
    np.testing.assert_array_equal(seen["image"], images)
    episodes = imported(file, "robomimic")
    np.testing.assert_array_equal(seen["joints"], np.concatenate([episodes[int(name[5:])].joints for name in demos]))
    assert facts["window"] == [8, 5, actions.shape[1]]
    assert facts["image"][2:] == [3, *images.shape[1:3]]
    assert 0.0 <= facts["image_range"][0] < facts["image_range"][1] <= 1.0
