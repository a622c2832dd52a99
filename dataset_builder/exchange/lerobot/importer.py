"""A LeRobotDataset v3.x, ours or anybody's, as episodes of a station."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.arriving import About, restored
from dataset_builder.exchange.imported import (
    ImportedCamera,
    ImportedEpisode,
    RawArray,
    UnimportableError,
    encode_pixels,
    unknown_robot,
)
from dataset_builder.exchange.lerobot import layout
from dataset_builder.exchange.lerobot.tables import TASK, TASK_INDEX
from dataset_builder.exchange.lerobot.videos import pyav, read_frames
from dataset_builder.exchange.report import ForeignDataset, ForeignDatasetError, ImportOptions, NotCarried, Source
from teleloom.episode.meta import Outcome
from teleloom.extras import require

FORMAT = "lerobot"
LOOKS_FOR = "meta/info.json with codebase_version"
MAX_JSON_BYTES = 64 * 1024 * 1024
JPEG_START = b"\xff\xd8\xff"
_PLACE_FIELD = re.compile(r"\{((chunk_index|file_index)(:0\dd)?|video_key)\}")
_PLACED = ("episode_index", "length", "data/chunk_index", "data/file_index")
"""What a row of `meta/episodes` must say, beside where its videos are."""

_FAULTS = (OSError, KeyError, TypeError, ValueError, IndexError, OverflowError, NotImplementedError)
"""What pyarrow and numpy raise at a file that is damaged or of another shape than expected."""

_NOT_CARRIED = (
    NotCarried("meta/stats.json", "statistics are made anew when a dataset is built"),
    NotCarried("splits", "splits are made anew when a dataset is built"),
)


def recognises(path: Path) -> bool:
    """Whether `path` is the root of a LeRobotDataset of any version."""
    try:
        return path.is_dir() and "codebase_version" in _json(path / layout.INFO)
    except (OSError, ValueError):
        return False


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The dataset with the root `path`. Raises ForeignDatasetError."""
    if options.map or options.profile:
        raise ForeignDatasetError("a LeRobotDataset says itself what is what: leave --map and --profile out")
    try:
        info = _json(path / layout.INFO)
        _check_version(path, info)
        return _open(path, info, options)
    except (*_FAULTS, AttributeError) as error:
        if isinstance(error, ForeignDatasetError):
            raise
        raise ForeignDatasetError(f"{path} is no sound LeRobotDataset: {error}") from None


def _open(path: Path, info: Mapping[str, Any], options: ImportOptions) -> ForeignDataset:
    pq = require("pyarrow.parquet", "exchange")
    fps = float(info["fps"])
    if not fps > 0:
        raise ValueError(f"{layout.INFO} says {fps:g} frames a second")
    dataset = _Dataset(
        path,
        {str(key): dict(feature) for key, feature in info["features"].items()},
        fps if options.rate_hz is None else options.rate_hz,
        fps,
        _pattern(info["data_path"]),
        _pattern(info.get("video_path") or layout.VIDEO),
        str(info.get("robot_type") or "unknown"),
        _tasks(pq.read_table(path / layout.TASKS)),
        options,
    )
    notes = (
        "Times are frame / fps unless teleloom wrote the dataset: LeRobot keeps no others.",
        "What the numbers of a state or an action are, LeRobot does not say; they are kept as they are.",
    )
    count, said = dataset.count(), int(info["total_episodes"])
    missing = f"{layout.INFO} counts {said}, and meta/episodes lists {count}; fetch the dataset again for all of them"
    not_carried = (*_NOT_CARRIED, *([NotCarried("episodes", missing)] if said != count else []))
    return ForeignDataset(FORMAT, path.resolve().name, count, dataset.sources(), not_carried, notes)


def _pattern(text: Any) -> str:
    """A path with places to fill in, of LeRobot's kind alone: a foreign format string could ask for anything."""
    if set("{}") & set(_PLACE_FIELD.sub("", str(text))):
        raise ValueError(f"the path {text} in {layout.INFO} has a part that is not known")
    return str(text)


def _json(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = file.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_JSON_BYTES} bytes")
    try:
        document = json.loads(data)
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return document


def _check_version(path: Path, info: Mapping[str, Any]) -> None:
    version = str(info.get("codebase_version"))
    if version.split(".")[0] == "v3":
        return
    remedy = (
        "convert a copy of it with lerobot: python -m lerobot.datasets.v30.convert_dataset_v21_to_v30"
        if version.startswith("v2")
        else "update teleloom"
    )
    raise ForeignDatasetError(f"{path} is a LeRobotDataset {version}; this reads v3: {remedy}")


