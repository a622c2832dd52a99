"""Reading a dataset back with TensorFlow Datasets, as a training pipeline does."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from dataset_builder.dataset import Dataset
from dataset_builder.rlds.features import Image, flatten, from_json
from dataset_builder.rlds.records import Decoded, decode_example
from dataset_builder.rlds.tfrecord import read_records
from dataset_builder.verify.check import Report
from teleloom.extras import require

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Without these TensorFlow writes to standard error what is no error. oneDNN, which ignores the level, only computes,
and here nothing is computed."""


def verify_with_tfds(report: Report) -> None:
    """Load the dataset of `report` with `tfds.builder_from_directory` and add what differs to its faults.

    With TensorFlow installed every record is read, images undecoded, and compared with what our own reader gives;
    without it, features and splits alone. Raises MissingExtraError without tensorflow_datasets.
    TensorFlow's chatter is silenced, for this process, unless its environment variables are set.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    tfds = require("tensorflow_datasets", "tf")
    dataset = Dataset.open(report.path)
    builder = tfds.builder_from_directory(str(report.path))
    lengths: Counter[str] = Counter()
    for shard in dataset.shards():
        lengths[shard.split] += shard.records
    seen = {split: info.num_examples for split, info in builder.info.splits.items()}
    if seen != lengths:
        report.faults.append(f"tfds sees the splits {seen}, not {dict(lengths)}")
    json_format = require("google.protobuf.json_format", "tf")
    if dict(flatten(from_json(json_format.MessageToDict(builder.info.features.to_proto())))) != dataset.leaves:
        report.faults.append("tfds does not understand features.json as it was written")
    if find_spec("tensorflow") is None:
        report.notes.append("records not read with tfds; run: pip install 'teleloom[tf]'")
        return
    for split in lengths:
        report.faults += [f"tfds, {split}: {fault}" for fault in _record_faults(tfds, builder, dataset, split)]
        report.read_by_tfds += lengths[split]


def _record_faults(tfds: Any, builder: Any, dataset: Dataset, split: str) -> Iterator[str]:
    images = [key.split("/")[-1] for key, leaf in dataset.leaves.items() if isinstance(leaf, Image)]
    undecoded = {"steps": {"observation": {key: tfds.decode.SkipDecoding() for key in images}}}
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    theirs = iter(builder.as_dataset(split=split, decoders=undecoded, read_config=in_order))
    for shard in (shard for shard in dataset.shards() if shard.split == split):
        for name, data in zip(shard.episodes, read_records(dataset.path / shard.name), strict=True):
            episode = next(theirs, None)
            if episode is None:
                yield f"{name} is not there"
                continue
            flat = dict(_flatten({**episode, "steps": next(iter(episode["steps"].batch(2**31)))}))
            ours = decode_example(data)
            yield from (f"{name}: {key} differs" for key in ours if not _same(ours[key], flat.get(key)))
    if next(theirs, None) is not None:
        yield "there are more episodes than our records"


def _flatten(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, node in tree.items():
        if isinstance(node, dict):
            yield from _flatten(node, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", np.atleast_1d(node.numpy())


def _same(ours: Decoded, theirs: Any) -> bool:
    if theirs is None:
        return False
    return list(ours) == list(theirs) if isinstance(ours, list) else np.array_equal(ours, np.ravel(theirs))
