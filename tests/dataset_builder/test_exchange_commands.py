"""`teleloom import` and `teleloom export` as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
import simplejpeg
from click.testing import CliRunner, Result
from conftest import Station
from foreign_datasets import write_droid
from synthetic_episodes import Episode

from dataset_builder.build.run import BuildResult
from dataset_builder.exchange import formats
from dataset_builder.exchange.commands import export, import_
from teleloom.catalog import Catalog
from teleloom.episode.reader import EpisodeReader

Kitchen = tuple[Station, BuildResult]


def run(command: click.Command, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def episodes_of(root: Path) -> list[str]:
    with Catalog.open(root) as catalog:
        return [row.id for row in catalog.episodes(status="unreviewed")]


def test_import_makes_the_station_and_lists_its_episodes_for_review(kitchen: Kitchen, tmp_path: Path) -> None:
    station = tmp_path / "new" / "station"
    result = run(import_, kitchen[1].path, station)
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "Imported 8 of 8 episodes of kitchen/1.0.0 (rlds)" in text
    assert f"Review them: teleloom review {station}\n" in result.output
    assert "Read with the map 'teleloom'" in text
    assert len(episodes_of(station)) == 8
    again = run(import_, kitchen[1].path, station)
    assert again.exit_code == 0
    assert "Imported 0 of 8 episodes" in again.output
    assert "8 were there" in " ".join(again.output.split())
    assert len(episodes_of(station)) == 8


def test_json_is_one_document_that_balances_and_lies_in_the_station_too(kitchen: Kitchen, tmp_path: Path) -> None:
    result = run(import_, kitchen[1].path, tmp_path, "--json", "--task", "bowl", "--operator", "ada", "--scene", "lab")
    document = json.loads(result.stdout)
    counts = document["counts"]
    assert counts["inputs"] == counts["imported"] + counts["skipped"] + counts["rejected"] == 8
    assert document == json.loads((tmp_path / "imports" / "rlds-kitchen-1.0.0-1.json").read_text())
    with EpisodeReader(next((tmp_path / "episodes").glob("*.h5"))) as reader:
        assert (reader.meta.task.name, reader.meta.task.scene, reader.meta.operator) == ("bowl", "lab", "ada")


def test_a_partly_broken_dataset_exits_with_3_and_one_without_anything_with_1(tmp_path: Path) -> None:
    write_droid(tmp_path / "raw" / "good")
    broken = write_droid(tmp_path / "raw" / "[/broken]", offset=1.0)
    (broken / "trajectory.h5").write_bytes(b"no hdf5")
    partly = run(import_, tmp_path / "raw", tmp_path / "station")
    assert partly.exit_code == 3
    assert "Warning: 1 of 2 episodes could not be imported" in partly.stderr
    assert "1 of 2 are not in:\n  [/broken]: bad-file\n    " in partly.stdout
    block = partly.stdout.partition("are not in:\n")[2].partition("Not carried over")[0]
    assert not any(line.endswith(" ") for line in block.splitlines()[:-1])
    nothing = run(import_, broken, tmp_path / "other", "--from", "droid")
    assert nothing.exit_code == 1
    assert "nothing was imported: see above" in nothing.stderr


def test_an_unknown_folder_is_refused_with_all_that_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    result = run(import_, tmp_path / "folder", tmp_path / "station")
    assert result.exit_code == 1
    for name in formats.IMPORTED:
        assert f"{name}: " in result.stderr
    assert not (tmp_path / "station").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--map", "pose"), 2, "write it as OURS=THEIRS"),
        (("--from", "lerobot"), 1, "is no dataset of lerobot, it looks like rlds; leave --from out"),
        (("--rate-hz", "0"), 2, "0.0 is not in the range x>0"),
        (("--from", "webm"), 2, "'webm' is not one of"),
        (("--profile", "pr2"), 1, "there is no profile 'pr2'; there are droid, libero, bridge, raw"),
        (("--profile", "bridge"), 1, "the dataset has no observation/image_0"),
        (("--robot", "robot.yaml"), 1, "unknown key"),
    ],
)
def test_wrong_usage_is_refused_with_the_remedy(
    kitchen: Kitchen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("robot.yaml").write_text("nam: panda\n")
    result = run(import_, kitchen[1].path, tmp_path / "station", *arguments)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())


def test_the_robot_of_the_page_takes_the_place_of_the_unknown_one(kitchen: Kitchen, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
    (tmp_path / "robot.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    result = run(import_, kitchen[1].path, tmp_path / "station", "--robot", tmp_path / "robot.yaml")
    assert result.exit_code == 0, result.output
    with EpisodeReader(next((tmp_path / "station" / "episodes").glob("*.h5"))) as reader:
        assert reader.meta.robot.name == "franka"
        assert reader.meta.robot.dq_max == (2.17, 2.17, 2.17, 2.17, 2.61, 2.61, 2.61)
        assert reader.meta.robot.joint_names[0] == "panda_joint1"


def test_help_shows_examples_and_every_format() -> None:
    imported, exported = run(import_, "--help").output, run(export, "--help").output
    assert "teleloom import datasets/kitchen/1.0.0 station" in imported
    assert "teleloom export station --to lerobot" in exported
    assert f"--from [{'|'.join(formats.IMPORTED)}]" in imported
    assert f"--to [{'|'.join(formats.EXPORTED)}]" in exported


_SLOW_IMPORT = """
import sys, time
from pathlib import Path
from dataset_builder.exchange.rlds import importer
from dataset_builder.exchange.importing.dataset import ImportOptions
from dataset_builder.exchange.importing.run import import_dataset
from teleloom.catalog import Catalog

