"""Reading an episode file, whoever made it: every fault has a name, and nothing outside the file is ever touched.

An episode is uncompressed and complete in itself. So a file that points elsewhere (external or soft links, external or
virtual storage, references) is refused before anything is read, and no array can be larger than the file: whatever a
file claims, reading it takes no more memory than its size.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from h5py import h5s
from h5py.h5d import DatasetID
from h5py.h5f import FileID
from numpy.typing import NDArray
from pydantic import ValidationError

from teleloom.config import describe
from teleloom.episode import survey
from teleloom.episode.layout import ALIGNED_COLUMNS, FORMAT, STEP_COLUMNS, VERSION
from teleloom.episode.meta import EpisodeMeta
from teleloom.episode.steps import AlignedStream, Steps, build_steps
from teleloom.episode.streams import CAMERA_PREFIX, JOINTS, LAYOUTS, MAX_TIME_NS, Columns, message_type
from teleloom.messages import Event

MAX_JSON_BYTES = 64 * 1024 * 1024
HASH_BLOCK_BYTES = 1024 * 1024
HDF5_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError, RecursionError)


class BadEpisodeError(ValueError):
    """A file that is not a sound episode. The message names the file, the fault and what to do."""

    def __init__(self, path: Path, fault: str, remedy: str = "restore it from a copy, or leave it out") -> None:
        super().__init__(f"{path}: {fault}; {remedy}")
        self.path = path
        self.fault = fault
        self.remedy = remedy


class UnknownVersionError(BadEpisodeError):
    """An episode file of a version of the format that this software does not read."""


class EpisodeReader:
    """An open episode file. Opening checks the file's structure and metadata; each access checks what it reads.

    meta: what is known besides the streams. stream_names: the streams it keeps, sorted; cameras as `cameras/<name>`.
    Raises BadEpisodeError, from the constructor and from every method. Close it, or use it as a context manager.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._frames: dict[str, _Frames] = {}
        if not self.path.is_file():
            raise BadEpisodeError(self.path, "there is no such file", "check the path")
        remedy = "restore it from a copy; if its journal is still there, `teleloom recover` makes it again"
        with self._naming("is not an episode file (or one that was cut)", remedy):
            self._file = h5py.File(self.path, "r")
        try:
            with self._naming("has a structure that an episode must not have"):
                self._objects = survey.objects(self._file, self.path.stat().st_size)
            self.meta: EpisodeMeta = self._read_meta(self._checked_head())
            self.stream_names: tuple[str, ...] = _stream_names(self._objects)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()

    @property
    def id(self) -> str:
        """The episode's id."""
        return self.meta.episode_id

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of the cameras that have a stream, sorted."""
        return tuple(n.removeprefix(CAMERA_PREFIX) for n in self.stream_names if n.startswith(CAMERA_PREFIX))

    @property
    def ledger(self) -> dict[str, Any]:
        """What came, what was kept and why the rest was not; see teleloom.episode.ledger."""
        with self._naming("has no readable ledger"):
            ledger = json.loads(self._text("ledger"))
            if not isinstance(ledger, dict):
                raise ValueError("the ledger is no JSON object")
            return ledger

    def stream(self, name: str) -> Columns:
        """The columns of a stream, rows in time order; of a camera the times alone.

        Raises KeyError for a stream that the file does not have.
        """
        if name not in self.stream_names:
            raise KeyError(f"{self.path} has no stream {name!r}; it has {', '.join(self.stream_names)}")
        with self._naming(f"stream {name} is not sound"):
            prefix = f"streams/{name}/"
            members = sorted(path for path in self._objects if path.startswith(prefix))
            if name.startswith(CAMERA_PREFIX):
                members = [path for path in members if path.removeprefix(prefix) not in ("data", "end")]
            if any(self._objects[path].dtype.kind not in "fiub" for path in members):
                raise ValueError("it has a column that is not numbers")
            columns: Columns = {path.removeprefix(prefix): self._array(path) for path in members}
            self._check_columns(name, columns)
            return columns

    def attributes(self, name: str) -> dict[str, Any]:
        """What holds for all rows of a stream: a camera's codec and size, the names behind a bit mask."""
        with self._naming(f"stream {name} has attributes that cannot be read"):
            return survey.attributes(self._file[f"streams/{name}"])

    def frame_bytes(self, camera: str, i: int) -> bytes:
        """Frame `i` (0 is the first) of a camera, encoded as it came. Raises IndexError beyond the last."""
        return next(self.frames(camera, [i]))

    def frames(self, camera: str, indices: Iterable[int]) -> Iterator[bytes]:
        """The frames `indices` of a camera, one after another. Raises IndexError beyond the last."""
        frames = self._frames_of(camera)
        rows = [int(i) for i in indices]
        for i in rows:
            if not 0 <= i < len(frames.end):
                raise IndexError(f"{self.path}: camera {camera!r} has frames 0 to {len(frames.end) - 1}, not {i}")
        with self._naming(f"frames of camera {camera} cannot be read"):
            for i in rows:
                yield frames[i]

    def steps(self, rate_hz: float | None = None) -> Steps:
        """The stored step table, or the one that the same function gives at another rate."""
        if rate_hz is None:
            return self._stored_steps()
        columns = {name: self.stream(name) for name in self.stream_names}
        with self._naming(f"cannot be aligned at {rate_hz} Hz"):
            return build_steps(columns, rate_hz, self.meta.robot.joint_names)

    def events(self) -> list[Event]:
        """The events in time order."""
        with self._naming("has events that cannot be read"):
            t_ns, seq = self._array("events/t_ns"), self._array("events/seq")
            if t_ns.dtype != np.int64 or seq.dtype != np.int64 or t_ns.shape != seq.shape or t_ns.ndim != 1:
                raise ValueError("their times are not two int64 columns of one length")
            texts = [survey.texts(h5py.Dataset(self._objects[f"events/{column}"])) for column in ("kind", "reason")]
            lines = self._text("events/json").split("\n") if len(t_ns) else []
            return [
                Event(t_ns=int(t), seq=int(s), kind=kind, reason=reason, data=_json_object(data))
                for t, s, kind, reason, data in zip(t_ns, seq, *texts, lines, strict=True)
            ]

    def stream_hashes(self) -> dict[str, str]:
        """SHA-256, hex, of each stream's content: names, dtypes, shapes, bytes, attributes and frames; and `events`."""
        hashes = {name: self._stream_hash(name) for name in self.stream_names}
        events = [[e.t_ns, e.seq, e.kind, e.reason, e.data] for e in self.events()]
        hashes["events"] = hashlib.sha256(json.dumps(events, sort_keys=True).encode()).hexdigest()
        return hashes

    def content_hash(self) -> str:
        """SHA-256, hex, over the content of all streams: equal recordings give equal hashes, whenever made."""
        return hashlib.sha256(json.dumps(sorted(self.stream_hashes().items())).encode()).hexdigest()

    def verify(self) -> None:
        """Read everything once. Raises BadEpisodeError at the first fault."""
        self.content_hash()
        self.steps()
        _ = self.ledger

    @contextmanager
    def _naming(self, fault: str, remedy: str = "restore it from a copy, or leave it out") -> Iterator[None]:
        try:
            yield
        except BadEpisodeError:
            raise
        except HDF5_FAULTS as error:
            raise BadEpisodeError(self.path, f"{fault} ({error})", remedy) from None

    def _array(self, path: str) -> NDArray[Any]:
        # By HDF5's own handle: h5py's object takes three times as long for a column, of which an episode has sixty.
        dataset = self._objects[path]
        values = np.zeros(dataset.shape, dataset.dtype)  # HDF5 may leave alone what was never written.
        dataset.read(h5s.ALL, h5s.ALL, values)
        return values

    def _checked_head(self) -> dict[str, Any]:
        with self._naming("has a head that cannot be read"):
            head = survey.attributes(self._file)
        if head.get("format") != FORMAT:
            raise BadEpisodeError(self.path, f"is HDF5 but no {FORMAT}", "convert it with an importer")
        if head.get("version") != VERSION:
            raise UnknownVersionError(
                self.path, f"is version {head.get('version')} of {FORMAT}; this reads {VERSION}", "update teleloom"
            )
        return head

    def _read_meta(self, head: Mapping[str, Any]) -> EpisodeMeta:
        with self._naming("has metadata that cannot be read"):
            text = self._text("meta")
            try:
                meta = EpisodeMeta.model_validate_json(text)
            except ValidationError as error:
                raise ValueError(f"wrong metadata:\n{describe(error, EpisodeMeta)}") from None
            if head.get("episode_id") != meta.episode_id:
                raise ValueError("the episode_id of the head is not that of the metadata")
            return meta

    def _text(self, name: str) -> str:
        dataset = self._objects[name]
        if dataset.dtype.kind != "S" or dataset.shape != () or dataset.dtype.itemsize > MAX_JSON_BYTES:
            raise ValueError(f"/{name} is no single fixed-length string of at most {MAX_JSON_BYTES} bytes")
        return bytes(self._array(name).item()).decode()

    def _check_columns(self, name: str, columns: Columns) -> None:
        rows = columns["t_ns"].shape[:1]
        for column, values in columns.items():
            if values.shape[:1] != rows:
                raise ValueError(f"column {column} is {values.dtype} {values.shape} for {rows} rows")
        try:
            layout = LAYOUTS[message_type(name)]
        except ValueError:
            layout = LAYOUTS[message_type(f"{CAMERA_PREFIX}any")]
        joints = len(self.meta.robot.joint_names)
        for expected in layout:
            found = columns.get(expected.name)
            shape = (*rows, *(joints if size == JOINTS else size for size in expected.shape))
            if found is None or found.dtype != np.dtype(expected.dtype) or found.shape != shape:
                there = "missing" if found is None else f"{found.dtype} {found.shape}"
                raise ValueError(f"column {expected.name} is {there}, not {expected.dtype} {shape}")
        t_ns = columns["t_ns"]
        if len(t_ns) and (t_ns[0] < 0 or t_ns[-1] > MAX_TIME_NS or np.any(t_ns[1:] < t_ns[:-1])):
            raise ValueError("its times are not in order")

    def _frames_of(self, camera: str) -> _Frames:
        if camera not in self._frames:
            rows = len(self.stream(f"{CAMERA_PREFIX}{camera}")["t_ns"])
            with self._naming(f"camera {camera} is not sound"):
                prefix = f"streams/{CAMERA_PREFIX}{camera}/"
                end, data = self._array(prefix + "end"), self._objects[prefix + "data"]
                if end.dtype != np.uint64 or end.shape != (rows,) or data.dtype != np.uint8 or data.rank != 1:
                    raise ValueError("`end` must be uint64, one for each row, and `data` flat uint8")
                if np.any(end[1:] < end[:-1]) or (rows and int(end[-1]) > data.shape[0]):
                    raise ValueError("`end` does not grow, or points past the data")
                # HDF5 gives an offset even where nothing was ever written.
                offset = data.get_offset() if data.get_storage_size() == data.shape[0] else None
                self._frames[camera] = _Frames(end, data, self._file.id, offset)
        return self._frames[camera]

    def _stored_steps(self) -> Steps:
        with self._naming("has a step table that is not sound"):
            head = survey.attributes(self._file["steps"])
            table = {name: self._array(f"steps/{name}") for name in STEP_COLUMNS}
            streams = {
                name: self._aligned(name)
                for name in self.stream_names
                if f"steps/streams/{name}/index" in self._objects
            }
            names = [_names(head[key]) for key in ("state_names", "action_names")]
            steps = Steps(
                rate_hz=float(head["rate_hz"]), streams=streams, state_names=names[0], action_names=names[1], **table
            )
            _check_steps(steps, len(self.meta.robot.joint_names))
            return steps

    def _aligned(self, name: str) -> AlignedStream:
        group = f"steps/streams/{name}"
        index, age_ns, valid = (self._array(f"{group}/{column}") for column in ALIGNED_COLUMNS)
        rows = self._objects[f"streams/{name}/t_ns"].shape[0]
        if index.dtype != np.int64 or np.any(index < -1) or np.any(index >= rows):
            raise ValueError(f"steps of {name} point outside its {rows} rows")
        return AlignedStream(index, age_ns, valid, int(survey.attributes(self._file[group])["max_age_ns"]))

    def _stream_hash(self, name: str) -> str:
        digest = hashlib.sha256()
        columns = self.stream(name)
        digest.update(json.dumps(self.attributes(name), sort_keys=True).encode())
        for column, values in sorted(columns.items()):
            digest.update(f"{column} {values.dtype.str} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).data)
        if name.startswith(CAMERA_PREFIX):
            frames = self._frames_of(name.removeprefix(CAMERA_PREFIX))
            digest.update(frames.end.tobytes())
            num_bytes = frames.data.shape[0]
            with self._naming(f"frames of {name} cannot be read"):
                for start in range(0, num_bytes, HASH_BLOCK_BYTES):
                    digest.update(frames.content(start, min(start + HASH_BLOCK_BYTES, num_bytes)))
        return digest.hexdigest()


@dataclass(frozen=True)
class _Frames:
    """The frames of a camera, one after another in `data`, which ends with the last or later; frame i ends at end[i].

    offset: where in the file the data begin; None when they do not lie there in one piece.
    """

    end: NDArray[np.uint64]
    data: DatasetID
    file: FileID
    offset: int | None

    def __getitem__(self, i: int) -> bytes:
        return self.content(int(self.end[i - 1]) if i else 0, int(self.end[i]))

    def content(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`. Raises OSError where the file has become too short."""
        if self.offset is None:
            return bytes(h5py.Dataset(self.data)[start:stop].data)
        # Past HDF5, which copies through an array of zeros and takes four times as long.
        content = os.pread(self.file.get_vfd_handle(), stop - start, self.offset + start)
        if len(content) != stop - start:
            raise OSError(f"the file ends at byte {self.offset + start + len(content)}")
        return content


def _stream_names(paths: Iterable[str]) -> tuple[str, ...]:
    times = (path.removeprefix("streams/") for path in paths if path.startswith("streams/"))
    return tuple(sorted(path.removesuffix("/t_ns") for path in times if path.endswith("/t_ns")))


def _check_steps(steps: Steps, joints: int) -> None:
    count = len(steps)
    expected: dict[str, tuple[str, tuple[int, ...]]] = {
        "t_ns": ("i8", (count,)),
        "state": ("f8", (count, joints + 1)),
        "ee_pose": ("f8", (count, 7)),
        "action": ("f8", (count, 8)),
        "action_joint": ("f8", (count, joints + 1)),
        "action_human": ("f8", (count, 8)),
        "action_policy": ("f8", (count, 8)),
        "control_mode": ("u1", (count,)),
        "is_intervention": ("?", (count,)),
        "handover": ("?", (count,)),
    }
    for name, (dtype, shape) in expected.items():
        values = getattr(steps, name)
        if values.dtype != np.dtype(dtype) or values.shape != shape:
            raise ValueError(f"{name} is {values.dtype} {values.shape}, not {dtype} {shape}")
    for name, aligned in steps.streams.items():
        for column, dtype in zip(ALIGNED_COLUMNS, ("i8", "i8", "?"), strict=True):
            values = getattr(aligned, column)
            if values.dtype != np.dtype(dtype) or values.shape != (count,):
                raise ValueError(f"{column} of {name} is {values.dtype} {values.shape}, not {dtype} {(count,)}")


def _names(text: str) -> tuple[str, ...]:
    names = json.loads(text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"not a list of names: {text[:80]}")
    return tuple(names)


def _json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"not a JSON object: {text[:80]}")
    return value
