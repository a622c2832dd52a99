"""Where everything in a dataset's shards lies, so that any step of any episode costs one small read per image.

The records are walked once, through a memory map and without copying an image: positions and lengths of the images
and the numeric columns of every step go into columns on disk (`columns.py`). TensorFlow is not needed, nor a shuffle
buffer: a permutation of step numbers is as good a shuffle as there is.
"""

from __future__ import annotations

import io
import json
import mmap
import os
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.build import documents
from dataset_builder.dataset import Dataset, StoredShard
from dataset_builder.location import is_local
from dataset_builder.mixture.columns import Columns, ColumnWriter, Stamp, cached, stamp
from dataset_builder.rlds.features import Image
from dataset_builder.rlds.records import BadExampleError, Decoded, decode_feature, field_spans
from dataset_builder.rlds.tfrecord import FRAMING_BYTES, BadRecordError, masked_crc

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is."""

_SAID = ("steps/language_instruction", "steps/language_instruction_2", "steps/language_instruction_3")
# Of each dataset: many of them must stay below the 1024 files that a process may open. To open one takes 8 us.
_OPEN_FILES = 32
_HEADER = struct.Struct("<QI")


class UnusableDatasetError(ValueError):
    """A dataset that a mixture cannot draw from. The message names it, what is missing and what would help."""


class StepIndex:
    """The N steps of one split. `cameras` names its images, in the order of their keys. digest: of the columns, which
    belong to these very files. content: SHA-256 of the shards, the same for any copy of the dataset.

    actions: (N, D) float32 as recorded. weights: (N,) float32, 0 for the `unlabelled` steps without an instruction.
    ends: (N,) bool, where a policy should end the episode. firsts: (E + 1,) first step of each episode, then N. tasks:
    (E,) a number for each task.
    """

    def __init__(self, dataset: Dataset, split: str, digest: str, columns: Columns, stamps: list[Stamp]) -> None:
        """stamps: of the shards when their index was asked for."""
        self.dataset, self.split, self.digest = dataset, split, digest
        self.content = [shard.sha256 for shard in _shards(dataset, split)]
        self.cameras: tuple[str, ...] = tuple(columns.facts["cameras"])
        self.actions, self.weights, self.ends = columns["action"], columns["weight"], columns["ends"]
        self.firsts = columns["first"]
        self.tasks = columns["task"]
        self.unlabelled: int = columns.facts["unlabelled"]
        self._columns = columns
        self._files = _Files(dataset.path, stamps)

    def __len__(self) -> int:
        return len(self.actions)

    def shown(self, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
        """The cameras chosen, all by default. Raises UnusableDatasetError for one that is not there."""
        for camera in chosen or ():
            if camera not in self.cameras:
                there = ", ".join(self.cameras)
                raise UnusableDatasetError(f"{self.dataset.path} has no images '{camera}'; it has {there}")
        return chosen or self.cameras

    def episode(self, step: int) -> int:
        """The number of the episode that `step` belongs to."""
        return int(np.searchsorted(self.firsts, step, side="right")) - 1

    def ahead(self, step: int, count: int) -> NDArray[np.float32]:
        """The actions of `step` and those after it, (up to `count`, D), no further than its episode's end."""
        return self.actions[step : min(step + count, int(self.firsts[self.episode(step) + 1]))]

    def instructions(self, step: int) -> tuple[str, ...]:
        """Every way in which what is done at `step` was said: what the step's own keys say, and all paraphrases of the
        episode when that is one of them (review may have put another instruction on a part of an episode)."""
        own: list[str] = json.loads(self._columns.texts[self._columns["said"][step]])
        episode: list[str] = json.loads(self._columns.texts[self._columns["paraphrases"][self.episode(step)]])
        return tuple(dict.fromkeys([*own, *episode] if set(own) & set(episode) else own))

    def image(self, step: int, camera: str) -> bytes:
        """The image file of `camera` at `step`. Raises UnusableDatasetError when the shard changed underneath."""
        start = int(self._columns[f"start-{camera}"][step])
        size = int(self._columns[f"size-{camera}"][step])
        shard = int(self._columns["shard"][self.episode(step)])
        return self._files.read(shard, start, size)

    def step_of(self, episode_id: str, step: int) -> int:
        """The number of step `step` of an episode. Raises KeyError for an episode or a step that is not there."""
        episode = self._rows[episode_id]
        number = int(self.firsts[episode]) + step
        if not 0 <= step < int(self.firsts[episode + 1]) - int(self.firsts[episode]):
            raise KeyError(f"{episode_id} has no step {step}")
        return number

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self._columns["ids"].tobytes().decode().split("\n"))}


