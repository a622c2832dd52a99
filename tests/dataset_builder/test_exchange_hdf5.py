"""HDF5 files that anybody may have written: what they may not reach for, and how much they may ask for."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from dataset_builder.exchange import hdf5
from dataset_builder.exchange.formats import importer
from dataset_builder.exchange.importing.dataset import ImportOptions
from dataset_builder.exchange.importing.episode import ImportedEpisode, UnimportableError

NEEDED = {"aloha": "observations/qpos", "robomimic": "data/demo_0/actions"}
EPISODE = {"aloha": "/", "robomimic": "data/demo_0"}


def foreign(folder: Path, kind: str) -> Path:
    """An episode of four steps and numbers alone."""
    path = folder / "episode_0.hdf5"
    with h5py.File(path, "w") as file:
        for name in ("observations/qpos", "action") if kind == "aloha" else ("data/demo_0/actions",):
            file.create_dataset(name, data=np.zeros((4, 14)))
    return path


def read(path: Path, kind: str) -> ImportedEpisode:
    (source,) = importer(kind).open_dataset(path, ImportOptions(instruction="do it")).sources
    return source.read()


@pytest.mark.parametrize("kind", NEEDED)
@pytest.mark.parametrize("link", ["external link", "soft link", "external storage", "virtual"])
def test_a_file_cannot_reach_for_another(tmp_path: Path, kind: str, link: str) -> None:
    path, name = foreign(tmp_path, kind), NEEDED[kind]
    assert len(read(path, kind)) == 4
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret.create_dataset("numbers", data=np.zeros((4, 14)))
    with h5py.File(path, "a") as file:
        del file[name]
        if link == "external link":
            file[name] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "numbers")
        elif link == "soft link":
            file[name] = h5py.SoftLink("/data")
        elif link == "external storage":
            file.create_dataset(name, (4, 14), "f8", external=[(str(tmp_path / "secret.h5"), 0, 448)])
        else:
            layout = h5py.VirtualLayout((4, 14), "f8")
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "numbers", (4, 14))
            file.create_virtual_dataset(name, layout)
    with pytest.raises(UnimportableError, match=r"link to somewhere else|kept in another file"):
        read(path, kind)


@pytest.mark.parametrize("kind", EPISODE)
def test_arrays_that_claim_too_much_together_are_refused_unread(tmp_path: Path, kind: str) -> None:
    path, rows = foreign(tmp_path, kind), hdf5.MAX_ARRAY_BYTES // (14 * 8)
    with h5py.File(path, "a") as file:
        for name in ("observations/qpos", "action") if kind == "aloha" else ("data/demo_0/actions",):
            del file[name]
            file.create_dataset(name, (rows, 14), "f8")
        for number in range(4):
            file[EPISODE[kind]].create_dataset(f"extra{number}", (rows, 14), "f8")
    assert path.stat().st_size < 20_000
    with pytest.raises(UnimportableError, match=r"claim 1\d{9} bytes"):
        read(path, kind)


@pytest.mark.parametrize("kind", EPISODE)
def test_groups_that_hang_in_each_other_are_not_walked_for_ever(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5, "MAX_MEMBERS", 500)
    path = foreign(tmp_path, kind)
    with h5py.File(path, "a") as file:
        inner = file.create_group("inner")
        for level in range(12):
            outer = file.create_group(f"level{level}")
            for number in range(8):
                outer[str(number)] = inner
            inner = outer
        file[EPISODE[kind]]["deep"] = inner
    with pytest.raises(UnimportableError, match="more than 500 groups and arrays"):
        read(path, kind)


def test_a_chunk_too_large_to_unpack_is_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path, "aloha")
    with h5py.File(path, "a") as file:
        rows = hdf5.MAX_ARRAY_BYTES + 1
        array = file.create_dataset("extra", (4,), "u1", maxshape=(None,), chunks=(rows,), compression="gzip")
        assert array.nbytes == 4
    with pytest.raises(UnimportableError, match="extra lies in chunks of more than"):
        read(path, "aloha")
