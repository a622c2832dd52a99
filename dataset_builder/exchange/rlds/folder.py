"""The files of an RLDS dataset: its two documents, and its records shard by shard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.exchange.imported import UnimportableError
from dataset_builder.exchange.report import ForeignDatasetError
from dataset_builder.rlds.tfrecord import BadRecordError, read_records

FEATURES = "features.json"
DATASET_INFO = "dataset_info.json"
METADATA = "metadata.json"
DEFAULT_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
GZIP = b"\x1f\x8b"
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_RECORDS = 10_000_000
"""That a dataset may claim to have: each one that is missing is counted by its name."""


@dataclass(frozen=True)
class Shard:
    """A file of records. first: number of its first record within the split."""

    split: str
    path: Path
    first: int
    records: int


@dataclass(frozen=True)
class Record:
    """One record of a shard, or the reason why it cannot be had."""

    name: str
    data: bytes | UnimportableError


def find_folder(path: Path) -> Path | None:
    """The folder with the two documents: `path`, or the one version below it; None where there is none or several."""
    if _is_dataset(path):
        return path
    below = [folder for folder in sorted(path.iterdir()) if _is_dataset(folder)] if path.is_dir() else []
    return below[0] if len(below) == 1 else None


def _is_dataset(path: Path) -> bool:
    return (path / FEATURES).is_file() and (path / DATASET_INFO).is_file()


def read_document(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ForeignDatasetError when it is none."""
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise ForeignDatasetError(f"{path} is larger than {MAX_DOCUMENT_BYTES} bytes")
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ForeignDatasetError(f"{path} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise ForeignDatasetError(f"{path} is no JSON object")
    return document


def shards_of(folder: Path, info: dict[str, Any]) -> list[Shard]:
    """The shards that `dataset_info.json` lists, in its order. Raises ForeignDatasetError for other file formats."""
    file_format = info.get("fileFormat") or "tfrecord"
    if file_format != "tfrecord":
        detail = f"{folder}: its records are {file_format} files; only tfrecord can be read"
        raise ForeignDatasetError(f"{detail}: convert it with `tfds convert_format`")
    shards = []
    try:
        for split in info["splits"]:
            lengths = [int(length) for length in split.get("shardLengths", [])]
            first = 0
            for i, length in enumerate(lengths):
                shards.append(
                    Shard(str(split["name"]), folder / _file_name(info, split, i, len(lengths)), first, length)
                )
                first += length
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ForeignDatasetError(f"{folder / DATASET_INFO} does not list the shards: {error!r}") from None
    if any(shard.records < 0 for shard in shards) or sum(shard.records for shard in shards) > MAX_RECORDS:
        raise ForeignDatasetError(f"{folder / DATASET_INFO}: a shard has 0 records or more, all at most {MAX_RECORDS}")
    return shards


def _file_name(info: dict[str, Any], split: dict[str, Any], number: int, count: int) -> str:
    name = str(split.get("filepathTemplate") or DEFAULT_TEMPLATE)
    values = {
        "DATASET": str(info["name"]),
        "SPLIT": str(split["name"]),
        "FILEFORMAT": "tfrecord",
        "SHARD_INDEX": f"{number:05d}",
        "NUM_SHARDS": f"{count:05d}",
        "SHARD_X_OF_Y": f"{number:05d}-of-{count:05d}",
    }
    for key, value in values.items():
        name = name.replace(f"{{{key}}}", value)
    if "/" in name or "\\" in name or "{" in name:
        raise ValueError(f"the file name {name!r} leads out of the folder or has a part that is not known")
    return name


def records_of(shard: Shard) -> Iterator[Record]:
    """The records of a shard; those that are missing or damaged as the error to raise for them, so none is lost."""
    number = 0
    fault = UnimportableError("missing-record", f"{shard.path.name} ends before it")
    try:
        with shard.path.open("rb") as file:
            if file.read(2) == GZIP:
                raise BadRecordError(f"{shard.path.name} is compressed; unpack it and mend the file's name")
        for data in read_records(shard.path):
            yield Record(f"{shard.split}[{shard.first + number}]", data)
            number += 1
    except BadRecordError as error:
        fault = UnimportableError("bad-record", str(error).replace("; build the dataset again", ""))
    except OSError as error:
        fault = UnimportableError("missing-file", f"{shard.path.name}: {error.strerror}")
    for missing in range(number, shard.records):
        yield Record(f"{shard.split}[{shard.first + missing}]", fault)
