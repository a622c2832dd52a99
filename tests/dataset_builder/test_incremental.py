"""Building again: what is there already is not written again, and a build that was killed is taken up."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import Station
from synthetic_episodes import Episode, camera_stream, frames_of

from dataset_builder.build import parts, reuse
from dataset_builder.build.reuse import known_shards, read_version, take_over
from dataset_builder.build.run import BuildResult, DatasetExistsError, build_dataset, dry_run
from dataset_builder.build.work import ShardResult
from dataset_builder.codecs import CodecOptionError
from dataset_builder.dataset import Dataset
from dataset_builder.engines.contract import Done, EngineError, Work
from dataset_builder.engines.here import Here
from dataset_builder.location import sizes
from dataset_builder.manifest import BuildManifest
from dataset_builder.rlds.records import decode_example
from dataset_builder.rlds.tfrecord import read_records
from dataset_builder.rules.sharding import Sharding
from dataset_builder.rules.splits import Splits
from dataset_builder.verify.check import verify_dataset
from teleloom.files import atomic_write_bytes

SHARDING, SPLITS = Sharding(max_episodes=3), Splits(val_fraction=0.3)
ROOT = Path(__file__).parents[2]


def manifest(version: str = "1.0.0", **others: Any) -> BuildManifest:
    return BuildManifest(name="kitchen", version=version, shards=SHARDING, splits=SPLITS, **others)


def inodes(path: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of each shard by its key, whatever it is called."""
    return {
        entry["key"]: ((path / name).stat().st_ino, (path / name).stat().st_mtime_ns)
        for name, entry in lock(path)["shards"].items()
    }


def lock(path: Path) -> dict[str, Any]:
    return dict(json.loads((path / "build.lock.json").read_text()))


def shard_of(path: Path, episode: str) -> str:
    """The key of the shard that holds the episode."""
    return next(str(entry["key"]) for entry in lock(path)["shards"].values() if episode in entry["episodes"])


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Station:
    station = Station(tmp_path_factory.mktemp("recorded") / "station")
    station.root.mkdir()
    for seed in range(12):
        station.add(Episode(seed=seed, seconds=0.6))
    return station


@pytest.fixture
def twelve(recorded: Station, station: Station) -> Station:
    """Twelve approved episodes, free to be annotated."""
    shutil.copytree(recorded.root, station.root, dirs_exist_ok=True)
    return station


def train_episode(result: BuildResult) -> str:
    return next(entry.episode_id for entry in result.ledger.emitted if entry.split == "train")


def test_nothing_changed_means_nothing_written(twelve: Station, tmp_path: Path) -> None:
    first = twelve.build(tmp_path, manifest())
    before, contents = inodes(first.path), files(first.path)
    again = twelve.build(tmp_path, manifest())
    assert (again.up_to_date, again.written, again.reused) == (True, 0, len(before))
    assert again.ledger.to_json() == first.ledger.to_json()
    assert (again.splits, again.num_bytes) == (first.splits, first.num_bytes)
    assert inodes(first.path) == before
    planned = dry_run(twelve.select(), manifest(), tmp_path)
    assert (planned.up_to_date, planned.written) == (True, 0)
    forced = twelve.build(tmp_path, manifest(), force=True)
    assert (forced.up_to_date, forced.written, forced.reused) == (False, 0, len(before))
    assert inodes(first.path) == before
    assert files(first.path) == contents


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "instruction", "action": "replace", "text": "Put the pear away"},
        {"kind": "trim", "start_ns": 100_000_000, "end_ns": 700_000_000},
        {"kind": "verdict", "decision": "reject", "reason": "it slipped after all"},
    ],
    ids=["instruction", "trim", "reject"],
)
def test_one_annotation_changed_means_its_shard_the_statistics_and_the_documents_alone(
    twelve: Station, tmp_path: Path, change: dict[str, object]
) -> None:
    first = twelve.build(tmp_path / "rlds", manifest())
    before, episode = inodes(first.path), train_episode(first)
    statistics = (first.path / "dataset_statistics.json").read_bytes()
    own = shard_of(first.path, episode)
    twelve.annotate(episode, change)
    with pytest.raises(DatasetExistsError, match="made of something else"):
        twelve.build(tmp_path / "rlds", manifest())
    planned = dry_run(twelve.select(), manifest("1.1.0"), tmp_path / "rlds")
    second = twelve.build(tmp_path / "rlds", manifest("1.1.0"))
    after = inodes(second.path)
    assert set(before) - set(after) == {own}
    assert (second.written, second.reused) == (len(after) - len(before) + 1, len(before) - 1)
    assert (planned.written, planned.reused) == (second.written, second.reused)
    assert all(after[key] == before[key] for key in before if key != own)
    moved = (second.path / "dataset_statistics.json").read_bytes() != statistics
    assert moved == (change["kind"] != "instruction")
    fresh = build_dataset(twelve.select(), manifest("1.1.0"), tmp_path / "anew")
    assert fresh.reused == 0
    assert files(fresh.path) == files(second.path)
    assert verify_dataset(second.path).faults == []


