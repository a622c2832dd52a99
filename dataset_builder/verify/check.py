"""Verifying a dataset: read it all back and hold it against its documents and its source.

Everything is checked with this package's own reader: checksums, keys, shapes, counts, flags, tokens, statistics and
splits. Where the source episodes can be reached, each record is derived from them once more, as the lock pins them, and
every feature must be the same, images byte for byte.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from dataset_builder.build import documents
from dataset_builder.build.numbers import Numbers
from dataset_builder.build.shards import IN_RECORDS, read_episode, record_features, resized
from dataset_builder.build.tokens import Ids, tokens_file
from dataset_builder.build.work import pinned_candidate
from dataset_builder.dataset import Dataset, StoredShard
from dataset_builder.ledger import Ledger, LedgerImbalanceError, UnfitEpisodeError
from dataset_builder.location import is_local, location
from dataset_builder.questions.question import to_jsonl
from dataset_builder.rlds.features import Image
from dataset_builder.rlds.records import BadExampleError, Decoded, decode_example
from dataset_builder.rlds.tfrecord import BadRecordError, read_records
from dataset_builder.rules.splits import TRAIN, LeakError, Placed, check_leaks
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
        return {**vars(self), "path": str(self.path), "sound": self.sound}


def verify_dataset(path: Path | str, source: Path | None = None) -> Report:
    """Check the dataset in the folder or at the URL `path` in full, without TensorFlow.

    source: the station's root with the episodes; by default where the lock says. Raises NotADatasetError when the
    documents that everything else is held against are missing or foreign.
    """
    return _Verification(Dataset.open(location(path)), source).run()


class _Verification:
    """One run over a dataset, and what it has found so far."""

    def __init__(self, dataset: Dataset, source: Path | None) -> None:
        self.dataset = dataset
        self.report = Report(dataset.path)
        self.root = source
        if source is None and dataset.source and is_local(dataset.path):
            self.root = (dataset.path / dataset.source).resolve()
        self.pins = {pin["episode_id"]: pin for pin in dataset.lock["episodes"]}
        self.tokens = {split: self._tokens(split) for split in dataset.num_bytes()}
        self.actions: list[np.ndarray] = []
        self.proprios: list[np.ndarray] = []
        self.emitted: list[dict[str, Any]] = []
        self.questions: dict[str, list[bytes]] = {split: [] for split in dataset.num_bytes()}
        self.plans: dict[str, list[bytes]] = {split: [] for split in dataset.num_bytes()}

    def run(self) -> Report:
        report = self.report
        image_keys = sum(isinstance(leaf, Image) for leaf in self.dataset.leaves.values())
        for shard, place, record in self._records():
            report.records += 1
            report.steps += step_count(record)
            episode = shard.episodes[place] if place < len(shard.episodes) else "(unknown)"
            faults = list(record_faults(record, self.dataset.leaves))
            tokens = next(self.tokens[shard.split], None)
            if not faults:
                report.images += image_keys * step_count(record)
                faults = [*self._record_faults(record, episode, shard.split, tokens)]
                self._note(record, episode, shard)
            report.faults += [f"{shard.name}, episode {episode}: {fault}" for fault in faults]
        report.faults += self._document_faults()
        if not report.faults:
            report.faults += self._derived_faults()
        if report.compared < report.records:
            missing = report.records - report.compared
            report.notes.append(f"{missing} records not compared with their episodes; give --episodes STATION_ROOT")
        return report

    def _records(self) -> Iterator[tuple[StoredShard, int, Record]]:
        """Shard, place in it and features of each record, noting damage and wrong counts in the report."""
        dataset, report = self.dataset, self.report
        listed = dataset.shards()
        allowed = {shard.name for shard in listed} | {tokens_file(split) for split in dataset.num_bytes()}
        stray = {path.name for path in dataset.path.iterdir() if ".tfrecord" in path.name} - allowed
        report.faults += [f"{name} is not listed in dataset_info.json" for name in sorted(stray)]
        sizes: Counter[str] = Counter()
        for shard in listed:
            count, digest = 0, hashlib.sha256()
            try:
                for data in read_records(dataset.path / shard.name, digest.update):
                    sizes[shard.split] += len(data)
                    yield shard, count, decode_example(data)
                    count += 1
            except (BadRecordError, BadExampleError, OSError) as error:
                report.faults.append(f"{shard.name}, record {count}: {error}")
                continue
            if count != shard.records:
                report.faults.append(f"{shard.name} holds {count} records; dataset_info.json says {shard.records}")
            elif digest.hexdigest() != shard.sha256:
                report.faults.append(f"{shard.name} is not the file that was built: its SHA-256 differs from the lock")
        if not report.faults and sizes != dataset.num_bytes():
            report.faults.append(f"records weigh {dict(sizes)} bytes; dataset_info.json says {dataset.num_bytes()}")

    def _tokens(self, split: str) -> Iterator[tuple[str, Ids]]:
        try:
            yield from self.dataset.tokens(split)
        except (OSError, BadRecordError, BadExampleError) as error:
            self.report.faults.append(f"{tokens_file(split)}: {error}")

    def _record_faults(self, record: Record, episode: str, split: str, tokens: tuple[str, Ids] | None) -> Iterator[str]:
        pin = self.pins.get(episode)
        said = record.get("episode_metadata/episode_id")
        if pin is None or (said is not None and bytes(said[0]).decode(errors="replace") != episode):
            yield "build.lock.json does not pin it here"
            return
        if tokens is None or tokens[0] != episode:
            yield f"{tokens_file(split)} does not hold its tokens in its place"
        else:
            in_record = record.get(IN_RECORDS)
            action = self.dataset.layout.recorded_action(record)
            yield from token_faults(action, tokens[1], in_record, self.dataset.tokeniser)
        yield from self._source_faults(record, pin, split)

    def _source_faults(self, record: Record, pin: Mapping[str, Any], split: str) -> Iterator[str]:
        """What differs from the record that the source episode gives, where that can be reached."""
        if self.root is None:
            return
        dataset = self.dataset
        candidate = pinned_candidate(pin, self.root)
        if not candidate.path.exists():
            return
        self.report.compared += 1
        try:
            with EpisodeReader(candidate.path) as reader:
                if reader.content_hash() != candidate.content_hash:
                    yield f"{candidate.file_path} is no longer the episode that was built"
                    return
            read = read_episode(candidate, dataset.manifest)
            images = resized(read.images, dataset.manifest)
        except (BadEpisodeError, UnfitEpisodeError) as error:
            yield f"its source cannot be used any more: {error}"
            return
        tokeniser = dataset.tokeniser if dataset.manifest.codec.in_records else None
        expected = record_features(read.trajectory, images, dataset.layout, tokeniser)
        for key, values in sorted(expected.items()):
            if not _same(record[key], values):
                yield f"{key} differs from what {candidate.file_path} gives"
        self.questions[split].append(to_jsonl(read.questions))
        self.plans[split].append(to_jsonl(read.plans))

    def _note(self, record: Record, episode: str, shard: StoredShard) -> None:
        """Keep of a record what is to be held against the documents in the end."""
        entry = {"episode_id": episode, "split": shard.split, "shard": shard.name, "steps": step_count(record)}
        self.emitted.append(entry)
        if shard.split == TRAIN:
            self.actions.append(self.dataset.layout.recorded_action(record))
            self.proprios.append(self.dataset.layout.recorded_proprio(record))

    def _document_faults(self) -> Iterator[str]:
        ledger = self.dataset.ledger
        try:
            if Ledger.from_json(ledger).to_json() != ledger:
                yield "ledger.json counts something else than it lists"
        except LedgerImbalanceError as error:
            yield f"ledger.json does not balance: {error}"
        if any(not entry["reason"] for entry in ledger["rejected"]):
            yield "ledger.json rejects an episode without a reason"
        listed = [{key: entry[key] for key in ("episode_id", "split", "shard", "steps")} for entry in ledger["emitted"]]
        if sorted(self.emitted, key=itemgetter("episode_id")) != listed:
            yield "ledger.json does not list the records that are there"
        try:
            keys = ("episode_id", "split", "group", "content_hash")
            check_leaks(Placed(*(str(pin[key]) for key in keys)) for pin in self.pins.values())
        except LeakError as error:
            yield f"build.lock.json: {error}"
        if not self.actions:
            yield "the train split has no sound record"
        for split, rest in self.tokens.items():
            if next(rest, None) is not None:
                yield f"{tokens_file(split)} holds more episodes than its split"

    def _derived_faults(self) -> Iterator[str]:
        """Whether what follows from the records is what the documents say."""
        dataset, name = self.dataset, self.dataset.manifest.name
        numbers = Numbers.of_arrays(self.actions, self.proprios, dataset.manifest, len(dataset.metadata["joint_names"]))
        for file, document in numbers.documents(name).items():
            if dataset.document(file) != document:
                yield f"{file} is not what the train split gives"
        if dataset.metadata["statistics_key"] != numbers.key:
            yield "metadata.json has another statistics_key than the train split gives"
        shas = [(shard.split, shard.sha256) for shard in dataset.shards()]
        if documents.content_digest(shas) not in dataset.info["description"]:
            yield "dataset_info.json has another digest of the content than the shards give"
        if self.report.compared == self.report.records:
            for split in self.questions:
                yield from self._made_faults(documents.questions_file(split), self.questions[split])
                yield from self._made_faults(documents.plans_file(split), self.plans[split])

    def _made_faults(self, name: str, expected: list[bytes]) -> Iterator[str]:
        file = self.dataset.path / name
        if (file.read_bytes() if file.exists() else b"") != b"".join(expected):
            yield f"{name} is not what the episodes give"


def _same(recorded: Any, expected: Any) -> bool:
    if isinstance(recorded, list):
        return recorded == list(expected)
    return np.array_equal(recorded, np.ravel(expected))
