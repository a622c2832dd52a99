"""A LeRobotDataset v3.x, ours or anybody's, as episodes of a station."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataset_builder.exchange.importing.dataset import ForeignDataset, ForeignDatasetError, ImportOptions
from dataset_builder.exchange.importing.documents import read_document
from dataset_builder.exchange.lerobot import layout
from dataset_builder.exchange.lerobot.dataset import FAULTS, Dataset
from dataset_builder.exchange.lerobot.tables import TASK, TASK_INDEX
from dataset_builder.exchange.report import NotCarried
from teleloom.extras import require

LOOKS_FOR = "meta/info.json with codebase_version"
_PLACE_FIELD = re.compile(r"\{((chunk_index|file_index)(:0\dd)?|video_key)\}")

_CONVERT = "lerobot.datasets.v30.convert_dataset_v21_to_v30"
_NOT_CARRIED = (
    NotCarried("meta/stats.json", "statistics are made anew when a dataset is built"),
    NotCarried("splits", "splits are made anew when a dataset is built"),
)


def recognises(path: Path) -> bool:
    """Whether `path` is the root of a LeRobotDataset of any version."""
    try:
        return path.is_dir() and "codebase_version" in read_document(path / layout.INFO)
    except (OSError, ValueError):
        return False


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The dataset with the root `path`. Raises ForeignDatasetError."""
    try:
        info = read_document(path / layout.INFO)
        _check_version(path, info)
        return _open(path, info, options)
    except (*FAULTS, AttributeError) as error:
        if isinstance(error, ForeignDatasetError):
            raise
        raise ForeignDatasetError(f"{path} is no sound LeRobotDataset: {error}") from None


def _open(path: Path, info: Mapping[str, Any], options: ImportOptions) -> ForeignDataset:
    pq = require("pyarrow.parquet", "exchange")
    fps = float(info["fps"])
    if not fps > 0:
        raise ValueError(f"{layout.INFO} says {fps:g} frames a second")
    dataset = Dataset(
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
    return ForeignDataset(layout.FORMAT, path.resolve().name, count, dataset.sources(), not_carried, notes)


def _pattern(text: Any) -> str:
    """A path with places to fill in, of LeRobot's kind alone: a foreign format string could ask for anything."""
    if set("{}") & set(_PLACE_FIELD.sub("", str(text))):
        raise ValueError(f"the path {text} in {layout.INFO} has a part that is not known in v3")
    return str(text)


def _check_version(path: Path, info: Mapping[str, Any]) -> None:
    version = str(info.get("codebase_version"))
    if version.split(".")[0] == "v3":
        return
    said = f"{path} is a LeRobotDataset {version}; this reads v3"
    if version == "v2.1":
        raise ForeignDatasetError(f"{said}: convert a copy of it with lerobot: python -m {_CONVERT}")
    if version.startswith(("v1", "v2")):
        raise ForeignDatasetError(
            f"{said}: convert a copy of it to v2.1 with a lerobot of its time, then with a newer one: "
            f"python -m {_CONVERT}"
        )
    raise ForeignDatasetError(f"{said}: update teleloom")


def _tasks(table: Any) -> dict[int, str]:
    texts = next((name for name in (TASK, "task") if name in table.column_names), None)
    if texts is None:
        raise ValueError(f"{layout.TASKS} has no column of texts, only {', '.join(table.column_names)}")
    return dict(zip(table[TASK_INDEX].to_pylist(), map(str, table[texts].to_pylist()), strict=True))