def open_index(path: Path, split: str, cache: Path, progress: Progress | None = None) -> StepIndex:
    """The index of a split of the dataset at `path`, made first where `cache` has none for its present content.

    Raises NotADatasetError for a folder that holds none, UnusableDatasetError for one without that split, actions or
    images, and BadRecordError for a damaged shard.
    """
    dataset = Dataset.open(path)
    if not is_local(dataset.path):
        raise UnusableDatasetError(
            f"{path} is not on this machine; copy it to a disk from which one can read at random"
        )
    shards = _shards(dataset, split)
    if not shards:
        there = ", ".join(sorted({shard.split for shard in dataset.shards()}))
        raise UnusableDatasetError(f"{path} has no split '{split}'; it has {there}")
    images = {key: key.rsplit("/", 1)[-1] for key, leaf in dataset.leaves.items() if isinstance(leaf, Image)}
    if not images:
        raise UnusableDatasetError(f"{path} has no images; a mixture needs at least one camera")
    inputs: list[bytes | str | int] = [split]
    for name in (documents.FEATURES, documents.DATASET_INFO, documents.LOCK):
        inputs.append((path / name).read_bytes())
    stamps = [stamp(path / shard.name) for shard in shards]
    for known in stamps:
        inputs += known

    def write(writer: ColumnWriter) -> None:
        _write(writer, dataset, shards, images, progress)

    return StepIndex(dataset, split, *cached(cache, inputs, write), stamps)


def _shards(dataset: Dataset, split: str) -> list[StoredShard]:
    return [shard for shard in dataset.shards() if shard.split == split]


def _write(
    writer: ColumnWriter,
    dataset: Dataset,
    shards: list[StoredShard],
    images: Mapping[str, str],
    progress: Progress | None,
) -> None:
    sizes = [(dataset.path / shard.name).stat().st_size for shard in shards]
    step = unlabelled = 0
    for number, shard in enumerate(shards):
        path = dataset.path / shard.name
        if not sizes[number]:
            raise BadRecordError(f"{path}: is empty; build the dataset again")
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as data,
        ):
            records = list(_records(data, path))
            # A file that was cut between two records is sound in itself.
            if len(records) != shard.records:
                raise BadRecordError(
                    f"{path}: holds {len(records)} of its {shard.records} records; build the dataset again"
                )
            for start, stop in records:
                record = _Record(data, start, stop, images, path)
                steps, without = _write_episode(writer, record, dataset, images, step)
                identity = record.texts("episode_metadata/episode_id", 1)[0].encode()
                writer.add("ids", np.frombuffer(b"\n" * (step > 0) + identity, dtype=np.uint8), "uint8")
                writer.add("shard", [number], "int32")
                step, unlabelled = step + steps, unlabelled + without
                if progress is not None:
                    progress(f"Indexing {dataset.manifest.name}", sum(sizes[:number]) + stop, sum(sizes))
    writer.add("first", [step], "int64")
    writer.finish(cameras=sorted(images.values()), unlabelled=unlabelled)


def _write_episode(
    writer: ColumnWriter, record: _Record, dataset: Dataset, images: Mapping[str, str], first: int
) -> tuple[int, int]:
    """Append the steps of one record. Returns how many there are, and how many of them have no instruction: those get
    weight 0."""
    actions = dataset.layout.recorded_action(record.values)
    steps = len(actions)
    weight = record.numbers("episode_metadata/weight", 1, 1.0)
    own = [[text for text in row if text] for row in zip(*(record.texts(key, steps) for key in _SAID), strict=True)]
    spoken = record.texts("episode_metadata/instructions", 1)[0] or "[]"
    task = record.texts("episode_metadata/task", 1)[0] or "".join(own[0][:1])
    last = record.numbers("steps/is_last", steps, 0.0)
    writer.add("action", actions, "float32")
    labelled = np.array([bool(texts) for texts in own])
    writer.add("weight", record.numbers("steps/weight", steps, weight) * labelled, "float32")
    writer.add("ends", record.numbers("steps/is_terminal", steps, last), "bool")
    writer.add("said", [writer.text(json.dumps(list(dict.fromkeys(texts)))) for texts in own], "int32")
    writer.add("first", [first], "int64")
    writer.add("paraphrases", [writer.text(spoken)], "int32")
    writer.add("task", [writer.text(task)], "int32")
    for key, camera in images.items():
        spans = record.images[key]
        if len(spans) != steps:
            raise UnusableDatasetError(f"{record.where}: {len(spans)} images '{camera}' for {steps} steps")
        writer.add(f"start-{camera}", spans[:, 0], "int64")
        writer.add(f"size-{camera}", spans[:, 1] - spans[:, 0], "int32")
    return steps, steps - int(labelled.sum())


