"""The commands `teleloom build` and `teleloom verify`, as a person or a script runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Station
from synthetic_episodes import Episode, write

from dataset_builder.build.run import BuildResult
from dataset_builder.commands import build, rejections, verify
from dataset_builder.exchange.commands import export
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path

Kitchen = tuple[Station, BuildResult]
short = partial(Episode, seconds=0.6)


def run(command: object, *arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def some_in_val(station: Station) -> None:
    """Four episodes, of which the default splits hold out some, so that there is nothing to be warned of."""
    for seed in (1, 2, 3, 6):
        station.add(short(seed=seed))


def test_build_then_verify_in_json(station: Station, tmp_path: Path) -> None:
    station.add(short(seed=1))
    station.add(short(seed=2), approve=False)
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
    station.add(short(seed=1))
    manifest = tmp_path / "build.yaml"
    manifest.write_text("name: k\nversion: 3.0.0\ncameras: {front: image}\nstep_rate_hz: 5\n")
    code, _, _ = run(build, station.root, "-c", manifest, "--version", "3.1.0", "--out", tmp_path / "rlds")
    assert code == 0
    features = json.loads((tmp_path / "rlds/k/3.1.0/features.json").read_text())
    step = features["featuresDict"]["features"]["steps"]["sequence"]["feature"]["featuresDict"]["features"]
    assert set(step["observation"]["featuresDict"]["features"]) == {"image", "state", "joint_state"}


def test_reading_with_tfds_asks_for_what_reads_records_too(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    code, _, said = run(verify, kitchen[1].path, "--tfds")
    assert code == 1
    assert "run: pip install 'teleloom[tf]'" in said


def test_a_dry_run_tells_people_the_reasons(station: Station, tmp_path: Path) -> None:
    station.add(short(seed=1))
    station.add(short(seed=2), approve=False)
    station.add(short(seed=3, task="[/shelf]"))
    code, out, _ = run(build, station.root, "--name", "k", "--out", tmp_path / "[bold]", "--dry-run")
    assert code == 0
    assert f"Would build {tmp_path}/[bold]/k/1.0.0" in out
    assert ["not-approved", "1"] in [line.strip(" │").replace("│", " ").split() for line in out.splitlines()]
    assert ["put_in_bowl", "1", "1"] in [line.strip(" │").replace("│", " ").split() for line in out.splitlines()]
    assert ["[/shelf]", "1", "0"] in [line.strip(" │").replace("│", " ").split() for line in out.splitlines()]
    assert not (tmp_path / "[bold]").exists()


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("name: k\nsplit: 3\n", "unknown key; known here: action, cameras"),
        ("name: Kitchen Things\n", "name"),
        ("name: k\ncodec: {name: morse}\n", "no 'morse' in teleloom.codecs"),
        ("name: k\ncodec: {name: openvla, options: {vocab_size: 3}}\n", "no room for 256"),
        ("name: k\ncodec: {name: openvla, options: {size: 3}}\n", "size"),
        ("name: k\npreset: openvla\naction: {gripper: opening}\n", "(top level): preset openvla: action.gripper is"),
        ("name: k\nselect: {recorded_from: 2026-13-01}\n", "is not YAML: month must be in 1..12"),
    ],
)
def test_a_wrong_manifest_is_refused_by_name(station: Station, tmp_path: Path, manifest: str, message: str) -> None:
    station.add(short(seed=1))
    path = tmp_path / "build.yaml"
    path.write_text(manifest)
    code, _, err = run(build, station.root, "-c", path, "--out", tmp_path)
    assert code != 0
    assert message in err
    assert "Traceback" not in err


def test_errors_name_the_remedy(station: Station, tmp_path: Path) -> None:
    code, _, err = run(build, station.root, "--out", tmp_path)
    assert (code, "--name" in err) == (2, True)
    (station.root / "episodes").mkdir()
    code, _, err = run(build, station.root, "--name", "k", "--out", tmp_path)
    assert (code, "there are none; record some" in err) == (1, True)
    station.add(short(seed=1))
    assert run(build, station.root, "--name", "k", "--out", tmp_path)[0] == 0
    station.add(short(seed=2))
    code, _, err = run(build, station.root, "--name", "k", "--out", tmp_path)
    assert (code, "--force" in err) == (1, True)
    code, _, err = run(build, station.root, "--name", "k", "--out", tmp_path, "--force")
    assert (code, "the catalog keeps the first build" in err) == (0, True)


@pytest.mark.parametrize(("command", "arguments"), [(build, ()), (export, ("--to", "aloha"))])
def test_a_folder_that_is_no_station_gets_no_catalog(
    station: Station, tmp_path: Path, command: object, arguments: tuple[str, ...]
) -> None:
    station.add(short(seed=1))
    folder = station.root / "episodes"
    code, _, err = run(command, folder, *arguments, "--name", "k", "--out", tmp_path / "out")
    assert (code, f"{folder} is no station folder: it has no episodes/" in err) == (2, True)
    assert [path.suffix for path in folder.iterdir()] == [".h5"]


def test_a_folder_above_a_dataset_names_it(kitchen: Kitchen) -> None:
    path = kitchen[1].path
    for above in (path.parent, path.parent.parent):
        code, _, err = run(verify, above)
        assert (code, "is no finished dataset" in err, f"; name one: {path}" in err) == (1, True, True)


def test_the_same_manifest_built_elsewhere_is_the_same_build(station: Station, tmp_path: Path) -> None:
    some_in_val(station)
    locks = []
    for out in (tmp_path / "a", tmp_path / "b" / "c"):
        code, _, err = run(build, station.root, "--name", "k", "--out", out)
        assert (code, "Note" in err, "Warning" in err) == (0, False, False)
        locks.append(json.loads((out / "k" / "1.0.0" / "build.lock.json").read_text()))
    assert locks[0].pop("source") != locks[1].pop("source")
    assert locks[0] == locks[1]


def test_broken_episodes_are_warned_of_and_review_decisions_are_not(station: Station, tmp_path: Path) -> None:
    some_in_val(station)
    station.add(short(seed=102), approve=False)
    write(station.root, short(seed=103))
    code, _, err = run(build, station.root, "--name", "k", "--version", "0.1.0", "--out", tmp_path)
    assert (code, err.strip()) == (0, "")
    for seed in (104, 105):
        path = episode_path(station.root, station.add(short(seed=seed)))
        path.write_bytes(path.read_bytes()[:5000])
    code, _, err = run(build, station.root, "--name", "k", "--out", tmp_path)
    ledger = tmp_path / "k" / "1.0.0" / "ledger.json"
    assert (code, err.splitlines()[-1]) == (
        3,
        f"Warning: 2 of 8 episodes are broken and left out; the reasons are in {ledger}",
    )
    details = {entry["reason"]: entry["detail"] for entry in json.loads(ledger.read_text())["rejected"]}
    assert details["not-in-catalog"].endswith("run `teleloom review rescan ROOT`, then review it")
    code, out, err = run(build, station.root, "--name", "k", "--out", tmp_path / "dry", "--dry-run", "--json")
    assert (code, err) == (3, "Warning: 2 of 8 episodes are broken and would be left out\n")
    assert json.loads(out)["ledger"]["counts"]["rejected_by_reason"]["bad-file"] == 2


def test_the_same_again_is_up_to_date_and_the_next_version_says_what_it_reuses(
    station: Station, tmp_path: Path
) -> None:
    some_in_val(station)
    arguments = (build, station.root, "--name", "k", "--out", tmp_path)
    assert run(*arguments)[0] == 0
    code, out, _ = run(*arguments)
    assert (code, out.split(":")[0]) == (0, "Up to date")
    assert json.loads(run(*arguments, "--json")[1])["up_to_date"]
    code, out, _ = run(*arguments, "--version", "1.1.0")
    assert (code, "Shards: 0 written, 2 reused" in out) == (0, True)


def test_of_many_episodes_that_are_not_in_some_are_told_and_the_ledger_named(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (1, 2, 3):
        identity = station.add(short(seed=seed), approve=seed == 1)
    monkeypatch.setattr(rejections, "SHOWN", 1)
    out = run(build, station.root, "--name", "k", "--out", tmp_path)[1]
    assert out.count("not-approved\n    nobody has approved it; review it with `teleloom review`\n") == 1
    assert out.endswith(f"  and 1 more; all are in {tmp_path / 'k' / '1.0.0' / 'ledger.json'}\n")
    assert identity not in out


def test_a_dry_run_warns_of_a_version_that_would_be_refused(station: Station, tmp_path: Path) -> None:
    some_in_val(station)
    arguments = (build, station.root, "--name", "k", "--out", tmp_path)
    assert run(*arguments)[0] == 0
    station.add(short(seed=7))
    code, out, err = run(*arguments, "--dry-run")
    assert (code, "Shards: 1 to write, 1 reused" in out) == (0, True)
    assert err == (
        f"Warning: {tmp_path / 'k' / '1.0.0'} exists already, made of something else; build a new --version, "
        "or replace this one with --force\n"
    )
    assert run(*arguments, "--dry-run", "--force")[2] == ""


def test_where_no_episode_is_left_each_reason_is_told_with_an_example(station: Station, tmp_path: Path) -> None:
    first = station.add(short(seed=1))
    station.add(short(seed=2))
    manifest = tmp_path / "build.yaml"
    manifest.write_text("name: k\ncameras: {frnt: image}\n")
    code, _, err = run(build, station.root, "-c", manifest, "--out", tmp_path, "--dry-run")
    lines = err.splitlines()
    assert (code, lines[0]) == (1, "Error: no episode is left to build from:")
    assert lines[1].startswith(f"  missing-camera (2): {first}: no camera 'frnt'; it has front")


def test_ctrl_c_says_how_to_go_on(station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    station.add(short(seed=1))
    monkeypatch.setattr("dataset_builder.build.missing.write_shard", interrupted)
    code, _, err = run(build, station.root, "--name", "k", "--out", tmp_path, "--workers", 1)
    assert (code, err) == (1, "Error: stopped; the same command goes on with what is finished\n")
    monkeypatch.undo()
    assert run(build, station.root, "--name", "k", "--out", tmp_path)[0] == 0


def test_an_export_takes_what_the_manifest_selects(station: Station, tmp_path: Path) -> None:
    station.add(short(seed=1))
    manifest = tmp_path / "build.yaml"
    manifest.write_text("name: k\nselect: {tasks: [nothing-like-it]}\n")
    code, _, err = run(export, station.root, "--to", "aloha", "-c", manifest, "--out", tmp_path / "out")
    assert (code, "not-selected (1)" in err) == (1, True)


def test_verify_of_a_damaged_record_names_it_and_leaves_tfds_out(station: Station, tmp_path: Path) -> None:
    station.add(short(seed=1))
    assert run(build, station.root, "--name", "k", "--out", tmp_path)[0] == 0
    (shard,) = (tmp_path / "k" / "1.0.0").glob("*.tfrecord-*")
    content = bytearray(shard.read_bytes())
    content[500] ^= 1
    shard.write_bytes(content)
    code, out, _ = run(verify, tmp_path / "k" / "1.0.0")
    assert (code, "checksum differs" in out, "Note: not read with tfds, as it is not sound" in out) == (1, True, True)


def test_engines_are_chosen_by_option_and_wrong_ones_refused(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_in_val(station)
    monkeypatch.setattr("dataset_builder.engines.dask.CONNECT_S", 1.0)
    assert run(build, station.root, "--name", "k", "--out", tmp_path / "a", "--workers", 2)[0] == 0
    arguments = (build, station.root, "--name", "k", "--out", tmp_path / "b", "--engine", "dask")
    code, _, err = run(*arguments, "--scheduler", "tcp://10.1.2.3:8786")
    assert (code, "use tls:// with --tls CA CERT KEY" in err) == (1, True)
    code, _, err = run(*arguments, "--scheduler", "tcp://127.0.0.1:9")
    assert (code, "no Dask scheduler answers at tcp://127.0.0.1:9" in err) == (1, True)
    assert "Traceback" not in err


def test_a_default_build_needs_nothing_but_the_core(station: Station, tmp_path: Path) -> None:
    some_in_val(station)
    script = (
        "import sys; from dataset_builder.commands import build, verify;"
        "root, out = sys.argv[1:];"
        "build([root, '--name', 'k', '--out', out], standalone_mode=False);"
        "verify([f'{out}/k/1.0.0', '--no-tfds'], standalone_mode=False);"
        "print(sorted(sys.modules.keys() & set("
        "'PIL tokenizers upath fsspec s3fs dask distributed apache_beam torch tensorflow pyarrow av'.split())))"
    )
    command = [sys.executable, "-c", script, str(station.root), str(tmp_path / "rlds")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.splitlines()[-1] == "[]"


def test_verify_fails_on_a_damaged_dataset(station: Station, tmp_path: Path) -> None:
    station.add(short(seed=1))
    path = station.build(tmp_path / "[bold]").path
    shard = next(path.glob("*.tfrecord-*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    code, out, _ = run(verify, path, "--no-tfds")
    assert code == 1
    assert f"{path}: " in out
    assert "Fault" in out
    code, _, err = run(verify, tmp_path, "--no-tfds")
    assert (code, "no finished dataset" in err) == (1, True)


@pytest.mark.parametrize("command", [build, verify])
def test_help_has_an_example(command: object) -> None:
    assert "Examples:\n    teleloom" in run(command, "--help")[1]