def test_an_episode_more_leaves_most_shards_alone(twelve: Station, tmp_path: Path) -> None:
    first = twelve.build(tmp_path, manifest())
    before = inodes(first.path)
    twelve.add(Episode(seed=40, seconds=1.0))
    second = twelve.build(tmp_path, manifest(), force=True)
    kept = {key: value for key, value in inodes(second.path).items() if key in before}
    assert kept == {key: before[key] for key in kept}
    assert len(kept) >= len(before) - 2
    assert second.reused == len(kept)


def test_what_says_nothing_about_records_rewrites_none(twelve: Station, tmp_path: Path) -> None:
    first = twelve.build(tmp_path, manifest())
    twelve.annotate(train_episode(first), {"kind": "note", "text": "nice"}, {"kind": "score", "score": 5})
    changed = manifest("1.1.0", description="others", codec={"name": "openvla", "options": {"vocab_size": 50000}})
    second = twelve.build(tmp_path, changed)
    assert (second.written, inodes(second.path)) == (0, inodes(first.path))
    assert verify_dataset(second.path).faults == []


def test_a_change_of_what_records_hold_rewrites_all(twelve: Station, tmp_path: Path) -> None:
    twelve.build(tmp_path, manifest())
    assert twelve.build(tmp_path, manifest("1.1.0", step_rate_hz=5.0)).reused == 0


def test_tokens_in_records_are_rewritten_with_the_statistics_and_refused_for_chunks(
    twelve: Station, tmp_path: Path
) -> None:
    both = manifest(codec={"name": "openvla", "options": {"vocab_size": 32000}, "in_records": True})
    first = twelve.build(tmp_path, both)
    assert verify_dataset(first.path).faults == []
    dataset = Dataset.open(first.path)
    tokens = dict(dataset.tokens("train"))
    for shard in dataset.shards():
        for episode, data in zip(shard.episodes, read_records(first.path / shard.name), strict=True):
            if shard.split == "train":
                ids = [int(one) for step in tokens[episode] for one in step]
                assert list(decode_example(data)["steps/action_tokens"]) == ids
    twelve.annotate(train_episode(first), {"kind": "trim", "start_ns": 100_000_000, "end_ns": 700_000_000})
    assert twelve.build(tmp_path, both, force=True).reused == 0
    chunked = manifest("2.0.0", codec={"name": "fast", "options": {}, "in_records": True})
    with pytest.raises(CodecOptionError, match=r"leave out codec\.in_records"):
        twelve.build(tmp_path, chunked)


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_shard_that_rotted_enters_no_new_version_unless_it_is_trusted(twelve: Station, tmp_path: Path) -> None:
    first = twelve.build(tmp_path, manifest())
    rotten = next(iter(sorted(first.path.glob("*.tfrecord-*"))))
    flip_a_bit(rotten)
    trusted = build_dataset(twelve.select(), manifest("1.1.0"), tmp_path, trust_reused=True)
    assert (trusted.written, trusted.warnings) == (0, ())
    assert verify_dataset(trusted.path).faults != []
    second = twelve.build(tmp_path, manifest("1.2.0"))
    assert second.written == 1
    (warning,) = second.warnings
    assert f"{trusted.path / rotten.name} is no longer what was built" in warning
    assert verify_dataset(second.path).faults == []
    mended = twelve.build(tmp_path, manifest(), force=True)
    assert (mended.written, mended.warnings) == (0, ()), "the sound copy in 1.2.0 was not taken"
    assert verify_dataset(mended.path).faults == []


