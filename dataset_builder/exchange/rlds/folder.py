"""The files of an RLDS dataset: its two documents, and its records shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.exchange.importing.dataset import ForeignDatasetError
from dataset_builder.exchange.importing.episode import UnimportableError
from dataset_builder.rlds.tfrecord import BadRecordError, read_records

FEATURES = "features.json"
DATASET_INFO = "dataset_info.json"
METADATA = "metadata.json"
DEFAULT_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
LEVELS_BELOW = 2
MAX_LOOKED_AT = 1_000
"""Folders of a level that are looked into before a tree is held to be something else."""

COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
"""By how a file begins. A sound TFRecord can begin so too, as a record's length is what stands there."""

PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")

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


def dataset_folders(path: Path) -> list[Path]:
    """The folders with the two documents: `path`, else those below it, as TFDS lays out versions and configs."""
    if _is_dataset(path):
        return [path]
    if not path.is_dir():
        return []
    found: list[Path] = []
    level = [path]
    for _ in range(LEVELS_BELOW):
        level = [folder for above in level for folder in sorted(above.iterdir()) if folder.is_dir()][:MAX_LOOKED_AT]
        found += [folder for folder in level if _is_dataset(folder)]
        level = [folder for folder in level if folder not in found]
    return found


def _is_dataset(path: Path) -> bool:
    return (path / FEATURES).is_file() and (path / DATASET_INFO).is_file()


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
            if not lengths and int(split.get("numBytes") or 0):
                raise ValueError(f"split {split['name']} has no shardLengths; write it again with a newer TFDS")
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
        for data in read_records(shard.path):
            yield Record(f"{shard.split}[{shard.first + number}]", data)
            number += 1
    except BadRecordError as error:
        packed = None if number else _packed(shard.path)
        detail = str(error).replace("; build the dataset again", "")
        if packed is not None:
            detail = f"{shard.path.name} is compressed ({packed}); unpack it under the same name"
        fault = UnimportableError("bad-record", detail)
    except OSError as error:
        beside = [suffix for suffix in PACKED_SUFFIXES if shard.path.with_name(shard.path.name + suffix).exists()]
        hint = f"; unpack {shard.path.name}{beside[0]}" if beside else ""
        fault = UnimportableError("missing-file", f"{shard.path.name}: {error.strerror}{hint}")
    for missing in range(number, shard.records):
        yield Record(f"{shard.split}[{shard.first + missing}]", fault)


def _packed(path: Path) -> str | None:
    """The compression of a file, by how it begins."""
    with path.open("rb") as file:
        head = file.read(8)
    return next((name for magic, name in COMPRESSED.items() if head.startswith(magic)), None)
