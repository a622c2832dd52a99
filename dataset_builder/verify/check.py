"""Verifying a dataset: read it all back and hold it against its documents and its source.

Everything is checked with this package's own reader: checksums, keys, shapes, counts, flags, tokens and statistics.
Where the source episodes can be reached, each record is derived from them once more, as the lock pins them, and every
feature must be the same, images byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from dataset_builder.build.documents import pinned_candidate
from dataset_builder.build.shards import record_features
from dataset_builder.dataset import Dataset
from dataset_builder.layouts import get_layout
from dataset_builder.ledger import Ledger, LedgerImbalanceError
from dataset_builder.normalisation.statistics import statistics_document
from dataset_builder.rlds.features import Image
from dataset_builder.rlds.records import BadExampleError, Decoded, decode_example
from dataset_builder.rlds.tfrecord import BadRecordError, read_records
from dataset_builder.source.candidates import UnfitEpisodeError
from dataset_builder.source.splits import TRAIN
from dataset_builder.source.trajectory import read_trajectory
from dataset_builder.verify.inspection import record_faults, step_count, token_faults
from teleloom.episode.reader import BadEpisodeError, EpisodeReader

Record = Mapping[str, Decoded]


@dataclass
class Report:
    """faults: one sentence each; none means that the dataset is sound. notes: what could not be checked.

    compared: records that were derived from their source again. read_by_tfds: records read with TensorFlow Datasets.
    """

    path: Path
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    records: int = 0
    steps: int = 0
    images: int = 0
    compared: int = 0
    read_by_tfds: int = 0

    @property
    def sound(self) -> bool:
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path), "sound": self.sound}


def verify_dataset(path: Path, source: Path | None = None) -> Report:
    """Check the dataset in folder `path` in full, without TensorFlow.

    source: the station's root with the episodes; by default where the lock says. Raises NotADatasetError when the
    documents that everything else is held against are missing or foreign.
    """
    dataset = Dataset.open(path)
    root = source or (path / dataset.source).resolve()
    report = Report(path)
    pins = {pin["episode_id"]: pin for pin in dataset.lock["episodes"]}
    emitted: list[dict[str, Any]] = []
    train: list[tuple[np.ndarray, np.ndarray]] = []
    for split, shard, record in _records(dataset, report):
        report.records += 1
        report.steps += step_count(record)
        faults = list(record_faults(record, dataset.leaves))
        episode = _text(record, "episode_metadata/episode_id")
        if not faults:
            report.images += sum(isinstance(leaf, Image) for leaf in dataset.leaves.values()) * step_count(record)
            faults = [*token_faults(record, dataset.tokeniser), *_source_faults(record, dataset, pins, root, report)]
            emitted.append({"episode_id": episode, "split": split, "shard": shard, "steps": step_count(record)})
            if split == TRAIN:
                train.append((_rows(record, "steps/action"), _rows(record, "steps/observation/state")))
        report.faults += [f"{shard}, episode {episode}: {fault}" for fault in faults]
    report.faults += _ledger_faults(dataset.ledger, emitted)
    if not train:
        report.faults.append("the train split has no sound record")
    elif not report.faults:
        _, statistics = statistics_document(dataset.manifest.name, *zip(*train, strict=True))
        if statistics != dataset.statistics:
            report.faults.append("dataset_statistics.json is not what the train split gives")
    if report.compared < report.records:
        missing = report.records - report.compared
        report.notes.append(f"{missing} records not compared with their episodes; give --episodes STATION_ROOT")
    return report


def _records(dataset: Dataset, report: Report) -> Iterator[tuple[str, str, Record]]:
    """Split, shard and features of each record, noting damage and wrong counts in the report."""
    listed = dataset.shards()
    stray = {path.name for path in dataset.path.glob("*.tfrecord*")} - {name for _, name, _ in listed}
    report.faults += [f"{name} is not listed in dataset_info.json" for name in sorted(stray)]
    sizes: Counter[str] = Counter()
    for split, name, length in listed:
        count = 0
        try:
            for data in read_records(dataset.path / name):
                count += 1
                sizes[split] += len(data)
                yield split, name, decode_example(data)
        except (BadRecordError, BadExampleError, OSError) as error:
            report.faults.append(f"{name}, record {count}: {error}")
            continue
        if count != length:
            report.faults.append(f"{name} holds {count} records; dataset_info.json says {length}")
    if not report.faults and sizes != dataset.num_bytes():
        report.faults.append(f"records weigh {dict(sizes)} bytes; dataset_info.json says {dataset.num_bytes()}")


def _source_faults(
    record: Record, dataset: Dataset, pins: Mapping[str, Any], root: Path, report: Report
) -> Iterator[str]:
    pin = pins.get(_text(record, "episode_metadata/episode_id"))
    if pin is None:
        yield "build.lock.json does not pin it"
        return
    candidate = pinned_candidate(pin, root)
    if not candidate.path.exists():
        return
    report.compared += 1
    try:
        with EpisodeReader(candidate.path) as reader:
            if reader.content_hash() != candidate.content_hash:
                yield f"{candidate.file_path} is no longer the episode that was built"
                return
            trajectory = read_trajectory(reader, candidate, dataset.manifest)
        layout = get_layout(dataset.manifest.preset, dataset.manifest.action)
        expected = record_features(trajectory, layout, dataset.tokeniser)
    except (BadEpisodeError, UnfitEpisodeError) as error:
        yield f"its source cannot be used any more: {error}"
        return
    for key, values in sorted(expected.items()):
        if not _same(record[key], values):
            yield f"{key} differs from what {candidate.file_path} gives"


def _same(recorded: Any, expected: Any) -> bool:
    if isinstance(recorded, list):
        return recorded == list(expected)
    return np.array_equal(recorded, np.ravel(expected))


def _ledger_faults(ledger: Mapping[str, Any], found: list[dict[str, Any]]) -> Iterator[str]:
    try:
        if Ledger.from_json(ledger).to_json() != ledger:
            yield "ledger.json counts something else than it lists"
    except LedgerImbalanceError as error:
        yield f"ledger.json does not balance: {error}"
    if any(not entry["reason"] for entry in ledger["rejected"]):
        yield "ledger.json rejects an episode without a reason"
    if sorted(found, key=itemgetter("episode_id")) != ledger["emitted"]:
        yield "ledger.json does not list the records that are there"


def _rows(record: Record, key: str) -> np.ndarray:
    return np.asarray(record[key]).reshape(step_count(record), -1)


def _text(record: Record, key: str) -> str:
    values = record.get(key)
    return bytes(values[0]).decode(errors="replace") if isinstance(values, list) and values else "(unnamed)"