def progress(what, done, total):
    print(done, flush=True)
    time.sleep(0.02)

with Catalog.open(sys.argv[2]) as catalog:
    dataset = importer.open_dataset(Path(sys.argv[1]), ImportOptions())
    import_dataset(dataset, Path(sys.argv[2]), catalog, progress)
"""


@pytest.mark.parametrize("after_ms", [0, 23])
def test_a_killed_import_is_completed_by_the_next_without_doubles(
    kitchen: Kitchen, tmp_path: Path, after_ms: int
) -> None:
    command = [sys.executable, "-c", _SLOW_IMPORT, str(kitchen[1].path), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 3:
                break
        time.sleep(after_ms / 1000)
        os.kill(process.pid, signal.SIGKILL)
    there = len(list((tmp_path / "episodes").glob("*.h5")))
    assert 3 <= there < 8
    result = run(import_, kitchen[1].path, tmp_path, "--json")
    counts = json.loads(result.stdout)["counts"]
    assert (counts["inputs"], counts["skipped"], counts["imported"]) == (8, there, 8 - there)
    files = {path.stem for path in (tmp_path / "episodes").glob("*.h5")}
    assert files == set(episodes_of(tmp_path))
    assert len(files) == 8
    assert list((tmp_path / "episodes").glob(".*")) == []


_KILLED_EXPORT = """
import os, signal, sys
from dataset_builder.exchange.commands import export
from dataset_builder.exchange.exporting.episodes import Departures

wrote = Departures.wrote

def wrote_one(self, departure, file):
    wrote(self, departure, file)
    os.kill(os.getpid(), signal.SIGKILL)