def test_a_shard_that_the_disk_no_longer_gives_is_written_anew(
    twelve: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = twelve.build(tmp_path, manifest())
    unreadable = next(iter(sorted(first.path.glob("*.tfrecord-*"))))
    inode, digest = unreadable.stat().st_ino, hashlib.file_digest

    def refusing(file: Any, name: str) -> Any:
        if os.fstat(file.fileno()).st_ino == inode:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", refusing)
    second = twelve.build(tmp_path, manifest("1.1.0"))
    (warning,) = second.warnings
    assert str(unreadable) in warning
    assert second.written == 1
    assert verify_dataset(second.path).faults == []


def test_a_version_that_was_mended_as_the_warning_said_is_accused_no_more(twelve: Station, tmp_path: Path) -> None:
    first = twelve.build(tmp_path, manifest())
    flip_a_bit(next(iter(sorted(first.path.glob("*.tfrecord-*")))))
    with pytest.raises(EngineError):
        build_dataset(twelve.select(), manifest("1.1.0"), tmp_path, engine=Interrupted(0))
    assert twelve.build(tmp_path, manifest(), force=True).written == 1
    second = twelve.build(tmp_path, manifest("1.1.0"))
    assert second.warnings == ()
    assert verify_dataset(second.path).faults == []


def test_a_version_that_is_replaced_while_its_shards_are_taken_over_offers_none(
    twelve: Station, tmp_path: Path
) -> None:
    first = twelve.build(tmp_path, manifest())
    known = known_shards(first.path.parent)
    twelve.annotate(train_episode(first), {"kind": "instruction", "action": "replace", "text": "Put the pear away"})
    twelve.build(tmp_path, manifest(), force=True)
    (tmp_path / "parts").mkdir()
    assert take_over(list(known.values()), tmp_path / "parts") == {}


def test_a_version_is_read_whole_while_another_takes_its_place(
    twelve: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = twelve.build(tmp_path, manifest())
    other = manifest("1.1.0").model_copy(update={"shards": Sharding(max_episodes=2)})
    second = twelve.build(tmp_path, other)
    listing = sizes

    def listed_and_then_replaced(folder: Path) -> dict[str, int]:
        monkeypatch.undo()
        found = listing(folder)
        first.path.rename(tmp_path / "old")
        second.path.rename(first.path)
        return found

    monkeypatch.setattr(reuse, "sizes", listed_and_then_replaced)
    version = read_version(first.path)
    assert version is not None
    assert version.lock["manifest"]["version"] == "1.1.0"


def test_parts_leave_at_once_whoever_still_writes_into_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = shutil.rmtree

    def removing(folder: Path, **options: Any) -> None:
        with pytest.raises(FileNotFoundError):
            (tmp_path / ".1.0.0.parts" / "late").write_bytes(b"of a worker whose build was killed")
        remove(folder, **options)

    monkeypatch.setattr(parts.shutil, "rmtree", removing)
    with parts.parts_of(tmp_path / "1.0.0") as folder:
        (folder / "shard").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []


def test_parts_that_cannot_be_cleared_up_are_held_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".1.0.0.parts"
    folder.mkdir()
    (folder / "half.tmp").touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PermissionError), parts.parts_of(tmp_path / "1.0.0"):
        pass
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_a_build_that_fails_leaves_the_empty_parts_of_another_one_alone(tmp_path: Path) -> None:
    with parts.parts_of(tmp_path / "1.0.0") as folder:
        with pytest.raises(EngineError), parts.parts_of(tmp_path / "1.0.0"):
            raise EngineError("no worker")
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_parts_of_a_killed_build_go_once_the_version_is_there(twelve: Station, tmp_path: Path) -> None:
    first = twelve.build(tmp_path, manifest())
    left = first.path.with_name(".1.0.0.parts")
    left.mkdir()
    (left / "shard.tfrecord").write_bytes(b"x")
    assert twelve.build(tmp_path, manifest()).up_to_date
    assert [entry.name for entry in first.path.parent.iterdir()] == ["1.0.0"]


def test_a_missing_or_cut_shard_is_written_again(twelve: Station, tmp_path: Path) -> None:
    first = twelve.build(tmp_path, manifest())
    contents = files(first.path)
    gone, cut, *_ = sorted(first.path.glob("*.tfrecord-*"))
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(DatasetExistsError):
        twelve.build(tmp_path, manifest())
    mended = twelve.build(tmp_path, manifest(), force=True)
    assert mended.written == 2
    assert files(first.path) == contents


class Interrupted(Here):
    """An engine that fails after so many shards, as a full disk makes it."""

    def __init__(self, after: int) -> None:
        self.after = after

    def run(self, work: Work, tasks: Any, done: Done) -> None:
        super().run(work, tasks[: self.after], done)
        raise EngineError("out of patience")


def test_what_a_failed_build_had_finished_is_used_by_the_next(twelve: Station, tmp_path: Path) -> None:
    expected = files(twelve.build(tmp_path / "a", manifest()).path)
    with pytest.raises(EngineError):
        build_dataset(twelve.select(), manifest(), tmp_path / "b", engine=Interrupted(3))
    parts = tmp_path / "b" / "kitchen" / ".1.0.0.parts"
    assert len(list(parts.glob("*.json"))) == 3
    (parts / "left-behind.tmp").write_bytes(b"half")
    flip_a_bit(next(parts.glob("*.tfrecord")))
    result = twelve.build(tmp_path / "b", manifest())
    assert result.reused == 2
    assert files(result.path) == expected
    assert [entry.name for entry in result.path.parent.iterdir()] == ["1.0.0"]


_KILLED = """
import os, signal, sys
from dataset_builder.build import shards
from station.__main__ import main

write, records = shards.framed, []

def killed_in_the_middle(parts):
    records.append(parts)
    for block in write(parts):
        if len(records) > 8:
            os.kill(os.getpid(), signal.SIGKILL)
        yield block

shards.framed = killed_in_the_middle
main()
"""


def test_sigkill_in_the_middle_and_the_next_build_ends_with_the_same_bytes(twelve: Station, tmp_path: Path) -> None:
    """The real command, really killed while it writes the ninth record."""
    expected = files(twelve.build(tmp_path / "a", manifest()).path)
    config = tmp_path / "build.yaml"
    config.write_text(json.dumps(manifest().model_dump(mode="json")))
    arguments = ["build", str(twelve.root), "-c", str(config), "--out", str(tmp_path / "b")]
    killed = subprocess.run([sys.executable, "-c", _KILLED, *arguments], cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    parts = tmp_path / "b" / "kitchen" / ".1.0.0.parts"
    left = len(list(parts.glob("*.json")))
    assert 0 < left < len(lock(tmp_path / "a/kitchen/1.0.0")["shards"])
    assert list(parts.glob(".*.tmp"))
    assert twelve.build(tmp_path / "b", manifest()).reused == left
    assert files(tmp_path / "b/kitchen/1.0.0") == expected
    assert [entry.name for entry in (tmp_path / "b/kitchen").iterdir()] == ["1.0.0"]


def test_two_builds_of_one_version_at_once_do_no_harm(twelve: Station, tmp_path: Path) -> None:
    expected = files(twelve.build(tmp_path / "a", manifest()).path)
    selection = twelve.select()
    starting = threading.Barrier(3)

    def one() -> BuildResult:
        starting.wait()
        return build_dataset(selection, manifest(), tmp_path / "b")

    with ThreadPoolExecutor(3) as builds:
        results = [build.result() for build in [builds.submit(one) for _ in range(3)]]
    assert len({result.path for result in results}) == 1
    assert files(tmp_path / "b/kitchen/1.0.0") == expected
    assert [entry.name for entry in (tmp_path / "b/kitchen").iterdir()] == ["1.0.0"]


def test_what_a_worker_finished_is_found_while_another_build_writes_it_again(tmp_path: Path) -> None:
    keys = [f"{number:064x}" for number in range(8)]
    stop = threading.Event()

    def write(key: str) -> None:
        atomic_write_bytes(parts.shard_of(tmp_path, key), b"shard")
        result = ShardResult(key=key, records=1, bytes=5, num_bytes=1, sha256="")
        atomic_write_bytes(tmp_path / f"{key}.json", result.model_dump_json().encode())

    def rewrite() -> None:
        while not stop.is_set():
            for key in keys:
                write(key)

    for key in keys:
        write(key)
    with ThreadPoolExecutor(1) as other:
        rewriting = other.submit(rewrite)
        try:
            for _ in range(300):
                assert parts.finished(tmp_path, keys).keys() == set(keys)
                assert sizes(tmp_path), "a file that vanished made the whole folder look empty"
        finally:
            stop.set()
        rewriting.result()


def test_shards_without_the_broken_episode_are_kept_when_the_rest_is_planned_anew(
    twelve: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = Episode(seed=30, seconds=1.0)
    frames = frames_of(episode, "wrist")
    twelve.add(episode, spoil={"cameras/wrist": camera_stream(episode, "wrist", [*frames[:-9], *[b"junk"] * 9])})
    written: list[str] = []

    class Counting(Here):
        def run(self, work: Work, tasks: Any, done: Done) -> None:
            written.extend(tasks)
            super().run(work, tasks, done)

    result = build_dataset(twelve.select(), manifest(), tmp_path, engine=Counting())
    assert [entry.reason for entry in result.ledger.rejected] == ["broken-image"]
    assert len(written) <= len(lock(result.path)["shards"]) + 2
    assert result.written == len(lock(result.path)["shards"])
    remove = Path.unlink

    def another_build_first(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".tfrecord":
            remove(path, missing_ok=True)
        remove(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", another_build_first)
    assert build_dataset(twelve.select(), manifest(), tmp_path / "twice").written == result.written


def test_shards_are_shared_with_the_other_version_and_copied_where_that_cannot_be(
    twelve: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = twelve.build(tmp_path, manifest())
    assert {path.stat().st_nlink for path in first.path.glob("*.tfrecord-*")} == {1}
    second = twelve.build(tmp_path, manifest("1.1.0"))
    assert {path.stat().st_nlink for path in second.path.glob("*.tfrecord-*")} == {2}

    def no_links(*_: object) -> None:
        raise OSError("this file system has none")

    monkeypatch.setattr(os, "link", no_links)
    third = twelve.build(tmp_path, manifest("1.2.0"))
    assert {path.stat().st_nlink for path in third.path.glob("*.tfrecord-*")} == {1}
    assert verify_dataset(third.path).faults == []


def test_an_older_version_that_shares_its_shards_is_up_to_date_with_its_own_figures(
    twelve: Station, tmp_path: Path
) -> None:
    first = twelve.build(tmp_path, manifest())
    twelve.build(tmp_path, manifest("1.1.0"))
    again = twelve.build(tmp_path, manifest())
    assert again.up_to_date
    assert (again.num_bytes, again.reused) == (first.num_bytes, first.written)
