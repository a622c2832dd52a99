"""The index of a mixture's datasets, and the columns it is kept in: whole, never stale, damage named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from conftest import Station
from mixture_parts import ONLY_ROBOTS, Kitchen, build, records, shared_kitchen
from synthetic_episodes import Episode

from dataset_builder.mixture import index as index_module
from dataset_builder.mixture.columns import Columns, ColumnWriter, cached
from dataset_builder.mixture.index import UnusableDatasetError, open_index
from dataset_builder.rlds.tfrecord import BadRecordError


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return shared_kitchen(tmp_path_factory)


def test_the_index_finds_every_number_and_every_image_of_every_record(kitchen: Kitchen) -> None:
    index = open_index(kitchen.dataset, "train", kitchen.folder / "cache")
    step = 0
    for episode, record in enumerate(records(kitchen.dataset)):
        assert index.firsts[episode] == step
        assert index.step_of(record["episode_metadata/episode_id"][0].decode(), 3) == step + 3
        actions = np.reshape(record["steps/action"], (-1, 7))
        assert np.array_equal(index.actions[step : step + len(actions)], actions)
        for i in range(len(actions)):
            assert index.instructions(step) == ("Do it", "Please do it")
            for camera in ("image", "wrist_image"):
                assert index.image(step, camera) == record[f"steps/observation/{camera}"][i]
            assert index.ends[step] == (i == len(actions) - 1)
            assert np.array_equal(index.ahead(step, 5), actions[i : i + 5])
            step += 1
    assert len(index) == step > 0


def test_a_changed_dataset_never_meets_its_old_index(kitchen: Kitchen, tmp_path: Path) -> None:
    station = Station(tmp_path / "station")
    station.root.mkdir()
    for seed in range(3):
        station.add(Episode(seed=seed, seconds=1.0))
    before = open_index(build(station, tmp_path, "changing", splits={"val_fraction": 0}), "train", tmp_path / "cache")
    station.add(Episode(seed=3, seconds=1.0))
    manifest_path = before.dataset.path
    station.build(tmp_path, before.dataset.manifest, force=True)
    after = open_index(manifest_path, "train", tmp_path / "cache")
    assert (len(before), len(after)) == (30, 40)
    again = open_index(manifest_path, "train", tmp_path / "cache")
    assert again.digest == after.digest != before.digest
    assert len(os.listdir(tmp_path / "cache")) == 2


def test_a_second_opening_reads_no_shard(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    kitchen.open()
    monkeypatch.setattr(index_module, "_records", None)
    assert len(kitchen.open().sources[0]) > 0


def test_the_progress_of_indexing_ends_at_the_size_of_the_shards(kitchen: Kitchen, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    open_index(kitchen.dataset, "train", tmp_path, lambda *said: heard.append(said))
    total = sum(shard.stat().st_size for shard in kitchen.dataset.glob("kitchen-train.tfrecord*"))
    assert {said[0] for said in heard} == {"Indexing kitchen"}
    assert heard[-1][1:] == (total - 4, total)


@pytest.mark.parametrize(
    ("left", "message"),
    [
        (lambda shard: shard[:-10], r"kitchen-train.*damaged at byte"),
        (lambda shard: shard[: 16 + int.from_bytes(shard[:8], "little")], r"kitchen-train.*holds 1 of its \d records"),
        (lambda _: b"", r"kitchen-train.*is empty"),
    ],
)
def test_a_damaged_shard_is_named(
    kitchen: Kitchen, tmp_path: Path, left: Callable[[bytes], bytes], message: str
) -> None:
    copy = shutil.copytree(kitchen.dataset, tmp_path / "copy")
    shard = next(copy.glob("kitchen-train.tfrecord*"))
    shard.write_bytes(left(shard.read_bytes()))
    with pytest.raises(BadRecordError, match=message):
        open_index(copy, "train", tmp_path / "cache")


def test_a_shard_that_changes_while_a_mixture_is_open_is_not_read(kitchen: Kitchen, tmp_path: Path) -> None:
    copy = shutil.copytree(kitchen.dataset, tmp_path / "copy")
    shard = next(copy.glob("kitchen-train.tfrecord*"))
    opened, unread = (kitchen.open(robots=[{"path": str(copy)}], **ONLY_ROBOTS) for _ in range(2))
    before = [opened.batch(number)["images"] for number in range(20)]
    other = tmp_path / "other"
    other.write_bytes(shard.read_bytes())
    other.replace(shard)
    with pytest.raises(UnusableDatasetError, match="changed since the mixture was opened; open it again"):
        unread.batch(0)
    assert all(np.array_equal(opened.batch(number)["images"], before[number]) for number in range(20))
    gone, cut = (kitchen.open(robots=[{"path": str(copy)}], **ONLY_ROBOTS) for _ in range(2))
    cut.batch(0)
    os.truncate(shard, 1000)
    with pytest.raises(UnusableDatasetError, match="changed since"):
        [cut.batch(number) for number in range(5)]
    shard.unlink()
    with pytest.raises(UnusableDatasetError, match="changed since"):
        gone.batch(0)


def test_two_processes_that_write_the_same_columns_leave_one(tmp_path: Path) -> None:
    def write(writer: ColumnWriter) -> None:
        writer.add("numbers", np.arange(3), "int64")
        writer.finish()

    def write_late(writer: ColumnWriter) -> None:
        cached(tmp_path, ["same"], write)
        write(writer)

    digest, columns = cached(tmp_path, ["same"], write_late)
    assert columns["numbers"].tolist() == [0, 1, 2]
    assert os.listdir(tmp_path) == [digest[:32]]


@pytest.mark.parametrize("left", ["columns.json", "n"])
def test_columns_of_which_a_crash_left_only_a_part_are_written_again(tmp_path: Path, left: str) -> None:
    def write(writer: ColumnWriter) -> None:
        writer.add("n", np.arange(5), "int64")
        writer.finish()

    digest, _ = cached(tmp_path, ["x"], write)
    os.truncate(tmp_path / digest[:32] / left, 7)
    _, columns = cached(tmp_path, ["x"], write)
    assert columns["n"].tolist() == [0, 1, 2, 3, 4]
    assert len(list(tmp_path.iterdir())) == 1


def test_columns_survive_without_rows(tmp_path: Path) -> None:
    with ExitStack() as stack:
        writer = ColumnWriter(tmp_path, stack)
        writer.add("none", np.empty((0, 3)), "float32")
        writer.finish(fact=1)
    columns = Columns(tmp_path)
    assert columns["none"].shape == (0, 3)
    assert columns.facts == {"fact": 1}
