"""The training page: its manifests load, every command of ours in it runs, its code does what it says.

Commands and code marked as upstream's are held against the names that a built dataset has.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pages import DOCS, blocks

from dataset_builder.dataset import Dataset
from dataset_builder.manifest import BuildManifest
from dataset_builder.presets import PRESETS
from teleloom.config import load_yaml
from teleloom.episode.reader import EpisodeReader

PAGE = DOCS / "training.md"
EXAMPLES = {"openvla": "openvla.yaml", "octo": "octo.yaml", "openpi-droid": "openpi-droid.yaml"}
COMMAND = re.compile(r"^\$ (teleloom .+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def followed(station: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which every command of the page was run, in their order."""
    folder = tmp_path_factory.mktemp("followed")
    (folder / "my-station").symlink_to(station)
    (folder / "docs").symlink_to(DOCS)
    commands = COMMAND.findall(PAGE.read_text(encoding="utf-8"))
    assert len(commands) == 7
    for command in commands:
        words = [sys.executable, "-m", "station", *shlex.split(command)[1:]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, cwd=folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert "verify" not in command or "Sound." in done.stdout
    return folder / "datasets"


def read(followed: Path, name: str) -> Dataset:
    return Dataset.open(followed / name / "1.0.0")


def test_each_example_is_a_manifest_of_the_preset_it_is_for() -> None:
    for preset, file in EXAMPLES.items():
        manifest = load_yaml(DOCS / "examples" / file, BuildManifest)
        assert manifest.preset == preset
        said = BuildManifest.model_validate({"name": manifest.name, "preset": preset})
        assert (manifest.action, manifest.cameras, manifest.step_rate_hz) == (
            said.action,
            said.cameras,
            said.step_rate_hz,
        )


def test_the_table_names_every_preset() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [preset for preset in PRESETS if f"| `{preset}` |" not in text] == []


def test_every_command_of_ours_runs(followed: Path) -> None:
    assert {path.name for path in followed.iterdir()} == {"kitchen_openvla", "kitchen_octo", "kitchen_droid"}


def test_the_code_for_the_robot_sends_what_was_commanded(followed: Path, episode: Path) -> None:
    (code,) = (block for block in blocks(PAGE, "python") if "sys.argv" in block)
    dataset = followed / "kitchen_openvla" / "1.0.0"
    done = subprocess.run([sys.executable, "-c", code, str(dataset)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    numbers = [re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", line) for line in done.stdout.splitlines()]
    sent = np.array(numbers, dtype=np.float64)
    with EpisodeReader(episode) as reader:
        commanded = reader.steps().action
    where = [int(np.abs(commanded[:, :3] - row[:3]).sum(axis=1).argmin()) for row in sent]
    assert len(sent) > 10
    assert where == sorted(where)
    assert np.abs(commanded[where, :3] - sent[:, :3]).max() < 1e-4
    assert np.abs(commanded[where[-1], 7] - sent[-1, 7]) < 1e-6


def test_what_openvla_is_told_is_there(followed: Path) -> None:
    (block,) = (block for block in blocks(PAGE, "python") if "OXE_DATASET_CONFIGS" in block)
    assert '"kitchen_openvla": libero_dataset_transform,' in block
    (images,) = re.findall(r'"image_obs_keys": (\{.*\})', block)
    leaves = read(followed, "kitchen_openvla").leaves
    for key in filter(None, ast.literal_eval(images).values()):
        assert f"steps/observation/{key}" in leaves


def test_what_octo_is_told_is_there(followed: Path) -> None:
    (block,) = (block for block in blocks(PAGE, "python") if "FINETUNING_KWARGS" in block)
    told = ast.literal_eval(block.partition("=")[2].strip())
    dataset = read(followed, told["name"])
    for key in (*told["image_obs_keys"].values(), told["proprio_obs_key"]):
        assert f"steps/observation/{key}" in dataset.leaves
    assert f"steps/{told['language_key']}" in dataset.leaves
    assert tuple(told["action_normalization_mask"]) == dataset.manifest.action.mask(7)
    assert (followed / told["name"] / "1.0.0" / "octo_statistics.json").exists()


def test_what_openpi_is_told_is_there(followed: Path) -> None:
    (block,) = (block for block in blocks(PAGE, "python") if "RLDSDroidDataConfig" in block)
    names = dict(re.findall(r'\b(name|version|repo_id|rlds_data_dir)="([^"]+)"', block))
    assert (followed.parent / names["rlds_data_dir"] / names["name"] / names["version"]).is_dir()
    assert (followed / names["name"] / names["version"] / "norm_stats.json").exists()
    assert read(followed, names["name"]).manifest.action.chunk_length == 16
