"""Datasets in object stores: a server that speaks S3 receives a build and gives it back."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from conftest import MANIFEST, Station
from fsspec.implementations.memory import MemoryFileSystem
from moto.server import ThreadedMotoServer
from synthetic_episodes import Episode

from dataset_builder.build import place
from dataset_builder.build.run import CollisionError, DatasetExistsError, build_dataset
from dataset_builder.commands import build, verify
from dataset_builder.dataset import Dataset, NotADatasetError
from dataset_builder.engines.contract import Done, EngineError, Work
from dataset_builder.engines.here import Here
from dataset_builder.engines.pool import Pool
from dataset_builder.location import location
from dataset_builder.rules.sharding import Sharding
from dataset_builder.verify.check import verify_dataset
from teleloom.catalog import Catalog


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An empty bucket `robots` on a server on this machine; fsspec finds it as it finds any, by the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "nobody")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_CONFIG_FILE", str(tmp_path_factory.mktemp("aws") / "none"))
        store = boto3.resource("s3", endpoint_url=f"http://{host}:{port}")
        yield store.create_bucket(Bucket="robots")
    server.stop()


def objects(bucket: Any, prefix: str) -> dict[str, bytes]:
    """What lies below a prefix, asked of the server itself."""
    return {
        found.key.removeprefix(prefix): found.get()["Body"].read() for found in bucket.objects.filter(Prefix=prefix)
    }


def local(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def same_but_for_the_way(stored: dict[str, bytes], files: dict[str, bytes]) -> bool:
    """Equal in every byte, but for the lock's `source`: from a store no way leads to the station's folder."""
    ours, theirs = (json.loads(each.pop("build.lock.json")) for each in (files, stored))
    assert theirs.pop("source") == ""
    assert ours.pop("source") != ""
    return ours == theirs and stored == files


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Station:
    root = tmp_path_factory.mktemp("remote") / "station"
    root.mkdir()
    station = Station(root)
    for seed in range(8):
        station.add(Episode(seed=seed, seconds=0.6))
    return station


@pytest.mark.parametrize("engine", [Here(), Pool(2)], ids=["one process", "two processes"])
def test_a_build_arrives_and_is_read_back(station: Station, bucket: Any, tmp_path: Path, engine: Any) -> None:
    out = f"s3://robots/{engine.is_elsewhere}"
    result = build_dataset(station.select(), MANIFEST, out, engine=engine)
    assert str(result.path) == f"{out}/kitchen/1.0.0"
    here = station.build(tmp_path / "rlds")
    stored = objects(bucket, f"{engine.is_elsewhere}/kitchen/")
    assert {key.split("/")[0] for key in stored} == {"1.0.0"}
    stored = {key.removeprefix("1.0.0/"): data for key, data in stored.items()}
    assert same_but_for_the_way(stored, local(here.path))
    report = verify_dataset(f"{out}/kitchen/1.0.0", station.root)
    assert report.faults == []
    assert (report.records, report.compared) == (8, 8)
    assert Dataset.open(f"{out}/kitchen/1.0.0").num_bytes() == Dataset.open(here.path).num_bytes()


def test_the_commands_take_urls(station: Station, bucket: Any) -> None:
    arguments = [str(station.root), "--name", "kitchen", "--out", "s3://robots/commands"]
    done = CliRunner().invoke(build, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    path = json.loads(done.stdout)["path"]
    assert path == "s3://robots/commands/kitchen/1.0.0"
    with Catalog.open(station.root) as catalog:
        assert [str(row.path) for row in catalog.builds()] == [path]
    checked = CliRunner().invoke(verify, [path, "--json"])
    assert checked.exit_code == 0, checked.output
    assert json.loads(checked.stdout)["records"] == 8
    again = CliRunner().invoke(build, arguments)
    assert "Up to date: s3://robots/commands/kitchen/1.0.0" in again.stdout
    refused = CliRunner().invoke(verify, [path, "--tfds"])
    assert (refused.exit_code, "copy the dataset here first" in refused.stderr) == (2, True)


class Uploads(Here):
    """Counts the shards that are really written. after: fail after so many."""

    def __init__(self, after: int | None = None) -> None:
        self.after = after
        self.tasks: list[str] = []

    def run(self, work: Work, tasks: Any, done: Done) -> None:
        self.tasks += tasks[: self.after]
        super().run(work, tasks[: self.after], done)
        if self.after is not None:
            raise EngineError("the line is down")


def test_an_interrupted_upload_is_taken_up_and_counts_for_nothing_until_then(
    station: Station, bucket: Any, tmp_path: Path
) -> None:
    with pytest.raises(EngineError):
        build_dataset(station.select(), MANIFEST, "s3://robots/cut", engine=Uploads(after=2))
    with pytest.raises(NotADatasetError, match="no finished dataset"):
        verify_dataset("s3://robots/cut/kitchen/1.0.0")
    rest = Uploads()
    result = build_dataset(station.select(), MANIFEST, "s3://robots/cut", engine=rest)
    assert len(rest.tasks) == result.written == result.reused + len(rest.tasks) - 2
    assert result.reused == 2
    stored = {key.removeprefix("1.0.0/"): data for key, data in objects(bucket, "cut/kitchen/").items()}
    assert same_but_for_the_way(stored, local(station.build(tmp_path / "rlds").path))


def test_a_version_is_replaced_and_the_next_one_made_by_the_stores_own_copies(
    station: Station, bucket: Any, tmp_path: Path
) -> None:
    station = Station(shutil.copytree(station.root, tmp_path / "station"))
    first = build_dataset(station.select(), MANIFEST, "s3://robots/anew")
    again = build_dataset(station.select(), MANIFEST, "s3://robots/anew")
    assert (again.up_to_date, again.num_bytes) == (True, first.num_bytes)
    station.add(Episode(seed=20, seconds=1.0))
    with pytest.raises(DatasetExistsError, match="--force"):
        build_dataset(station.select(), MANIFEST, "s3://robots/anew")
    engine = Uploads()
    forced = build_dataset(station.select(), MANIFEST, "s3://robots/anew", force=True, engine=engine)
    assert len(engine.tasks) == forced.written <= 3
    assert verify_dataset(forced.path, station.root).faults == []
    later = MANIFEST.model_copy(update={"version": "1.1.0"})
    second = build_dataset(station.select(), later, "s3://robots/anew", engine=Uploads(after=0))
    assert second.written == 0
    assert verify_dataset(second.path, station.root).faults == []
    assert {key.split("/")[0] for key in objects(bucket, "anew/kitchen/")} == {"1.0.0", "1.1.0"}


def test_a_dataset_may_live_in_memory(station: Station) -> None:
    result = build_dataset(station.select(), MANIFEST, "memory://rlds")
    assert verify_dataset(result.path, station.root).compared == 8
    assert build_dataset(station.select(), MANIFEST, "memory://rlds").up_to_date


class Meanwhile(Here):
    """Another build does its work first."""

    def __init__(self, other: Callable[[], object]) -> None:
        self.other = other

    def run(self, work: Work, tasks: Any, done: Done) -> None:
        other, self.other = self.other, lambda: None
        super().run(work, tasks[:1], done)
        other()
        super().run(work, tasks[1:], done)


@pytest.mark.parametrize("force", [False, True])
def test_of_two_builds_of_one_version_the_slower_finds_it_up_to_date(station: Station, force: bool) -> None:
    out = f"memory://slower-{force}"
    slower = Meanwhile(lambda: build_dataset(station.select(), MANIFEST, out))
    result = build_dataset(station.select(), MANIFEST, out, engine=slower, force=force)
    assert result.up_to_date
    assert verify_dataset(result.path, station.root).faults == []
    assert names(out) == {"1.0.0"}


def test_a_build_whose_parts_went_with_another_one_sees_to_its_shards_once_more(station: Station) -> None:
    out, other = "memory://once-more", MANIFEST.model_copy(update={"description": "something else"})
    slower = Meanwhile(lambda: build_dataset(station.select(), other, out))
    result = build_dataset(station.select(), MANIFEST, out, engine=slower, force=True)
    assert (result.up_to_date, result.lock["manifest"]["description"]) == (False, MANIFEST.description)
    assert verify_dataset(result.path, station.root).faults == []
    assert names(out) == {"1.0.0"}


def names(out: str) -> set[str]:
    """What lies in the store's folder of the dataset."""
    folder = location(out) / "kitchen"
    return {file.relative_to(folder).parts[0] for file in folder.glob("**/*") if file.is_file()}


