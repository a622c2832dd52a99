"""From recorded actions to token ids and back: normalisation and codec, as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.codecs import Codec
from dataset_builder.normalisation.schemes import normalise_q99, unnormalise_q99
from dataset_builder.normalisation.statistics import Statistics


@dataclass(frozen=True)
class ActionTokeniser:
    """Token ids of raw actions. The float32 values of the record go in, so a reader gets the same ids from them."""

    codec: Codec
    statistics: Statistics

    def encode(self, actions: NDArray[np.float32]) -> NDArray[np.int32]:
        """Ids (T, D) of raw actions (T, D)."""
        return self.codec.encode(normalise_q99(actions, self.statistics))

    def decode(self, ids: ArrayLike) -> NDArray[np.float64]:
        """Raw actions (T, D) of ids (T, D), within half a bin where normalisation did not clip."""
        return unnormalise_q99(self.codec.decode(ids), self.statistics)