class _Record:
    """A serialised Example at data[start:stop]. values: all its features but the images. images: (T, 2) where in the
    file each of them begins and ends, by key."""

    def __init__(self, data: memoryview, start: int, stop: int, images: Collection[str], path: Path) -> None:
        self.where = f"{path}, record at byte {start}"
        self.values: dict[str, Decoded] = {}
        self.images = {key: np.empty((0, 2), dtype=np.int64) for key in images}
        try:
            for _, features, features_stop in field_spans(data, start, stop):
                for _, entry, entry_stop in field_spans(data, features, features_stop):
                    (_, key, key_stop), (_, feature, feature_stop) = field_spans(data, entry, entry_stop)
                    name = bytes(data[key:key_stop]).decode()
                    if name in self.images:
                        ((_, body, body_stop),) = field_spans(data, feature, feature_stop)
                        spans = [span[1:] for span in field_spans(data, body, body_stop)]
                        self.images[name] = np.array(spans, dtype=np.int64).reshape(-1, 2)
                    else:
                        self.values[name] = decode_feature(data[feature:feature_stop])
        except (ValueError, IndexError) as error:
            raise BadExampleError(f"{self.where}: not a tf.train.Example: {error}") from None

    def numbers(self, key: str, count: int, default: ArrayLike) -> NDArray[Any]:
        """`count` numbers; `default` where the record has none."""
        values = self.values.get(key)
        if values is None:
            return np.broadcast_to(np.asarray(default), (count,))
        if isinstance(values, list) or len(values) != count:
            raise UnusableDatasetError(f"{self.where}: '{key}' holds {len(values)} values, not {count} numbers")
        return values

    def texts(self, key: str, count: int) -> list[str]:
        """`count` texts; empty ones where the record has none."""
        values = self.values.get(key)
        if values is None:
            return [""] * count
        if len(values) != count:
            raise UnusableDatasetError(f"{self.where}: '{key}' holds {len(values)} values, not {count} texts")
        return [text.decode() for text in values]


def _records(data: memoryview, path: Path) -> Iterator[tuple[int, int]]:
    """Start and end of each record. The length fields are checked; the content is `teleloom verify`'s business."""
    position = 0
    while position < len(data):
        header = bytes(data[position : position + _HEADER.size])
        length, crc = _HEADER.unpack(header) if len(header) == _HEADER.size else (0, None)
        stop = position + _HEADER.size + length
        if crc != masked_crc(header[:8]) or position + FRAMING_BYTES + length > len(data):
            raise BadRecordError(f"{path}: damaged at byte {position}; build the dataset again")
        yield position + _HEADER.size, stop
        position += FRAMING_BYTES + length


class _Files:
    """Reads images out of shards with few of them open, from any thread and, as it holds no lock, after any fork.

    A file that is no longer the one of its stamp is refused. One that was replaced after it was opened is read on as
    it was, which is what the index knows.
    """

    def __init__(self, folder: Path, stamps: list[Stamp]) -> None:
        self._folder, self._stamps = folder, stamps
        # One that falls out is closed when the last thread that reads from it has done so.
        self._file = lru_cache(maxsize=_OPEN_FILES)(self._opened)

    def read(self, number: int, start: int, size: int) -> bytes:
        """Raises UnusableDatasetError when the shard changed underneath."""
        data = os.pread(self._file(number).fileno(), size, start)
        if len(data) != size or data[:2] != b"\xff\xd8":
            raise self._changed(number)
        return data

    def _opened(self, number: int) -> io.FileIO:
        try:
            file = io.FileIO(self._folder / self._stamps[number][0])
        except FileNotFoundError:
            raise self._changed(number) from None
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != self._stamps[number][1:]:
            raise self._changed(number)
        return file

    def _changed(self, number: int) -> UnusableDatasetError:
        path = self._folder / self._stamps[number][0]
        return UnusableDatasetError(f"{path} changed since the mixture was opened; open it again")