def _tasks(table: Any) -> dict[int, str]:
    texts = next((name for name in (TASK, "task") if name in table.column_names), None)
    if texts is None:
        raise ValueError(f"{layout.TASKS} has no column of texts, only {', '.join(table.column_names)}")
    return dict(zip(table[TASK_INDEX].to_pylist(), map(str, table[texts].to_pylist()), strict=True))


@dataclass(frozen=True)
class _Dataset:
    root: Path
    features: Mapping[str, Mapping[str, Any]]
    rate_hz: float
    fps: float
    data_path: str
    video_path: str
    robot: str
    tasks: Mapping[int, str]
    options: ImportOptions
    digests: dict[Path, bytes] = field(default_factory=dict)

    def count(self) -> int:
        """How many episodes the tables list. Raises ValueError for a table that does not say where they are."""
        rows = 0
        for table in self._tables():
            if absent := sorted(set(_PLACED) - set(table.schema_arrow.names)):
                raise ValueError(f"meta/episodes has no column {', '.join(absent)}")
            rows += table.metadata.num_rows
        return rows

    def sources(self) -> Iterator[Source]:
        """The episodes, read from their tables a batch at a time. Raises ForeignDatasetError for a damaged one."""
        try:
            for table in self._tables():
                wanted = [name for name in table.schema_arrow.names if not name.startswith("stats/")]
                for batch in table.iter_batches(batch_size=64, columns=wanted):
                    for row in batch.to_pylist():
                        yield Source(f"episode {row['episode_index']}", partial(self._read, row))
        except _FAULTS as error:
            raise ForeignDatasetError(f"{self.root}: meta/episodes is damaged: {error}") from None

    def _tables(self) -> Iterator[Any]:
        pq = require("pyarrow.parquet", "exchange")
        for file in sorted((self.root / "meta/episodes").glob("*/*.parquet")):
            with pq.ParquetFile(file) as table:
                yield table

    def _read(self, row: Mapping[str, Any]) -> ImportedEpisode:
        try:
            return self._episode(row)
        except UnimportableError:
            raise
        except _FAULTS as error:
            raise UnimportableError("bad-file", f"it cannot be read: {error}") from None

    def _episode(self, row: Mapping[str, Any]) -> ImportedEpisode:
        index = int(row["episode_index"])
        table = self._table(row)
        if table.num_rows != int(row["length"]):
            raise UnimportableError("missing-frames", f"{table.num_rows} of its {row['length']} frames are there")
        columns = {key: self._column(table, key) for key in self._numbers(table)}
        cameras = {
            key.removeprefix(layout.IMAGES): self._camera(key, row, table, columns)
            for key, feature in self.features.items()
            if feature["dtype"] in ("image", "video") and not _is_depth(feature)
        }
        ours = {key.removeprefix(layout.OURS): values for key, values in columns.items() if key.startswith(layout.OURS)}
        raw = {
            key: RawArray(values, _names(self.features[key]))
            for key, values in columns.items()
            if key not in layout.INDEX_FEATURES
        }
        source, dataset = f"episode {index}", self.root.resolve().name
        about = self._about(row.get(layout.EPISODE_ID))
        if about is not None and ours:
            raw = {key: array for key, array in raw.items() if not key.startswith(layout.OURS)}
            return restored(about, ours, cameras, self.options, format=FORMAT, dataset=dataset, source=source, raw=raw)
        texts = [self.tasks[task] for task in dict.fromkeys(columns["task_index"].tolist())]
        instructions = (self.options.instruction,) if self.options.instruction else tuple(texts)
        return ImportedEpisode(
            format=FORMAT,
            dataset=dataset,
            source=source,
            rate_hz=self.rate_hz,
            task=self.options.task or instructions[0],
            instructions=instructions,
            robot=self.options.robot or unknown_robot(self.robot),
            cameras=cameras,
            raw=raw,
            scene=self.options.scene or "",
            operator=self.options.operator or "unknown",
            outcome=_outcome(columns),
            not_carried=tuple(self._left_behind(columns, cameras)),
        )

    def _table(self, row: Mapping[str, Any]) -> Any:
        """The rows of an episode, all columns; read from the row groups that may hold it alone."""
        pq = require("pyarrow.parquet", "exchange")
        place = self.data_path.format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
        return pq.read_table(self._inside(place), filters=[("episode_index", "=", int(row["episode_index"]))])

    def _inside(self, place: str) -> Path:
        path = (self.root / place).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise ValueError(f"{place} leads out of the dataset")
        return path

    def _numbers(self, table: Any) -> list[str]:
        return [
            key
            for key, feature in self.features.items()
            if key in table.column_names and _is_numbers(str(feature["dtype"]))
        ]

    def _column(self, table: Any, key: str) -> NDArray[Any]:
        feature, values = self.features[key], table[key].combine_chunks()
        while hasattr(values, "flatten") and hasattr(values.type, "value_type"):
            values = values.flatten()
        shape = [int(size) for size in feature["shape"]]
        wide = shape if shape != [1] else []
        return np.asarray(values.to_numpy(zero_copy_only=False), dtype=feature["dtype"]).reshape(table.num_rows, *wide)

    def _camera(
        self, key: str, row: Mapping[str, Any], table: Any, columns: Mapping[str, NDArray[Any]]
    ) -> ImportedCamera:
        quality = self.options.jpeg_quality
        if self.features[key]["dtype"] == "video":
            start_s = float(row[f"videos/{key}/from_timestamp"])
            times = [start_s + float(t) for t in columns["frame_index"] / self.fps]
            place = self.video_path.format(
                video_key=key,
                chunk_index=row[f"videos/{key}/chunk_index"],
                file_index=row[f"videos/{key}/file_index"],
            )
            file = self._inside(place)
            frames = [encode_pixels(pixels, quality) for pixels in read_frames(file, times, 0.5 / self.fps)]
            return ImportedCamera(frames, quality, origin=self._digest(file) + json.dumps(times).encode())
        kept = [_image_bytes(self.root, cell) for cell in table[key].to_pylist()]
        if all(data.startswith(JPEG_START) for data in kept):
            return ImportedCamera(kept)
        digest = hashlib.sha256()
        for data in kept:
            digest.update(data)
        return ImportedCamera([encode_pixels(_pixels(data), quality) for data in kept], quality, origin=digest.digest())

    def _digest(self, file: Path) -> bytes:
        """Of a video file, read once for all episodes in it."""
        if file not in self.digests:
            with file.open("rb") as video:
                self.digests[file] = hashlib.file_digest(video, "sha256").digest()
        return self.digests[file]

    def _about(self, episode_id: str | None) -> About | None:
        if episode_id is None or not (self.root / layout.ABOUT).is_file():
            return None
        pq = require("pyarrow.parquet", "exchange")
        table = pq.read_table(self.root / layout.ABOUT, filters=[("episode_id", "=", episode_id)])
        return About.parse(table["document"][0].as_py()) if table.num_rows else None

    def _left_behind(self, columns: Mapping[str, Any], cameras: Mapping[str, Any]) -> Iterator[str]:
        for key in self.features:
            if key not in columns and key.removeprefix(layout.IMAGES) not in cameras:
                yield key


