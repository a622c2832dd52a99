"""The page on co-fine-tuning: its scripts run, its example loads, its tables tell the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mixture_parts import Kitchen, make_kitchen

from dataset_builder.mixture.manifest import MixtureManifest
from teleloom.config import load_yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "co-fine-tuning.md").read_text(encoding="utf-8")
SCRIPTS = {name: code for code, name in re.findall(r"^```python\n(# (\S+)\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)}


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return make_kitchen(tmp_path_factory.mktemp("docs"), episodes=3)


def run(name: str, *arguments: Path) -> list[str]:
    command = [sys.executable, "-c", SCRIPTS[name], *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_torch_script_trains_and_goes_on(kitchen: Kitchen, tmp_path: Path) -> None:
    manifest = kitchen.write()
    seen = [line for _ in range(2) for line in run("train_torch.py", manifest, tmp_path / "state.json")]
    assert [line.split()[0] for line in seen] == ["0", "1", "2", "3", "4", "5"]
    assert all("(8, 2, 32, 40, 3)" in line and line.endswith("tokens to learn") for line in seen)


def test_the_tensorflow_script_counts_its_batches(kitchen: Kitchen) -> None:
    seen = run("train_tf.py", kitchen.write())
    assert [(line.split()[0], line.split()[-1]) for line in seen] == [("0", "1"), ("1", "2"), ("2", "3")]


def test_the_example_loads_and_names_three_kinds_of_sources() -> None:
    manifest = load_yaml(ROOT / "docs" / "examples" / "mixture.yaml", MixtureManifest)
    assert [len(sources) for sources in (manifest.robots, manifest.questions, manifest.plans)] == [1, 2, 1]


def test_the_page_shows_prompts_and_keys_as_they_are(kitchen: Kitchen) -> None:
    mixture = kitchen.open(prompt="openvla")
    prompts = {sample.kind: sample.prompt for number in range(3) for sample in mixture.samples(number)}
    before, after = "In: What action should the robot take to ", "\nOut: "
    assert prompts["robot"].startswith(before)
    assert prompts["robot"].endswith(after)
    assert f"`{before}[task, lower case]?`" in PAGE
    for key in mixture.batch(0):
        assert f"`{key}`" in PAGE
