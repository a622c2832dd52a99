"""The part of a report that shows a dataset: its splits, what its actions look like, and the ledger of its build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.build.plots import spread
from dataset_builder.dataset import Dataset
from dataset_builder.rlds.records import decode_example
from dataset_builder.rlds.tfrecord import read_records
from dataset_builder.rules.splits import TRAIN
from dataset_builder.verify.check import Report as Verification
from recorder.inspection.episode_page import badge
from recorder.inspection.words import size
from teleloom.pages.bars import histogram
from teleloom.pages.markup import Html, join, section, table, tag


@dataclass(frozen=True)
class Actions:
    """The actions (N, D) of the train split, and all their tokens in a row."""

    values: NDArray[np.float64]
    tokens: NDArray[np.int64]


def dataset_section(dataset: Dataset, verification: Verification | None) -> Html:
    """The dataset at a glance. Raises BadRecordError or BadExampleError when its records cannot be read."""
    actions = _actions(dataset)
    name = f"{dataset.manifest.name} {dataset.manifest.version}"
    tokens = join(
        (
            tag("h3", "Action tokens"),
            tag("p", "How often each token of the codec occurs, all dimensions together.", class_="aside"),
            _token_histogram(actions.tokens),
        )
    )
    return section(
        f"The dataset: {name}",
        tag("div", _splits(dataset), _verified(verification), class_="columns"),
        tag("h3", "Actions", class_="apart"),
        tag(
            "p",
            "Distribution over the steps of the train split, square-root scale; dashed: q01 and q99.",
            class_="aside",
        ),
        _action_histograms(dataset, actions.values),
        tag("div", tag("div", tokens), _ledger(dataset.ledger), class_="columns"),
        note=dataset.manifest.description,
    )


def _actions(dataset: Dataset) -> Actions:
    width = len(dataset.tokeniser.statistics.mean)
    values = [np.empty((0, width))]
    for shard in dataset.shards():
        if shard.split == TRAIN:
            for data in read_records(dataset.path / shard.name):
                values.append(dataset.layout.recorded_action(decode_example(data)).astype(np.float64))
    tokens = [ids for _, steps in dataset.tokens(TRAIN) for ids in steps]
    return Actions(np.concatenate(values), np.concatenate([*tokens, np.empty(0, dtype=np.int64)]))


def _splits(dataset: Dataset) -> Html:
    emitted, weights = dataset.ledger["emitted"], dataset.num_bytes()
    rows = []
    for split in weights:
        steps = [entry["steps"] for entry in emitted if entry["split"] == split]
        rows.append((split, len(steps), sum(steps), size(weights[split])))
    return tag("div", tag("h3", "Splits"), table(("split", "episodes", "steps", "records"), rows, numeric=(1, 2, 3)))


def _verified(verification: Verification | None) -> Html:
    if verification is None:
        return Html("")
    word = badge("sound", "good") if verification.sound else badge("not sound", "bad")
    rows = [
        ("records read with our own reader", verification.records),
        ("images", verification.images),
        ("derived from their episodes again, byte for byte", verification.compared),
        ("read with TensorFlow Datasets", verification.read_by_tfds or "not read"),
    ]
    faults = [tag("p", fault, class_="why") for fault in (*verification.faults, *verification.notes)]
    return tag("div", tag("h3", "Verified ", word), table(("check", "count"), rows, numeric=(1,)), *faults)


def _action_histograms(dataset: Dataset, values: NDArray[np.float64]) -> Html:
    statistics = dataset.tokeniser.statistics
    charts = []
    for dimension, name in enumerate(dataset.metadata["action"]["names"]):
        marks = [(float(statistics.q01[dimension]), "q01"), (float(statistics.q99[dimension]), "q99")]
        shown = marks if statistics.mask[dimension] else []
        charts.append(tag("div", tag("p", name, class_="soft"), spread(values[:, dimension], shown)))
    return tag("div", *charts, class_="small-multiples")


def _token_histogram(tokens: NDArray[np.int64]) -> Html:
    if not tokens.size:
        return tag("p", "no tokens", class_="soft")
    low, high = int(tokens.min()), int(tokens.max())
    counts = np.bincount(tokens.ravel() - low, minlength=high - low + 1)
    return histogram(counts, np.arange(low, high + 2, dtype=np.float64), size=(560.0, 90.0))


def _ledger(ledger: Mapping[str, Any]) -> Html:
    counts = ledger["counts"]
    line = f"{counts['inputs']} inputs = {counts['emitted']} emitted + {counts['rejected']} rejected."
    rows = [(entry["reason"], tag("code", entry["episode_id"]), entry["detail"]) for entry in ledger["rejected"]]
    rejected = table(("rejected because", "episode", "detail"), rows) if rows else ""
    return tag("div", tag("h3", "Ledger"), tag("p", line, class_="aside"), rejected)
