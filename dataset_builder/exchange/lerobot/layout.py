"""What LeRobotDataset v3.0 has on disk: its paths, its features and their columns, and `meta/info.json`.

The source of all this is the `lerobot` package, `datasets/utils.py` and `datasets/lerobot_dataset.py` of 0.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "lerobot"
CODEBASE_VERSION = "v3.0"
INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
CARD = "README.md"
ABOUT = "meta/teleloom.parquet"
"""Ours, not LeRobot's: a JSON document about each episode. Beside `meta/episodes`, whose rows lerobot reads at every
frame."""

FILES_PER_CHUNK = 1000
DATA_FILE_MB = 100
VIDEO_FILE_MB = 200
MB = 1024 * 1024

STATE, ACTION = "observation.state", "action"
IMAGES = "observation.images."
REWARD, DONE, SUCCESS = "next.reward", "next.done", "next.success"
OURS = "teleloom."
"""Before our own step columns: policies take every feature under `observation` and `action` for theirs."""

EPISODE_PLACE = ("meta/episodes/chunk_index", "meta/episodes/file_index")
EPISODE_ID = "teleloom/episode_id"
INDEX_FEATURES = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}


@dataclass(frozen=True)
class Place:
    """Which file of a kind: lerobot fills a chunk's folder with FILES_PER_CHUNK files before it begins another."""

    chunk_index: int = 0
    file_index: int = 0

    def following(self) -> Place:
        if self.file_index == FILES_PER_CHUNK - 1:
            return Place(self.chunk_index + 1, 0)
        return Place(self.chunk_index, self.file_index + 1)

    def of(self, pattern: str, **more: str) -> str:
        return pattern.format(chunk_index=self.chunk_index, file_index=self.file_index, **more)


def vector(values: NDArray[Any], names: Sequence[str] | None = None) -> dict[str, Any]:
    """The feature of a column (T,) or (T, D)."""
    width = 1 if values.ndim == 1 else values.shape[1]
    return {"dtype": values.dtype.name, "shape": [width], "names": None if names is None else list(names)}


def picture(dtype: str, height: int, width: int, info: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The feature of a camera, `image` or `video`."""
    feature = {"dtype": dtype, "shape": [height, width, 3], "names": ["height", "width", "channels"]}
    return feature if info is None else {**feature, "info": dict(info)}


def info_document(
    robot: str, fps: int, features: Mapping[str, Any], splits: Mapping[str, int], frames: int, tasks: int
) -> dict[str, Any]:
    """`meta/info.json`. splits: episodes in each, in the order in which they lie in the dataset."""
    ends = np.cumsum([0, *splits.values()]).tolist()
    has_video = any(feature["dtype"] == "video" for feature in features.values())
    return {
        "codebase_version": CODEBASE_VERSION,
        "robot_type": robot,
        "total_episodes": ends[-1],
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": DATA_FILE_MB,
        "video_files_size_in_mb": VIDEO_FILE_MB,
        "fps": fps,
        "splits": {split: f"{start}:{end}" for split, start, end in zip(splits, ends[:-1], ends[1:], strict=True)},
        "data_path": DATA,
        "video_path": VIDEO if has_video else None,
        "features": dict(features),
    }