Departures.wrote = wrote_one
export()
"""


def test_a_killed_export_leaves_what_was_there_and_the_next_clears_up(station: Station, tmp_path: Path) -> None:
    for seed in range(2):
        station.add(Episode(seed=seed, seconds=0.6))
    folder = tmp_path / "exported"
    arguments = [str(station.root), "--to", "aloha", "--name", "kitchen", "--out", str(folder / "out"), "--force"]
    assert run(export, *arguments).exit_code == 0
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    killed = subprocess.run([sys.executable, "-c", _KILLED_EXPORT, *arguments], cwd=Path(__file__).parents[2])
    assert killed.returncode == -signal.SIGKILL
    (half,) = folder.glob(".out.*")
    assert [path.name for path in half.iterdir()] == ["episode_0.hdf5"]
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before
    assert run(export, *arguments).exit_code == 0
    assert [path.name for path in folder.iterdir()] == ["out"]
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before


def test_an_export_that_was_moved_away_by_a_killed_one_is_back_and_not_replaced_unasked(
    station: Station, tmp_path: Path
) -> None:
    station.add(Episode(seed=0, seconds=0.6))
    moved = tmp_path / ".out.00000000.replaced"
    moved.mkdir()
    result = run(export, station.root, "--to", "aloha", "--name", "kitchen", "--out", tmp_path / "out")
    assert (result.exit_code, "replace this one with --force" in result.stderr) == (1, True)
    assert [path.name for path in tmp_path.glob("*out*")] == ["out"]


@pytest.mark.parametrize("target", sorted(formats.EXPORTED))
def test_what_goes_out_comes_back_as_the_same_episodes(station: Station, tmp_path: Path, target: str) -> None:
    identities = [station.add(Episode(seed=seed)) for seed in range(2)]
    out = tmp_path / "out"
    exported = run(export, station.root, "--to", target, "--name", "kitchen", "--out", out, "--json")
    assert exported.exit_code == 0, exported.output
    assert json.loads(exported.stdout)["ledger"]["counts"]["emitted"] == 2
    imported = run(import_, out, tmp_path / "back", "--json")
    assert imported.exit_code == 0, imported.output
    document = json.loads(imported.stdout)
    assert (document["format"], document["counts"]["imported"], document["counts"]["steps"]) == (target, 2, 40)
    for seed, identity in enumerate(identities):
        with EpisodeReader(station.root / "episodes" / f"{identity}.h5") as first:
            compare(first, came_back(tmp_path / "back", seed))
    shown = run(export, station.root, "--to", target, "--name", "kitchen", "--out", out)
    assert shown.exit_code == 1
    assert "exists already" in shown.stderr
    assert run(export, station.root, "--to", target, "--name", "kitchen", "--out", out, "--force").exit_code == 0


def came_back(root: Path, seed: int) -> Path:
    """The imported episode that was recorded with this seed."""
    for path in sorted((root / "episodes").glob("*.h5")):
        with EpisodeReader(path) as reader:
            if reader.meta.seed == seed:
                return path
    raise AssertionError(f"no episode of seed {seed} came back")


def compare(first: EpisodeReader, path: Path) -> None:
    """The same steps to the last bit, the same instructions, and a frame for each step."""
    with EpisodeReader(path) as back:
        ours, theirs = first.steps(), back.steps()
        assert len(ours) == len(theirs)
        for name in ("state", "ee_pose", "action", "action_joint", "control_mode", "is_intervention"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
        assert back.meta.task == first.meta.task
        assert (back.meta.outcome, back.meta.robot) == (first.meta.outcome, first.meta.robot)
        assert back.cameras == first.cameras
        for camera in first.cameras:
            shown = ours.streams[f"cameras/{camera}"].index
            assert len(back.stream(f"cameras/{camera}")["t_ns"]) == len(shown)
            for i in (0, len(shown) - 1):
                before = simplejpeg.decode_jpeg(first.frame_bytes(camera, int(shown[i])))
                after = simplejpeg.decode_jpeg(back.frame_bytes(camera, i))
                assert np.abs(before.astype(int) - after).mean() < 6.0


def test_export_refuses_an_option_that_the_format_does_not_have(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=0))
    arguments = (station.root, "--to", "aloha", "--name", "kitchen", "--out", tmp_path / "out")
    result = run(export, *arguments, "--option", "colour=blue")
    assert result.exit_code == 1
    assert "no option 'colour'" in result.stderr
    assert run(export, *arguments, "--option", "colour").exit_code == 2
    assert not (tmp_path / "out").exists()


def test_export_leaves_broken_episodes_out_and_exits_with_3(station: Station, tmp_path: Path) -> None:
    for seed in range(2):
        station.add(Episode(seed=seed))
    identity = station.add(Episode(seed=2))
    path = station.root / "episodes" / f"{identity}.h5"
    path.write_bytes(path.read_bytes()[:5000])
    result = run(export, station.root, "--to", "aloha", "--name", "kitchen", "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "1 of 3 episodes are broken and left out" in result.stderr
    assert "bad-file" in result.stdout


@pytest.mark.parametrize("target", sorted(formats.EXPORTED))
def test_a_dry_run_says_what_would_go_out_and_writes_nothing(station: Station, tmp_path: Path, target: str) -> None:
    for seed in range(2):
        station.add(Episode(seed=seed))
    station.add(Episode(seed=2), approve=False)
    identity = station.add(Episode(seed=3))
    path = station.root / "episodes" / f"{identity}.h5"
    path.write_bytes(path.read_bytes()[:5000])
    (tmp_path / "taken").mkdir()
    arguments = (station.root, "--to", target, "--name", "kitchen", "--out", tmp_path / "taken")
    dry = run(export, *arguments, "--dry-run", "--json")
    assert dry.exit_code == 3
    assert f"Warning: {tmp_path / 'taken'} exists already" in dry.stderr
    assert "Warning: 1 of 4 episodes are broken and would be left out" in dry.stderr
    assert list((tmp_path / "taken").iterdir()) == []
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".taken")] == []
    done = run(export, *arguments, "--force", "--json")
    would, did = json.loads(dry.stdout), json.loads(done.stdout)
    assert (would["dry_run"], did["dry_run"]) == (True, False)
    assert would["ledger"]["counts"] == did["ledger"]["counts"]
    assert "" not in {entry["task"] for entry in did["ledger"]["emitted"]}
    assert would["ledger"]["rejected"] == did["ledger"]["rejected"]
    for key in ("splits", "not_carried", "notes", "episode_notes"):
        assert would[key] == did[key]
    assert "Would export" in run(export, *arguments, "--dry-run").stdout


def test_a_dry_run_refuses_what_the_format_cannot_hold(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=0))
    manifest = tmp_path / "build.yaml"
    manifest.write_text("name: k\ncameras: {front: {key: image, size: [31, 32]}}\n")
    arguments = ("--to", "lerobot", "-c", manifest, "--out", tmp_path / "out", "--dry-run")
    result = run(export, station.root, *arguments)
    assert result.exit_code == 1
    assert "a video needs even numbers" in result.stderr
    assert run(export, station.root, *arguments, "--option", "images=image").exit_code == 0


_ON_A_FULL_DISK = """
import json, resource, sys
from click.testing import CliRunner
from dataset_builder.exchange.commands import export
from dataset_builder.source import select

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
select_episodes = select.select_episodes
root, out = sys.argv[1:]
said = {}

def select_and_fill_the_disk(*arguments):
    selection = select_episodes(*arguments)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    return selection

select.select_episodes = select_and_fill_the_disk
for target in ("aloha", "robomimic"):
    for size in (1_000, 60_000):
        result = CliRunner().invoke(export, [root, "--to", target, "--name", "k", "--out", out])
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        said[f"{target} {size}"] = [result.exit_code, result.stderr]
print(json.dumps(said))
"""


def test_a_full_disk_is_told_in_a_line(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=0))
    command = [sys.executable, "-c", _ON_A_FULL_DISK, str(station.root), str(tmp_path / "out")]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    told = [1, f"Error: cannot write {tmp_path / 'out'}: File too large\n"]
    cases = [f"{target} {size}" for target in ("aloha", "robomimic") for size in (1_000, 60_000)]
    assert json.loads(result.stdout) == dict.fromkeys(cases, told)
    assert not (tmp_path / "out").exists()
