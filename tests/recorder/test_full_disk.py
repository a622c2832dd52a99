"""A full disk loses nothing that was written, says which disk and what to do, and is survived by what comes after."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
from recording import (
    LOCKSTEP,
    assert_balanced,
    assert_nothing_shifted,
    make_meta,
    record,
    recorder_at,
    station_messages,
)

from recorder import disk
from recorder.config import RecorderConfig
from recorder.errors import DiskFullError, RecorderError
from recorder.journal import journal_path
from recorder.recorder import Recorder
from recorder.recovery import recover
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader

REAL_TIME = RecorderConfig(min_free_bytes=0, quality=False, queue_messages=100_000)
FRAME_BYTES = 50_000


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Writing past `size` bytes of any file fails with EFBIG, as a full disk fails with ENOSPC."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[[int], AbstractContextManager[Path]]:
    """Mounts a disk of the size asked for; skips where that is not allowed."""

    @contextmanager
    def mounted(size: int) -> Iterator[Path]:
        folder = tmp_path / "small"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting a small disk needs more rights than this has; the file-size limit stands in for it")
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)

    return mounted


def fill(recorder: Recorder, seconds: float = 20.0) -> None:
    recorder.start(make_meta())
    record(recorder, seconds, FRAME_BYTES)


def assert_kept(path: Path, fault: str) -> None:
    """The episode holds a beginning without holes of everything given, and the ledger has the rest."""
    with EpisodeReader(path) as reader:
        reader.verify()
        assert_nothing_shifted(reader)
        assert_balanced(reader)
        entries = reader.ledger["streams"]
        given = [stream for stream, _ in station_messages(20.0)]
        assert {name: entry["received"] for name, entry in entries.items()} == {
            name: given.count(name) for name in set(given)
        }
        written = sum(entry["written"] for entry in entries.values())
        assert written > 1000
        assert {name: entry["written"] for name, entry in entries.items()} == {
            name: given[:written].count(name) for name in set(given)
        }
        assert all(entry["dropped"].keys() <= {"disk_full"} for entry in entries.values())
    assert "disk mounted at /" in fault
    assert "free some space" in fault
    assert str(path.parent.parent) in fault


@pytest.mark.parametrize("config", [LOCKSTEP, REAL_TIME], ids=["lockstep", "real time"])
def test_what_was_written_before_the_limit_is_kept_and_recovered(config: RecorderConfig, tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path, config)
    with file_size_limit(4_000_000):
        fill(recorder)
        pending = recorder.stop("success")
        with pytest.raises(RecorderError, match=r"no room for .*episode-1\.h5.*disk mounted at /.*recover"):
            pending.result(60)
        recorder.close()
        assert journal_path(tmp_path, "episode-1").exists()
        assert list((tmp_path / "episodes").iterdir()) == []
        failed = recover(tmp_path)
        assert [item.state for item in failed] == ["failed"]
        assert "free some space" in failed[0].message
    assert [item.state for item in recover(tmp_path)] == ["finalised"]
    with EpisodeReader(episode_path(tmp_path, "episode-1")) as reader:
        assert_nothing_shifted(reader)
        assert_balanced(reader)
        assert sum(entry["written"] for entry in reader.ledger["streams"].values()) > 1000


def test_the_fault_names_the_disk_and_the_rest_is_counted(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path)
    with file_size_limit(4_000_000):
        fill(recorder)
    status = recorder.status()
    assert status.streams["robot"].dropped > 0
    assert_kept(recorder.stop("success").result(), status.fault)


@pytest.mark.parametrize("config", [LOCKSTEP, REAL_TIME], ids=["lockstep", "real time"])
def test_a_small_disk_that_fills_up(
    config: RecorderConfig, small_disk: Callable[[int], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    with small_disk(6_000_000) as root:
        recorder = recorder_at(root, config)
        fill(recorder)
        pending = recorder.stop("success")
        with pytest.raises(RecorderError, match=rf"disk mounted at {root}"):
            pending.result(60)
        recorder.close()
        with pytest.raises(DiskFullError, match=rf"disk mounted at {root} .*free some space"):
            recorder_at(root, RecorderConfig(min_free_bytes=3_000_000)).start(make_meta("episode-2"))
        with suppress(OSError):
            (root / "filler").write_bytes(bytes(6_000_000))
        with pytest.raises(DiskFullError, match="is full; free some space"):
            recorder_at(root, LOCKSTEP).start(make_meta("episode-3"))
        elsewhere = journal_path(tmp_path, "episode-1")
        elsewhere.parent.mkdir()
        elsewhere.write_bytes(journal_path(root, "episode-1").read_bytes())
        assert disk.mount_point(root / "journal") == root
    assert [item.state for item in recover(tmp_path)] == ["finalised"]
    with EpisodeReader(episode_path(tmp_path, "episode-1")) as reader:
        assert_nothing_shifted(reader)
        assert_balanced(reader)
        assert sum(entry["written"] for entry in reader.ledger["streams"].values()) > 1000


def test_minutes_left_count_down_to_the_reserve() -> None:
    assert disk.minutes_left(free=7_000_000, reserve=1_000_000, bytes_per_s=50_000.0) == 2.0
    assert disk.minutes_left(free=500_000, reserve=1_000_000, bytes_per_s=50_000.0) == 0.0


def test_room_is_asked_of_the_file_system_and_given_back(tmp_path: Path) -> None:
    with file_size_limit(1_000_000):
        disk.require_room(tmp_path / "a.h5", 900_000)
        with pytest.raises(DiskFullError, match=r"a\.h5 of 1\.1 MB"):
            disk.require_room(tmp_path / "a.h5", 1_100_000)
    assert list(tmp_path.iterdir()) == []
