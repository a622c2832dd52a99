"""A folder put in place is whole or not there, whenever the build is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_builder.build import place
from dataset_builder.build.place import folder_in_place, tidy

KILLED_WHILE_BUILDING = """
import sys, time
from pathlib import Path
from dataset_builder.build.place import folder_in_place
with folder_in_place(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(b"half")
    print("ready", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_what_a_killed_build_left_is_removed_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    final = tmp_path / "1.0.0"
    script = [sys.executable, "-c", KILLED_WHILE_BUILDING, str(final)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as build:
        assert build.stdout is not None
        assert build.stdout.readline() == b"ready\n"
        (building,) = names(tmp_path)
        assert building.endswith(".building")
        tidy(final)
        assert names(tmp_path) == [building]
        tidy(tmp_path / "1.0.1")
        build.send_signal(signal.SIGKILL)
    assert names(tmp_path) == [building]
    tidy(final)
    assert names(tmp_path) == []


def test_a_version_moved_away_for_one_that_never_came_is_put_back(tmp_path: Path) -> None:
    final = tmp_path / "1.0.0"
    for name in (".1.0.0.00000000.replaced", ".1.0.0.00000000.building"):
        (tmp_path / name).mkdir()
    (tmp_path / ".1.0.0.00000000.replaced" / "old").touch()
    tidy(final)
    assert (names(tmp_path), names(final)) == (["1.0.0"], ["old"])
    (tmp_path / ".1.0.0.00000001.replaced").mkdir()
    tidy(final)
    assert (names(tmp_path), names(final)) == (["1.0.0"], ["old"])


def test_nothing_is_tidied_where_nothing_was_built(tmp_path: Path) -> None:
    tidy(tmp_path / "never" / "1.0.0")
    assert names(tmp_path) == []


def test_a_folder_is_synced_with_its_files_and_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = tmp_path / "1.0.0"
    synced: list[tuple[str, bool]] = []
    monkeypatch.setattr(place, "sync_file", lambda path: synced.append((path.name, final.exists())))
    monkeypatch.setattr(place, "sync_folder", lambda path: synced.append((path.suffix or path.name, final.exists())))
    with folder_in_place(final) as folder:
        (folder / "shard").write_bytes(b"x")
    assert synced == [("shard", False), (".building", False), (tmp_path.name, True)]


def test_an_exchange_that_fails_brings_the_old_one_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = tmp_path / "1.0.0"
    final.mkdir()
    (final / "old").touch()
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if str(source).endswith(".building"):
            raise OSError("the disk refuses")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="refuses"), folder_in_place(final):
        pass
    assert (names(tmp_path), names(final)) == (["1.0.0"], ["old"])