def _is_numbers(dtype: str) -> bool:
    try:
        return np.dtype(dtype).kind in "fiub"
    except TypeError:
        return False


def _names(feature: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the columns of a vector: a list, or, as some write them, a list under a single key."""
    names = feature.get("names")
    if isinstance(names, Mapping) and len(names) == 1:
        names = next(iter(names.values()))
    return tuple(map(str, names)) if isinstance(names, Sequence) and not isinstance(names, str) else ()


def _is_depth(feature: Mapping[str, Any]) -> bool:
    return bool((feature.get("info") or {}).get("video.is_depth_map"))


def _outcome(columns: Mapping[str, NDArray[Any]]) -> Outcome:
    if layout.SUCCESS not in columns:
        return "unknown"
    return "success" if columns[layout.SUCCESS].any() else "failure"


def _image_bytes(root: Path, cell: Mapping[str, Any]) -> bytes:
    data = cell.get("bytes")
    if not isinstance(data, bytes):
        raise UnimportableError("missing-frames", f"the image {cell.get('path')} of {root.name} is not in the table")
    return data


def _pixels(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) of a PNG, or of whatever else PyAV takes for an image."""
    av = pyav()
    try:
        with av.open(io.BytesIO(data)) as container:
            pixels: NDArray[np.uint8] = next(container.decode(video=0)).to_ndarray(format="rgb24")
            return pixels
    except (av.FFmpegError, StopIteration, IndexError) as error:
        raise UnimportableError("broken-image", f"an image of {len(data)} bytes cannot be decoded ({error})") from None
