from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teleloom.files import atomic_write_bytes, atomic_writer, dumps_json, free_bytes, write_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write_bytes(path, b"old")
    with atomic_writer(path) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == tmp_path
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_file_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    with atomic_writer(tmp_path / "episode.h5") as temporary:
        temporary.write_bytes(b"")
        assert list(tmp_path.glob("*.h5")) == []


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_temporary_one(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    atomic_write_bytes(path, b"old")

    def write() -> None:
        with atomic_writer(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_nothing_or_into_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_writer(tmp_path / "file"):
        pass
    with pytest.raises(FileNotFoundError):
        atomic_write_bytes(tmp_path / "nowhere" / "file", b"")
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_may_be_read_as_the_umask_says(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        atomic_write_bytes(path, b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write_bytes(path, b"old")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom teleloom.files import atomic_writer\n"
        "with atomic_writer(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, check=False)
    assert killed.returncode == -9
    assert path.read_bytes() == b"old"


@given(PLAIN)
def test_json_comes_back_and_equal_values_give_equal_text(value: object) -> None:
    text = dumps_json(value)
    assert text.endswith("\n")
    assert json.loads(text) == value
    assert dumps_json(json.loads(text)) == text


def test_json_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    assert dumps_json({"b": 1, "a": "é"}) == dumps_json({"a": "é", "b": 1}) == '{\n  "a": "é",\n  "b": 1\n}\n'
    write_json(tmp_path / "x.json", {"b": 1, "a": 2})
    assert (tmp_path / "x.json").read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError):
        dumps_json({"x": float("nan")})
    with pytest.raises(TypeError):
        dumps_json({"x": b""})


def test_free_space_is_that_of_the_disk_where_a_path_would_be(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    free = free_bytes(tmp_path / "not" / "there")
    assert free == pytest.approx(status.f_bavail * status.f_frsize, rel=0.2)
