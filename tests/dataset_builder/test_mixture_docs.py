"""The page on co-fine-tuning: its scripts run, its example loads, its tables tell the truth."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from mixture_parts import Kitchen, shared_kitchen
from mixture_trainer import digest

from dataset_builder.mixture.manifest import MixtureManifest
from dataset_builder.mixture.mixture import Mixture
from teleloom.config import load_yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "co-fine-tuning.md").read_text(encoding="utf-8")
SCRIPTS = {name: code for code, name in re.findall(r"^```python\n(# (\S+)\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)}


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return shared_kitchen(tmp_path_factory)


DIGESTS = """
from mixture_trainer import digest
dataset = tf_dataset(stream, 4)
assert all(spec.shape.is_fully_defined() for spec in dataset.element_spec.values())
print(*(digest(batch) for batch in dataset.as_numpy_iterator()))
"""


def run(name: str, *arguments: Path, then: str = "") -> list[str]:
    command = [sys.executable, "-c", SCRIPTS[name] + then, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_torch_script_trains_and_goes_on(
    kitchen: Kitchen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, state = kitchen.write(), tmp_path / "state.json"
    seen = run("train_torch.py", manifest, state)
    # Again, in another process: this one, which has loaded torch already.
    monkeypatch.setattr(sys, "argv", ["train_torch.py", str(manifest), str(state)])
    script = tmp_path / "train_torch.py"
    script.write_text(SCRIPTS["train_torch.py"], encoding="utf-8")
    runpy.run_path(str(script))
    seen += capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in seen] == ["0", "1", "2", "3", "4", "5"]
    assert all("(8, 2, 32, 40, 3)" in line and line.endswith("tokens to learn") for line in seen)


def test_the_tensorflow_script_counts_its_batches_and_they_are_those_of_the_core(kitchen: Kitchen) -> None:
    manifest = kitchen.write("tensorflow.yaml", augmentation={}, exact_share=True)
    *seen, digests = run("train_tf.py", manifest, then=DIGESTS)
    mixture = Mixture.open(manifest)
    assert digests.split() == [digest(dict(mixture.batch(number))) for number in range(4)]
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
