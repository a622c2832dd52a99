"""openpi's discretisation: 256 bins of [-1, 1], written as integers into the prompt.

Source: `PaligemmaTokenizer` and `FASTTokenizer` of openpi (Physical Intelligence 2025):
`digitize(x, linspace(-1, 1, 257)[:-1]) - 1`. openpi puts the robot's state into the prompt this way; its actions are
FAST tokens (codec `fast`). A bin decodes to its lower edge, the one value that its integer writes exactly. Values
below -1, which openpi writes as -1, get bin 0, as every id must decode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.codecs.binned import BinnedCodec, UniformBins
from dataset_builder.codecs.vocabulary import Placement

BINS = 256


class OpenPiCodec(BinnedCodec):
    """One token per dimension. placement: where the tokens lie; by default they are the bins themselves."""

    name = "openpi"

    def __init__(self, placement: Mapping[str, Any] | None = None) -> None:
        edges = np.linspace(-1.0, 1.0, BINS + 1)[:-1]
        super().__init__(edges, Placement(placement, BINS))
        self._uniform = UniformBins(edges)
        self._highest = float(edges[-1])

    @property
    def options(self) -> dict[str, Any]:
        return {"placement": self.placement.data}

    @property
    def bound(self) -> float:
        return 2.0 / BINS

    def bins(self, values: NDArray[np.float64]) -> NDArray[np.int32]:
        return self._uniform.above(np.clip(values, -1.0, self._highest)) - 1

    def prompt(self, task: str, state: ArrayLike) -> str:
        """The prompt of pi0-FAST for a normalised state (P,); the action's tokens and `|` follow it.

        Raises InvalidActionError for a state that is not finite.
        """
        written = " ".join(str(symbol) for symbol in self.placement.symbols_of(self.encode(state)).tolist())
        return f"Task: {task.strip().lower().replace('_', ' ')}, State: {written};\nAction: "
