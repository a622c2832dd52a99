"""Frames are read past HDF5, straight from the file: the same bytes however they are stored, and a fault has a name."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from episode_samples import jpeg, make_events, make_meta, make_streams
from h5py import h5d, h5p, h5s, h5t

from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.episode.writer import write_episode

DATA = "streams/cameras/wrist/data"
COUNT = 10


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    path = tmp_path / "episode.h5"
    write_episode(path, make_meta(), make_streams(), make_events())
    return path


def behind_a_user_block(episode: Path, path: Path) -> Path:
    """The same in a file whose HDF5 begins at byte 512."""
    with h5py.File(episode) as file, h5py.File(path, "w", userblock_size=512) as other:
        for name in file:
            file.copy(name, other)
        other.attrs.update(file.attrs)
    return path


def frames(path: Path) -> list[bytes]:
    with EpisodeReader(path) as reader:
        return list(reader.frames("wrist", range(COUNT)))


def test_frames_come_in_any_order_and_as_often_as_asked_for(episode: Path) -> None:
    with EpisodeReader(episode) as reader:
        assert list(reader.frames("wrist", [7, 0, 0, 9])) == [jpeg(i) for i in (7, 0, 0, 9)]
        assert reader.frame_bytes("wrist", 3) == jpeg(3)
        with pytest.raises(IndexError, match="frames 0 to"):
            list(reader.frames("wrist", [-1]))


def test_data_in_chunks_and_behind_a_user_block_are_the_same(episode: Path, tmp_path: Path) -> None:
    wrapped = behind_a_user_block(episode, tmp_path / "wrapped.h5")
    assert frames(wrapped) == frames(episode)
    with EpisodeReader(wrapped) as reader, EpisodeReader(episode) as first:
        assert reader.content_hash() == first.content_hash()
    with h5py.File(episode, "a") as file:
        data = file[DATA][()]
        del file[DATA]
        file.create_dataset(DATA, data=data, chunks=(100,))
    assert frames(episode) == [jpeg(i) for i in range(COUNT)]


def test_data_that_were_never_written_are_zeros_wherever_the_file_begins(episode: Path, tmp_path: Path) -> None:
    wrapped = behind_a_user_block(episode, tmp_path / "wrapped.h5")
    with h5py.File(wrapped, "a") as other:
        shape = other[DATA].shape
        del other[DATA]
        other.create_dataset(DATA, shape, np.uint8)
    assert not any(map(any, frames(wrapped)))


def test_a_column_that_was_never_written_is_not_what_lay_in_memory(episode: Path) -> None:
    with h5py.File(episode, "a") as file:
        shape = file["streams/robot/q"].shape
        del file["streams/robot/q"]
        never = h5p.create(h5p.DATASET_CREATE)
        never.set_fill_time(h5d.FILL_TIME_NEVER)
        h5d.create(file.id, b"streams/robot/q", h5t.NATIVE_DOUBLE, h5s.create_simple(shape), never)
    for secret in range(1, 20):
        kept = [np.full(shape, secret, dtype=np.float64) for _ in range(8)]
        del kept
        with EpisodeReader(episode) as reader:
            assert not reader.stream("robot")["q"].any()


def test_a_file_cut_while_it_is_read_is_named(episode: Path) -> None:
    with EpisodeReader(episode) as reader:
        later = reader.frames("wrist", range(COUNT))
        assert next(later) == jpeg(0)
        with h5py.File(episode) as file:
            offset = file[DATA].id.get_offset()
        os.truncate(episode, offset + len(jpeg(0)) + 1)
        with pytest.raises(BadEpisodeError, match=r"frames of camera wrist cannot be read .*ends at byte"):
            next(later)


def test_nothing_is_read_after_closing_where_another_file_may_have_taken_its_place(episode: Path) -> None:
    reader = EpisodeReader(episode)
    later = reader.frames("wrist", range(COUNT))
    next(later)
    reader.close()
    with episode.open("rb"), pytest.raises(BadEpisodeError, match="frames of camera wrist cannot be read"):
        next(later)