@pytest.mark.parametrize("force", [False, True])
def test_of_two_versions_put_in_one_place_at_once_none_is_a_mixture(
    station: Station, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    out, fewer = f"memory://collision-{force}", MANIFEST.model_copy(update={"shards": Sharding(max_episodes=2)})
    real = place.share

    def and_the_other_one_meanwhile(files: Mapping[Path, Path]) -> None:
        monkeypatch.undo()
        real(files)
        build_dataset(station.select(), fewer, out, force=force)

    monkeypatch.setattr(place, "share", and_the_other_one_meanwhile)
    with pytest.raises(CollisionError, match="build one of the two again"):
        build_dataset(station.select(), MANIFEST, out, force=force)
    with pytest.raises(NotADatasetError):
        verify_dataset(location(out) / "kitchen" / "1.0.0")
    result = build_dataset(station.select(), MANIFEST, out)
    assert verify_dataset(result.path, station.root).faults == []
    assert not {file.name for file in result.path.iterdir()} & {".uploading"}


def test_a_version_that_comes_just_before_the_last_document_of_another_ends_in_no_mixture(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, fewer = "memory://last", MANIFEST.model_copy(update={"shards": Sharding(max_episodes=2)})
    real = MemoryFileSystem.put_file

    def after_the_other_one(store: MemoryFileSystem, source: str, key: str) -> None:
        if key.endswith("dataset_info.json"):
            monkeypatch.undo()
            build_dataset(station.select(), fewer, out)
        real(store, source, key)

    monkeypatch.setattr(MemoryFileSystem, "put_file", after_the_other_one)
    with pytest.raises(CollisionError, match="build one of the two again"):
        build_dataset(station.select(), MANIFEST, out)
    with pytest.raises(NotADatasetError):
        verify_dataset(location(out) / "kitchen" / "1.0.0")


def test_what_is_no_whole_version_is_in_the_way_in_a_store_too(station: Station) -> None:
    first = build_dataset(station.select(), MANIFEST, "memory://cut-down")
    next(iter(first.path.glob("*.tfrecord-*"))).unlink()
    never = Uploads(after=0)
    with pytest.raises(DatasetExistsError, match="--force"):
        build_dataset(station.select(), MANIFEST, "memory://cut-down", engine=never)
    assert never.tasks == []
    mended = build_dataset(station.select(), MANIFEST, "memory://cut-down", force=True)
    assert verify_dataset(mended.path, station.root).faults == []


@pytest.mark.parametrize(
    ("out", "message"),
    [("s3://nobodys/rlds", "bucket does not exist"), ("gopher://rlds", "gopher://rlds cannot be reached")],
)
def test_a_store_that_is_not_there_is_named(station: Station, bucket: Any, out: str, message: str) -> None:
    done = CliRunner().invoke(build, [str(station.root), "--name", "k", "--out", out])
    assert done.exit_code == 1
    assert re.search(message, done.stderr)
    assert "Traceback" not in done.output


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    assert location(f"file://{tmp_path}/rlds") == tmp_path / "rlds"
    assert location("rlds") == Path("rlds")
