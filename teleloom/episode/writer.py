"""Writing an episode file, `teleloom.episode` v1: HDF5 in its default, most widely readable layout, uncompressed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
from numpy.typing import NDArray

from teleloom.clock import NS_PER_S
from teleloom.episode import ledger as ledgers
from teleloom.episode.layout import FORMAT, STEP_COLUMNS, VERSION
from teleloom.episode.meta import EpisodeMeta
from teleloom.episode.new_file import new_hdf5
from teleloom.episode.steps import Steps, build_steps
from teleloom.episode.streams import CAMERA_PREFIX, Frame, Stream
from teleloom.files import atomic_writer, dumps_json
from teleloom.messages import Event

COPY_BYTES = 4 * 1024 * 1024


def write_episode(
    path: Path,
    meta: EpisodeMeta,
    streams: Mapping[str, Stream],
    events: Sequence[Event] = (),
    ledger: Mapping[str, Any] | None = None,
) -> None:
    """Write a whole episode, or nothing: `path` appears when everything is on the disk.

    streams: rows in time order, each once; the steps at `meta.step_rate_hz` are computed from them, and the ledger is
    completed by what they show. The same arguments give the same bytes. Raises OSError when the disk refuses, and
    ValueError for streams that do not fit together.
    """
    columns = {name: stream.columns for name, stream in streams.items()}
    steps = build_steps(columns, meta.step_rate_hz, meta.robot.joint_names)
    with atomic_writer(path) as temporary, new_hdf5(temporary) as (file, check):
        _write_head(file, meta)
        for name, stream in sorted(streams.items()):
            _write_stream(file.create_group(f"streams/{name}"), stream, is_camera=name.startswith(CAMERA_PREFIX))
            check()
        file.require_group("streams")
        _write_events(file.create_group("events"), events)
        _write_steps(file.create_group("steps"), steps)
        _write_text(file, "ledger", dumps_json(ledgers.complete(ledger or {}, columns, steps)))


def created_iso(wall_ns: int) -> str:
    """Wall time in ns since the Unix epoch as ISO 8601 in UTC, to the millisecond."""
    instant = datetime.fromtimestamp(wall_ns // NS_PER_S, UTC).replace(microsecond=wall_ns % NS_PER_S // 1000)
    return instant.isoformat(timespec="milliseconds")


def _write_head(file: h5py.File, meta: EpisodeMeta) -> None:
    _set_attributes(
        file,
        {
            "format": FORMAT,
            "version": VERSION,
            "episode_id": meta.episode_id,
            "created": created_iso(meta.anchor.wall_ns),
            "anchor_monotonic_ns": meta.anchor.monotonic_ns,
            "anchor_wall_ns": meta.anchor.wall_ns,
        },
    )
    _write_text(file, "meta", dumps_json(meta.model_dump(mode="json")))


def _set_attributes(group: h5py.Group, values: Mapping[str, str | float]) -> None:
    for name, value in values.items():
        group.attrs[name] = _texts([value])[0] if isinstance(value, str) else value


def _write_text(group: h5py.Group, name: str, text: str) -> None:
    data = _texts([text])
    group.create_dataset(name, data=data[0], dtype=data.dtype)


def _texts(texts: Sequence[str]) -> NDArray[np.bytes_]:
    """Texts as UTF-8 of fixed length, so that a reader sees how large they are before it takes them."""
    encoded = [text.encode() for text in texts]
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", max(map(len, encoded), default=0) or 1))


def _write_stream(group: h5py.Group, stream: Stream, is_camera: bool) -> None:
    _set_attributes(group, stream.attributes)
    for name, values in stream.columns.items():
        if len(values) != len(stream):
            raise ValueError(f"{group.name}/{name} has {len(values)} rows for {len(stream)} times")
        group.create_dataset(name, data=values)
    if is_camera:
        if len(stream.frames) != len(stream):
            raise ValueError(f"{group.name} has {len(stream.frames)} frames for {len(stream)} times")
        _write_frames(group, stream.frames)


def _write_frames(group: h5py.Group, frames: Sequence[Frame]) -> None:
    end = np.cumsum([len(frame) for frame in frames], dtype=np.uint64)
    group.create_dataset("end", data=end)
    data = group.create_dataset("data", shape=(int(end[-1]) if len(end) else 0,), dtype=np.uint8)
    position = 0
    for block in _blocks(frames):
        data[position : position + len(block)] = block
        position += len(block)


def _blocks(frames: Sequence[Frame]) -> Iterator[NDArray[np.uint8]]:
    """The frames one after another, in pieces of about COPY_BYTES: no episode's pictures need fit in memory."""
    pending: list[Frame] = []
    size = 0
    for frame in frames:
        pending.append(frame)
        size += len(frame)
        if size >= COPY_BYTES:
            yield np.frombuffer(b"".join(pending), dtype=np.uint8)
            pending, size = [], 0
    if size:
        yield np.frombuffer(b"".join(pending), dtype=np.uint8)


def _write_events(group: h5py.Group, events: Sequence[Event]) -> None:
    ordered = sorted(events, key=lambda event: (event.t_ns, event.seq))
    group.create_dataset("t_ns", data=np.array([event.t_ns for event in ordered], dtype=np.int64))
    group.create_dataset("seq", data=np.array([event.seq for event in ordered], dtype=np.int64))
    for name in ("kind", "reason"):
        data = _texts([getattr(event, name).replace("\0", "\ufffd") for event in ordered])  # a zero would end the text
        group.create_dataset(name, data=data, dtype=data.dtype)
    _write_text(group, "json", "\n".join(msgspec.json.encode(event.data).decode() for event in ordered))


def _write_steps(group: h5py.Group, steps: Steps) -> None:
    names = {"state_names": json.dumps(steps.state_names), "action_names": json.dumps(steps.action_names)}
    _set_attributes(group, {"rate_hz": steps.rate_hz, **names})
    for name in STEP_COLUMNS:
        group.create_dataset(name, data=getattr(steps, name))
    for name, aligned in sorted(steps.streams.items()):
        stream = group.create_group(f"streams/{name}")
        _set_attributes(stream, {"max_age_ns": aligned.max_age_ns})
        for column in ("index", "age_ns", "valid"):
            stream.create_dataset(column, data=getattr(aligned, column))
