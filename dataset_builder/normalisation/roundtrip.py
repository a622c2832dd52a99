"""What tokens cost, in the units of the robot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_builder.normalisation.schemes import unclipped
from dataset_builder.normalisation.tokeniser import ActionTokeniser

Array = NDArray[np.float64]


@dataclass(frozen=True)
class QuantisationError:
    """Per dimension (D,), in the action's own units.

    mean, maximum: how far a value came back from where it was, of those within the range of normalisation. clipped:
    the share of values beyond it, 0 to 1. worst: as maximum, of all values.
    """

    mean: Array
    maximum: Array
    clipped: Array
    worst: Array


def quantisation_error(tokeniser: ActionTokeniser, actions: Sequence[NDArray[np.float32]]) -> QuantisationError:
    """Encode and decode the raw actions (T, D) of some episodes and compare. A codec of chunks is tried on chunks one
    after another, each value once, as far as an episode's steps fill them; the rest of the last is held.

    Raises ValueError when there are no steps.
    """
    width = len(tokeniser.statistics.mean)
    total, most, worst = np.zeros(width), np.zeros(width), np.zeros(width)
    inside, steps = np.zeros(width, dtype=np.int64), 0
    for episode in actions:
        raw = np.asarray(episode, dtype=np.float64)
        error = np.abs(_restored(tokeniser, episode) - raw)
        within = np.abs(unclipped(raw, tokeniser.statistics, tokeniser.scheme)) <= 1.0
        kept = np.where(within, error, 0.0)
        total += kept.sum(axis=0)
        inside += within.sum(axis=0)
        steps += len(raw)
        most = np.maximum(most, kept.max(axis=0, initial=0.0))
        worst = np.maximum(worst, error.max(axis=0, initial=0.0))
    if not steps:
        raise ValueError("the error of tokens is measured on at least one step")
    return QuantisationError(total / np.maximum(inside, 1), most, 1.0 - inside / steps, worst)


def _restored(tokeniser: ActionTokeniser, actions: NDArray[np.float32]) -> Array:
    if not tokeniser.codec.chunked:
        return tokeniser.decode(tokeniser.encode_steps(actions))
    length = tokeniser.semantics.chunk_length
    starts = tokeniser.chunks(actions)[::length]
    whole = np.concatenate([tokeniser.decode(tokeniser.codec.encode(chunk)) for chunk in starts])
    return whole[: len(actions)]
