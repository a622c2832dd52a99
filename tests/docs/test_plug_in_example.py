"""The package on the plug-ins page is installed as entry points and used by the real commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pages import DOCS, files_in

from teleloom.episode.reader import EpisodeReader


class Lab:
    """A folder with the page's files and its package installed there. run: the `teleloom` command on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = files_in(DOCS / "plug-ins.md", "python", "yaml", "toml")
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        project = tomllib.loads(files["pyproject.toml"])["project"]
        info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        lines = []
        for group, points in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines))

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "station", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("acme"))


@pytest.fixture(scope="module")
def kept(lab: Lab) -> str:
    """The id of an episode recorded in real time with the page's robot, camera and operator."""
    report = json.loads(lab.run("record", "acme-station", "-c", "station.yaml", "--json"))
    (episode,) = report["episodes"]
    return str(episode["episode_id"])


def test_robot_camera_and_operator_of_the_page_record_an_episode(lab: Lab, kept: str) -> None:
    with EpisodeReader(lab.folder / "acme-station" / "episodes" / f"{kept}.h5") as episode:
        assert episode.cameras == ("top",)
        assert episode.meta.task.spoken == "Draw a circle."
        assert episode.frame_bytes("top", 0).startswith(b"\xff\xd8\xff")
        tick, robot = episode.stream("tick"), episode.stream("robot")
    assert tick["engaged"].any()
    assert robot["ee_pose"][:, 2].max() - robot["ee_pose"][0, 2] == pytest.approx(0.08, abs=0.02)


@pytest.mark.usefixtures("kept")
def test_codec_of_the_page_builds_a_dataset(lab: Lab) -> None:
    lab.run("review", "approve", "acme-station", "--all-unreviewed", "--by", "anna")
    lab.run("build", "acme-station", "-c", "build.yaml", "--out", "rlds")
    metadata = json.loads((lab.folder / "rlds" / "circles" / "1.0.0" / "metadata.json").read_text())
    assert metadata["action_tokens"]["codec"] == "acme-bins"
    assert metadata["action_tokens"]["options"] == {"bins": 512}
    report = json.loads(lab.run("verify", "rlds/circles/1.0.0", "--no-tfds", "--json"))
    assert report["sound"]
    assert report["compared"] == 1


@pytest.mark.usefixtures("kept")
def test_command_of_the_page_counts_episodes(lab: Lab) -> None:
    assert lab.run("acme-count", "acme-station").strip() == "1"
