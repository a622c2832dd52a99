"""The plots of a dataset card: SVG, the same for the same data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dataset_builder.build.plan import Shard
from dataset_builder.normalisation.statistics import Statistics
from dataset_builder.rules.splits import TRAIN
from teleloom.pages.bars import histogram
from teleloom.pages.markup import Html
from teleloom.pages.pictures import small_multiples

ACTIONS_PICTURE = "card-actions.svg"
LENGTHS_PICTURE = "card-lengths.svg"
BINS = 48


def actions_picture(shards: Sequence[Shard], names: Sequence[str], action: Statistics) -> str:
    """How the values of each action dimension are spread over the train split, with q01 and q99 where it is scaled."""
    values = np.concatenate([e.action for shard in shards if shard.split == TRAIN for e in shard.episodes])
    charts = []
    for i, name in enumerate(names):
        marks = [(float(action.q01[i]), "q01"), (float(action.q99[i]), "q99")] if action.mask[i] else []
        charts.append((name, spread(values[:, i].astype(np.float64), marks)))
    return small_multiples(charts)


def lengths_picture(shards: Sequence[Shard]) -> str:
    """How long the episodes of each split are, in seconds."""
    charts = []
    for split in dict.fromkeys(shard.split for shard in shards):
        own = [e for shard in shards if shard.split == split for e in shard.episodes]
        seconds = np.array([len(episode) / episode.rate_hz for episode in own])
        charts.append((f"{split}: seconds an episode", spread(seconds)))
    return small_multiples(charts)


def spread(values: np.ndarray, marks: Sequence[tuple[float, str]] = ()) -> Html:
    """A histogram of `values` (N,) over their range; where that is a point, over half of one to either side."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.0 if high > low else 0.5
    counts, edges = np.histogram(values, BINS, (low - margin, high + margin))
    return histogram(counts, edges, marks)
