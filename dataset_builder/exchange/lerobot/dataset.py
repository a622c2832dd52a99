"""The episodes of a LeRobotDataset, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.importing.dataset import ForeignDatasetError, ImportOptions, Source
from dataset_builder.exchange.importing.episode import (
    ImportedCamera,
    ImportedEpisode,
    RawArray,
    UnimportableError,
    unknown_robot,
)
from dataset_builder.exchange.importing.own_exports import About, restored
from dataset_builder.exchange.lerobot import layout
from dataset_builder.exchange.lerobot.pictures import Videos, images_in
from dataset_builder.exchange.lerobot.rows import DocumentRows, EpisodeRows, MissingRowsError
from dataset_builder.exchange.lerobot.tables import TASK_INDEX
from teleloom.episode.layout import IMPORTED_STREAM
from teleloom.episode.meta import Outcome
from teleloom.extras import require

_PLACED = ("episode_index", "length", "data/chunk_index", "data/file_index")
"""What a row of `meta/episodes` must say, beside where its videos are."""

FAULTS = (OSError, KeyError, TypeError, ValueError, IndexError, OverflowError, NotImplementedError)
"""What pyarrow and numpy raise at a file that is damaged or of another shape than expected."""

SUCCESS = (layout.SUCCESS, "is_episode_successful")
"""Features that say whether the episode succeeded; the second is that of DROID's port to LeRobot."""


@dataclass(frozen=True)
class Dataset:
    """An opened dataset. fps: of the dataset; rate_hz: what the user says, else fps. tasks: texts by index."""

    root: Path
    features: Mapping[str, Mapping[str, Any]]
    rate_hz: float
    fps: float
    data_path: str
    video_path: str
    robot: str
    tasks: Mapping[int, str]
    options: ImportOptions
    videos: Videos = field(default_factory=Videos)
    rows: EpisodeRows = field(default_factory=EpisodeRows)

    @cached_property
    def documents(self) -> DocumentRows:
        return DocumentRows(self.root / layout.ABOUT)

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
        except FAULTS as error:
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
        except FAULTS as error:
            raise UnimportableError("bad-file", f"it cannot be read: {error}") from None

    def _episode(self, row: Mapping[str, Any]) -> ImportedEpisode:
        index = int(row["episode_index"])
        table = self._table(row)
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
            return restored(
                about, ours, cameras, self.options, format=layout.FORMAT, dataset=dataset, source=source, raw=raw
            )
        tasks = {task: self.tasks[task] for task in dict.fromkeys(columns["task_index"].tolist())}
        instructions = (self.options.instruction,) if self.options.instruction else tuple(tasks.values())
        notes: tuple[str, ...] = ()
        if len(tasks) > 1:
            raw[TASK_INDEX] = RawArray(columns[TASK_INDEX])
            said = "; ".join(f"{task} {text[:200]}" for task, text in tasks.items())
            notes = (f"Its steps have different tasks, {TASK_INDEX} in `{IMPORTED_STREAM}`: {said}.",)
        return ImportedEpisode(
            format=layout.FORMAT,
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
            notes=notes,
            not_carried=tuple(self._left_behind(columns, cameras)),
        )

    def _table(self, row: Mapping[str, Any]) -> Any:
        """The rows of an episode, of the columns that an episode can have."""
        place = self.data_path.format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
        wanted = [key for key, feature in self.features.items() if feature["dtype"] == "image" or _is_numbers(feature)]
        try:
            return self.rows.of(self._inside(place), wanted, int(row["episode_index"]), int(row["length"]))
        except MissingRowsError as error:
            raise UnimportableError("missing-frames", str(error)) from None

    def _inside(self, place: str) -> Path:
        path = (self.root / place).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise ValueError(f"{place} leads out of the dataset")
        return path

    def _numbers(self, table: Any) -> list[str]:
        return [key for key, feature in self.features.items() if key in table.column_names and _is_numbers(feature)]

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
        if self.features[key]["dtype"] == "image":
            return images_in(table[key].to_pylist(), quality)
        start_s = float(row[f"videos/{key}/from_timestamp"])
        place = self.video_path.format(
            video_key=key,
            chunk_index=row[f"videos/{key}/chunk_index"],
            file_index=row[f"videos/{key}/file_index"],
        )
        times_s = [start_s + float(t) for t in columns["frame_index"] / self.fps]
        return self.videos.camera(self._inside(place), times_s, self.fps, quality)

    def _about(self, episode_id: str | None) -> About | None:
        document = None if episode_id is None else self.documents.of(episode_id)
        return None if document is None else About.parse(document)

    def _left_behind(self, columns: Mapping[str, Any], cameras: Mapping[str, Any]) -> Iterator[str]:
        for key in self.features:
            if key not in columns and key.removeprefix(layout.IMAGES) not in cameras:
                yield key


def _is_numbers(feature: Mapping[str, Any]) -> bool:
    try:
        return np.dtype(str(feature["dtype"])).kind in "fiub"
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
    said = next((columns[key] for key in SUCCESS if key in columns), None)
    return "unknown" if said is None else "success" if said.any() else "failure"
