"""The commands `teleloom build` and `teleloom verify`, as a person or a script runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Station
from synthetic_episodes import Episode

from dataset_builder.build import BuildResult
from dataset_builder.commands import build, verify
from teleloom.catalog import Catalog

Kitchen = tuple[Station, BuildResult]


def run(command: object, *arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_build_then_verify_in_json(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=1))
    station.add(Episode(seed=2), approve=False)
    code, out, _ = run(build, station.root, "--name", "k", "--version", "0.2.0", "--out", tmp_path, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["path"] == str(tmp_path / "k" / "0.2.0")
    assert document["splits"] == {"train": 1}
    assert document["ledger"]["counts"]["rejected_by_reason"] == {"not-approved": 1}
    with Catalog.open(station.root) as catalog:
        recorded = catalog.builds()
    assert [(row.name, row.version) for row in recorded] == [("k", "0.2.0")]
    code, out, _ = run(verify, document["path"], "--no-tfds", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["sound"]
    assert (report["records"], report["compared"]) == (1, 1)


def test_a_manifest_file_is_obeyed_and_options_override_it(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=1))
    manifest = tmp_path / "build.yaml"
    manifest.write_text("name: k\nversion: 3.0.0\ncameras: {front: image}\nstep_rate_hz: 5\n")
    code, _, _ = run(build, station.root, "-c", manifest, "--version", "3.1.0", "--out", tmp_path / "rlds")
    assert code == 0
    features = json.loads((tmp_path / "rlds/k/3.1.0/features.json").read_text())
    step = features["featuresDict"]["features"]["steps"]["sequence"]["feature"]["featuresDict"]["features"]
    assert set(step["observation"]["featuresDict"]["features"]) == {"image", "state", "joint_state"}


def test_a_dry_run_tells_people_the_reasons(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=1))
    station.add(Episode(seed=2), approve=False)
    code, out, _ = run(build, station.root, "--name", "k", "--out", tmp_path / "rlds", "--dry-run")
    assert code == 0
    assert "Would build" in out
    assert "not-approved" in out
    assert not (tmp_path / "rlds").exists()


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("name: k\nsplit: 3\n", "unknown key; known here: action, cameras"),
        ("name: Kitchen Things\n", "name"),
        ("name: k\ncodec: {name: morse}\n", "no 'morse' in teleloom.codecs"),
        ("name: k\ncodec: {name: openvla, options: {vocab_size: 3}}\n", "no room for 256"),
        ("name: k\ncodec: {name: openvla, options: {size: 3}}\n", "size"),
    ],
)
def test_a_wrong_manifest_is_refused_by_name(station: Station, tmp_path: Path, manifest: str, message: str) -> None:
    station.add(Episode(seed=1))
    path = tmp_path / "build.yaml"
    path.write_text(manifest)
    code, _, err = run(build, station.root, "-c", path, "--out", tmp_path)
    assert code != 0
    assert message in err
    assert "Traceback" not in err


def test_errors_name_the_remedy(station: Station, tmp_path: Path) -> None:
    code, _, err = run(build, station.root, "--out", tmp_path)
    assert (code, "--name" in err) == (2, True)
    code, _, err = run(build, station.root, "--name", "k", "--out", tmp_path)
    assert (code, "there are none" in err) == (1, True)
    station.add(Episode(seed=1))
    assert run(build, station.root, "--name", "k", "--out", tmp_path)[0] == 0
    code, _, err = run(build, station.root, "--name", "k", "--out", tmp_path)
    assert (code, "--force" in err) == (1, True)
    station.add(Episode(seed=2))
    code, _, err = run(build, station.root, "--name", "k", "--out", tmp_path, "--force")
    assert (code, "the catalog keeps the first build" in err) == (0, True)


def test_verify_fails_on_a_damaged_dataset(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=1))
    path = station.build(tmp_path).path
    shard = next(path.glob("*.tfrecord*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    code, out, _ = run(verify, path, "--no-tfds")
    assert code == 1
    assert "Fault" in out
    code, _, err = run(verify, tmp_path, "--no-tfds")
    assert (code, "no finished dataset" in err) == (1, True)


@pytest.mark.parametrize("command", [build, verify])
def test_help_has_an_example(command: object) -> None:
    assert "Examples:\n    teleloom" in run(command, "--help")[1]
