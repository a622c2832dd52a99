"""The examples in the pages work: YAML files load, code blocks run on a real episode and a real dataset."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml
from pages import DOCS, blocks

from dataset_builder.manifest import BuildManifest
from dataset_builder.mixture.manifest import MixtureManifest
from station.config import StationConfig
from teleloom.config import load_yaml
from teleop.sources.openxr.frames import Rebase


def run(code: str, argument: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, str(argument)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_station_example_loads_with_the_options_of_its_operator() -> None:
    station = load_yaml(DOCS / "examples" / "station.yaml", StationConfig)
    assert station.operator.source == "openxr"
    Rebase(yaw_rad=station.operator.options["yaw_rad"])
    assert [obstacle.name for obstacle in station.teleop.obstacles] == ["counter-back"]


def test_task_that_the_station_example_shows_commented_out_loads_too() -> None:
    text = (DOCS / "examples" / "station.yaml").read_text(encoding="utf-8")
    _, shown = text.split("# A real robot", 1)
    task = "\n".join(line.removeprefix("# ") for line in shown.splitlines()[1:])
    station = StationConfig.model_validate(yaml.safe_load(text) | yaml.safe_load(task))
    assert station.task is not None
    assert station.task.spoken.startswith("Stack")


def test_build_example_loads_and_makes_what_the_mixture_example_draws_from() -> None:
    build = load_yaml(DOCS / "examples" / "build.yaml", BuildManifest)
    assert {name: choice.key for name, choice in build.cameras.items()} == {"front": "image", "wrist": "wrist_image"}
    mixture = load_yaml(DOCS / "examples" / "mixture.yaml", MixtureManifest)
    made = Path("datasets") / build.name / build.version
    assert [Path(source.path) for source in (*mixture.robots, *mixture.plans)] == [made, made]
    assert made in [Path(source.path) for source in mixture.questions]
    assert build.questions.plans
    assert build.questions.kinds


def test_obstacles_of_the_safety_page_load() -> None:
    (text,) = blocks(DOCS / "safety.md", "yaml")
    teleop = StationConfig.model_fields["teleop"].annotation
    assert [obstacle.kind for obstacle in teleop.model_validate(yaml.safe_load(text)["teleop"]).obstacles] == [
        "plane",
        "box",
    ]


def test_plain_h5py_example_reads_every_step_of_a_real_episode(episode: Path) -> None:
    (code,) = blocks(DOCS / "episode-format.md", "python")
    said = run(code, episode)
    assert "steps of (256, 256, 3)" in said
    assert said.rstrip().endswith("fresh: True")


def test_layout_page_names_every_object_of_a_real_episode(episode: Path) -> None:
    import h5py

    page = (DOCS / "episode-format.md").read_text(encoding="utf-8")
    with h5py.File(episode) as file:
        paths: list[str] = []
        file.visit(paths.append)
        attributes = [
            *file.attrs,
            *file["steps"].attrs,
            *file["streams/tick"].attrs,
            *file["streams/cameras/front"].attrs,
        ]
    names = {path.rsplit("/", 1)[-1] for path in paths if not path.startswith("streams/xr/")}
    for side in ("left", "right"):
        names |= {p.rsplit("/", 1)[-1].replace(f"{side}_", "H_") for p in paths if p.startswith(f"streams/xr/{side}_")}
    missing = {name for name in names | set(attributes) if f"`{name}`" not in page and f"/{name}`" not in page}
    assert missing <= {"streams", "events", "steps", "cameras", "front", "wrist", "frame"}


def test_tfds_example_reads_a_real_dataset(dataset: Path) -> None:
    (code,) = blocks(DOCS / "building.md", "python")
    assert "(256, 256, 3)" in run(code, dataset)
