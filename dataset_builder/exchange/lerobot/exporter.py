"""The approved episodes of a station as a LeRobotDataset v3.0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.exporting.episodes import Departure, Departures
from dataset_builder.exchange.exporting.run import UnexportableError, Writing
from dataset_builder.exchange.lerobot import layout, statistics
from dataset_builder.exchange.lerobot.card import card
from dataset_builder.exchange.lerobot.layout import Place
from dataset_builder.exchange.lerobot.tables import RowFiles, TableFiles, fixed_table, write_tasks
from dataset_builder.exchange.lerobot.videos import ENCODERS, VideoWriter, pyav
from dataset_builder.exchange.report import NotCarried
from dataset_builder.rules.splits import TRAIN
from teleloom.extras import require
from teleloom.files import write_json

FORMAT = layout.FORMAT
VIDEO, IMAGE = "video", "image"
EXPORT_OPTIONS: Mapping[str, tuple[str, ...]] = {"images": (VIDEO, IMAGE), "video_codec": tuple(ENCODERS)}
"""images: videos, encoded anew, or the JPEGs themselves in the tables."""

NOTES = (
    "LeRobot has no times of its own: `timestamp` is frame / fps; when a step was is in `teleloom.t_ns`",
    "`meta/stats.json` is of the train split alone",
)

NOT_CARRIED = (
    NotCarried("camera calibration", "a feature has no place for it; it is in meta/teleloom.parquet"),
    NotCarried("several ways to say a task", "a frame has one task; all are in meta/teleloom.parquet"),
)
LOST_IN_VIDEOS = (NotCarried("JPEG bytes", "videos are encoded anew; the option images=image keeps the bytes"),)


def writing(choice: Mapping[str, str]) -> Writing:
    """How the tables and videos are written. Raises MissingExtraError."""
    require("pyarrow", "exchange")
    is_video = choice["images"] == VIDEO
    if is_video:
        pyav()

    def write(folder: Path, departures: Departures) -> None:
        _Writer(folder, departures, choice["images"], choice["video_codec"]).write()

    return Writing(
        write,
        check=_check_even if is_video else None,
        whole_rate=True,
        not_carried=(*NOT_CARRIED, *LOST_IN_VIDEOS) if is_video else NOT_CARRIED,
        notes=NOTES,
    )


def _check_even(departure: Departure) -> None:
    for key, height, width in departure.trajectory.shape.images:
        if height % 2 or width % 2:
            raise UnexportableError(
                f"camera '{key}' has {width}x{height} pixels, and a video needs even numbers; give it another size "
                "in the manifest, or export with the option images=image"
            )


class _Writer:
    """Writes one dataset; everything but the arrays of the train split's statistics goes out episode by episode."""

    def __init__(self, folder: Path, departures: Departures, images: str, codec: str) -> None:
        self._folder, self._departures = folder, departures
        self._manifest = departures.manifest
        self._images, self._codec = images, codec
        self._fps = round(departures.rates[0]) if departures.rates else 1
        self._tasks: dict[str, int] = {}
        self._frames = 0
        self._videos: dict[str, VideoWriter] = {}
        self._features: dict[str, Any] = {}
        self._robot = ""
        self._train: dict[str, list[NDArray[Any]]] = {}
        self._train_images: dict[str, tuple[statistics.Counts, int]] = {}

    def write(self) -> None:
        full = layout.DATA_FILE_MB * layout.MB
        data = TableFiles(self._folder, layout.DATA, full, "snappy")
        episodes = RowFiles(TableFiles(self._folder, layout.EPISODES, full, "snappy"), layout.EPISODE_PLACE)
        about = RowFiles(TableFiles(self._folder, layout.ABOUT, math.inf, "zstd"))
        with ExitStack() as stack:
            for each in (data, episodes, about):
                stack.callback(each.close)
            stack.callback(self._close_videos)
            for index, departure in enumerate(self._departures):
                row, place = self._write_episode(index, departure, data)
                episodes.append(row)
                about.append({"episode_id": departure.episode_id, "document": departure.about(self._manifest)})
                self._departures.wrote(departure, place.of(layout.DATA))
        if self._departures.train_ids:
            self._write_meta()

    def _close_videos(self) -> None:
        for video in self._videos.values():
            video.close()

    def _write_episode(self, index: int, departure: Departure, data: TableFiles) -> tuple[dict[str, Any], Place]:
        task = self._tasks.setdefault(departure.trajectory.instruction, len(self._tasks))
        columns = self._columns(departure, index, task)
        if not self._features:
            self._robot = departure.trajectory.robot
            self._features = self._make_features(departure, columns)
        pictures = departure.images if self._images == IMAGE else {}
        table = fixed_table(columns, {f"{layout.IMAGES}{key}": frames for key, frames in pictures.items()})
        place = data.append(table)
        row: dict[str, Any] = {
            "episode_index": index,
            "tasks": [departure.trajectory.instruction],
            "length": len(departure),
            "data/chunk_index": place.chunk_index,
            "data/file_index": place.file_index,
            "dataset_from_index": self._frames,
            "dataset_to_index": self._frames + len(departure),
            layout.EPISODE_ID: departure.episode_id,
        }
        own: dict[str, Any] = {key: statistics.of_values(columns[key]) for key in self._counted(columns)}
        for key, frames in sorted(departure.images.items()):
            name = f"{layout.IMAGES}{key}"
            counts = statistics.image_counts(frames)
            own[name] = statistics.of_images(counts, len(statistics.sample(len(frames))))
            self._count(departure.split, name, counts, len(statistics.sample(len(frames))))
            if self._images == VIDEO:
                file, start_s, end_s = self._video(name).write(frames)
                row |= {f"videos/{name}/chunk_index": file.chunk_index, f"videos/{name}/file_index": file.file_index}
                row |= {f"videos/{name}/from_timestamp": start_s, f"videos/{name}/to_timestamp": end_s}
        if departure.split == TRAIN:
            for key in self._counted(columns):
                self._train.setdefault(key, []).append(columns[key])
        self._frames += len(departure)
        return row | statistics.flat(own), place

    def _columns(self, departure: Departure, index: int, task: int) -> dict[str, NDArray[Any]]:
        count = np.arange(len(departure), dtype=np.int64)
        ours = {f"{layout.OURS}{name}": values for name, values in departure.columns().items()}
        return {
            layout.STATE: departure.state.astype(np.float32),
            layout.ACTION: departure.action.astype(np.float32),
            layout.REWARD: departure.reward,
            layout.DONE: departure.done,
            layout.SUCCESS: departure.reward > 0,
            **{name: values for name, values in ours.items() if values.size},
            "timestamp": (count / self._fps).astype(np.float32),
            "frame_index": count,
            "episode_index": np.full(len(count), index, dtype=np.int64),
            "index": count + self._frames,
            "task_index": np.full(len(count), task, dtype=np.int64),
        }

    def _make_features(self, departure: Departure, columns: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        joints = departure.meta.robot.joint_names
        names = {
            layout.STATE: departure.state_names,
            layout.ACTION: self._manifest.action.names(len(joints)),
            f"{layout.OURS}joints": joints,
        }
        features = {key: layout.vector(values, names.get(key)) for key, values in columns.items()}
        if self._images == VIDEO:
            _check_even(departure)
        for key, height, width in departure.trajectory.shape.images:
            name = f"{layout.IMAGES}{key}"
            if self._images == IMAGE:
                features[name] = layout.picture(IMAGE, height, width)
                continue
            features[name] = layout.picture(VIDEO, height, width, self._video(name).info(height, width))
        return features

    def _video(self, name: str) -> VideoWriter:
        if name not in self._videos:
            self._videos[name] = VideoWriter(self._folder, name, self._codec, self._fps)
        return self._videos[name]

    def _counted(self, columns: Mapping[str, NDArray[Any]]) -> list[str]:
        """The columns that statistics are made of: LeRobot's own, as ours may hold NaN."""
        return [key for key in columns if not key.startswith(layout.OURS)]

    def _count(self, split: str, name: str, counts: statistics.Counts, frames: int) -> None:
        if split == TRAIN:
            before, number = self._train_images.get(name, (np.zeros_like(counts), 0))
            self._train_images[name] = (before + counts, number + frames)

    def _write_meta(self) -> None:
        stats: dict[str, Any] = {key: statistics.of_values(np.concatenate(own)) for key, own in self._train.items()}
        stats |= {name: statistics.of_images(*own) for name, own in self._train_images.items()}
        splits = self._departures.splits()
        info = layout.info_document(self._robot, self._fps, self._features, splits, self._frames, len(self._tasks))
        write_tasks(self._folder / layout.TASKS, list(self._tasks))
        write_json(self._folder / layout.STATS, stats)
        write_json(self._folder / layout.INFO, info)
        (self._folder / layout.CARD).write_text(card(self._manifest, info), encoding="utf-8")
