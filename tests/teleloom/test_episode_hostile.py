"""A file that is cut, foreign or hostile is refused with its name, its fault and a remedy; never otherwise."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from episode_samples import make_events, make_meta, make_streams

from teleloom.episode.layout import episode_path
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.episode.writer import write_episode


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "episode.h5"
    write_episode(path, make_meta(), make_streams(), make_events())
    return path


def read_all(path: Path) -> None:
    with EpisodeReader(path) as reader:
        reader.verify()
        reader.steps(30.0)
        for camera in reader.cameras:
            rows = len(reader.stream(f"cameras/{camera}")["t_ns"])
            list(reader.frames(camera, range(rows)))


def replace(file: h5py.File, path: str, **dataset: object) -> None:
    del file[path]
    file.create_dataset(path, **dataset)


def change(name: str, values: object) -> Callable[[h5py.File], None]:
    return lambda file: replace(file, name, data=values)


def set_attribute(path: str, name: str, value: object) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        file[path].attrs[name] = value

    return spoil


def link(name: str, target: object) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        del file[name]
        file[name] = target

    return spoil


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(200,), dtype="i8")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(200,))
    del file["streams/robot/seq"]
    file.create_virtual_dataset("streams/robot/seq", layout)


def loop(file: h5py.File) -> None:
    file["streams/robot/again"] = file["streams"]


def many(file: h5py.File) -> None:
    for i in range(10_001):
        file.create_group(f"x{i}")


def many_attributes(file: h5py.File) -> None:
    for i in range(101):
        file.attrs[f"x{i}"] = i


def absurd_times(file: h5py.File) -> None:
    for name in ("tick", "cameras"):
        del file[f"streams/{name}"]
    replace(file, "streams/robot/t_ns", data=np.linspace(0, 2**62, 200).astype(np.int64))


REFERENCE = np.array([None] * 200, dtype=h5py.ref_dtype)
HOSTILE: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "external link": (link("streams/robot/q", h5py.ExternalLink("/etc/passwd", "/")), "link to somewhere else"),
    "external group": (link("streams/robot", h5py.ExternalLink("other.h5", "/")), "link to somewhere else"),
    "soft link": (link("streams/robot/q", h5py.SoftLink("/streams/robot/dq")), "link to somewhere else"),
    "dangling soft link": (link("meta", h5py.SoftLink("/nothing")), "link to somewhere else"),
    "references": (lambda f: replace(f, "streams/robot/q", data=REFERENCE, dtype=h5py.ref_dtype), "is of type object"),
    "external storage": (
        lambda f: replace(f, "streams/robot/q", shape=(200, 7), dtype="f8", external=[("/etc/hostname", 0, 11200)]),
        "outside the file",
    ),
    "virtual storage": (virtual, "outside the file"),
    "loop": (loop, "nested deeper"),
    "many objects": (many, "more than 10000 objects"),
    "absurd size": (
        lambda f: replace(f, "streams/robot/q", shape=(2**40, 7), dtype="f8", chunks=(1024, 7)),
        "more than the whole file",
    ),
    "compressed bomb": (
        lambda f: replace(f, "streams/robot/q", data=np.zeros((10**6, 7)), compression="gzip"),
        "more than the whole file",
    ),
    "compound type": (change("streams/robot/q", np.zeros(200, dtype=[("a", "f8")])), "is of type"),
    "named type": (lambda f: f.__setitem__("t", np.dtype("f8")), "neither a group nor a dataset"),
    "no data at all": (lambda f: replace(f, "streams/robot/q", data=h5py.Empty("f8")), "claims None"),
    "unreadable name": (lambda f: f.create_group(b"x\xff\xfe"), "unreadable name"),
    "control characters in a name": (lambda f: f.create_group("x\x1b[2J"), "unreadable name"),
    "unreadable attribute": (set_attribute("/", "x\n", 1), "its attributes holds something with an unreadable name"),
    "many attributes": (many_attributes, "more than 100 attributes"),
    "end not growing": (change("streams/cameras/front/end", np.arange(10, 0, -1, dtype=np.uint64)), "does not grow"),
    "end past the data": (
        change("streams/cameras/front/end", np.arange(1, 11, dtype=np.uint64) * 10**6),
        "past the data",
    ),
    "end wraps": (change("streams/cameras/front/end", np.full(10, 2**64 - 1, dtype=np.uint64)), "past the data"),
    "end of too few": (change("streams/cameras/front/end", np.arange(9, dtype=np.uint64)), "one for each row"),
    "frames are floats": (change("streams/cameras/front/data", np.zeros(100)), "flat uint8"),
    "wrong dtype": (change("streams/robot/q", np.zeros((200, 7), dtype="f4")), "float32"),
    "wrong width": (change("streams/robot/q", np.zeros((200, 6))), "not f8"),
    "too few rows": (change("streams/robot/q", np.zeros((199, 7))), "for \\(200,\\) rows"),
    "texts as numbers": (change("streams/robot/q", np.array([b"a"] * 200)), "not numbers"),
    "missing column": (lambda f: f.__delitem__("streams/robot/ee_pose"), "ee_pose is missing"),
    "times out of order": (change("streams/robot/t_ns", np.arange(200)[::-1].copy()), "not in order"),
    "times before zero": (change("streams/robot/t_ns", np.arange(200) - 1), "not in order"),
    "absurd times": (absurd_times, "steps at 30.0 Hz"),
    "no metadata": (lambda f: f.__delitem__("meta"), "meta"),
    "metadata is no text": (change("meta", 7), "fixed-length string"),
    "metadata is no JSON": (lambda f: replace(f, "meta", data=np.bytes_(b"{nope")), "wrong metadata"),
    "metadata misses fields": (lambda f: replace(f, "meta", data=np.bytes_(b"{}")), "episode_id: Field required"),
    "ledger is no object": (lambda f: replace(f, "ledger", data=np.bytes_(b"[1]")), "no JSON object"),
    "ledger nested deep": (lambda f: replace(f, "ledger", data=np.bytes_(b"[" * 200_000)), "no readable ledger"),
    "other id": (set_attribute("/", "episode_id", np.bytes_(b"someone else")), "not that of the metadata"),
    "other version": (set_attribute("/", "version", 2), "version 2"),
    "other format": (set_attribute("/", "format", np.bytes_(b"pictures")), "no teleloom.episode"),
    "attribute is an array": (set_attribute("/", "created", np.zeros(9)), "no number and no text"),
    "large attribute": (set_attribute("steps", "state_names", np.bytes_(b"x" * 64_000)), "step table"),
    "event is no JSON": (change("events/json", np.bytes_(b"{\n{}")), "events"),
    "event is a list": (change("events/json", np.bytes_(b"[]\n{}")), "not a JSON object"),
    "events of other number": (change("events/json", np.bytes_(b"{}\n{}\n{}")), "events"),
    "event is no UTF-8": (change("events/kind", np.array([b"\xff", b"x"])), "events"),
    "texts of varying length": (
        lambda f: replace(f, "events/kind", data=["a", "b"], dtype=h5py.string_dtype()),
        "is of type object",
    ),
    "attribute of varying length": (set_attribute("/", "created", "today"), "of fixed length"),
    "steps point outside": (
        change("steps/streams/robot/index", np.full(10, 200)),
        "outside its 200 rows",
    ),
    "steps of other length": (change("steps/action", np.zeros((8, 8))), "not f8"),
    "no steps": (lambda f: f.__delitem__("steps"), "step table"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_by_its_name_and_fault(name: str, sound: Path, tmp_path: Path) -> None:
    spoil, fault = HOSTILE[name]
    path = tmp_path / "hostile.h5"
    shutil.copy(sound, path)
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(BadEpisodeError, match=fault) as refusal:
        read_all(path)
    assert str(path) in str(refusal.value)
    assert "; " in str(refusal.value)


def test_a_file_cut_anywhere_is_refused(sound: Path, tmp_path: Path) -> None:
    data = sound.read_bytes()
    path = tmp_path / "cut.h5"
    for size in (0, 1, 7, 8, 100, 2048, len(data) // 2, len(data) - 4096, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(BadEpisodeError, match=r"cut\.h5"):
            read_all(path)


def test_what_is_no_hdf5_or_not_there_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.h5"
    foreign.write_bytes(b"PK\x03\x04" + bytes(5000))
    missing = tmp_path / "missing.h5"
    for path in (foreign, missing, tmp_path):
        with pytest.raises(BadEpisodeError):
            EpisodeReader(path)
    with h5py.File(foreign, "w") as file:
        file["x"] = 1
    with pytest.raises(BadEpisodeError, match=r"no teleloom\.episode"):
        EpisodeReader(foreign)


def test_an_episode_id_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    for episode_id in ("../../etc/passwd", "", ".", "a/b", "x" * 200, "a\0b"):
        with pytest.raises(ValueError, match="episode id"):
            episode_path(tmp_path, episode_id)


FUZZ = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_episode_hostile import read_all
from teleloom.episode.reader import BadEpisodeError
for path in sorted(Path(sys.argv[1]).glob("*.h5")):
    try:
        read_all(path)
    except BadEpisodeError:
        pass
print("survived")
"""


def test_random_damage_never_ends_in_anything_but_a_refusal(sound: Path, tmp_path: Path) -> None:
    data, rng = sound.read_bytes(), random.Random(7)
    for number in range(150):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 4, 40])):
            start = rng.randrange(len(damaged))
            damaged[start : start + rng.choice([1, 2, 8])] = rng.randbytes(rng.choice([1, 2, 8]))
        (tmp_path / f"{number:03}.h5").write_bytes(damaged)
    run = subprocess.run(
        [sys.executable, "-c", FUZZ.format(tests=str(Path(__file__).parent)), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.stdout.strip() == "survived", run.stderr[-3000:]
