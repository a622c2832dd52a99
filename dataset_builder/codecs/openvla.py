"""OpenVLA's action tokens: 256 uniform bins placed on the last 256 ids of the language model's vocabulary.

Source: `ActionTokenizer` of OpenVLA (Kim et al. 2024). It places 256 edges on [-1, 1] and so has 255 bin centres; the
256th token, which only an action of exactly +1 gets, decodes to the last centre. Both directions are float64: in
float32, 127 of the edges fall into the neighbouring bin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.codecs.binned import BinnedCodec, UniformBins
from dataset_builder.codecs.vocabulary import Placement

BINS = 256
LLAMA_2 = 32000


class OpenVlaCodec(BinnedCodec):
    """One token per action dimension: id = vocab_size - digitize(action), which counts from 1.

    vocab_size: size of the tokenizer's vocabulary without padding, 32000 (Llama 2) unless said. placement: other ids
    than the last, in its place.
    """

    name = "openvla"

    def __init__(self, vocab_size: int | None = None, placement: Mapping[str, Any] | None = None) -> None:
        if vocab_size is not None and placement is not None:
            raise ValueError("vocab_size and placement both say where the tokens lie; give one")
        self._vocab_size = LLAMA_2 if vocab_size is None else vocab_size
        last = {"name": "last", "vocab_size": self._vocab_size}
        edges = np.linspace(-1.0, 1.0, BINS)
        centers = (edges[:-1] + edges[1:]) / 2.0
        super().__init__(
            np.append(centers, centers[-1]),
            Placement(last if placement is None else placement, BINS),
        )
        self._uniform = UniformBins(edges)

    @property
    def options(self) -> dict[str, Any]:
        data = self.placement.data
        if data == {"name": "last", "vocab_size": self._vocab_size}:
            return {"vocab_size": self._vocab_size}
        # The bins themselves have no data, and here no placement means the last ids.
        return {"placement": {"name": "bins", "ids": self.placement.ids.tolist()} if data is None else data}

    @property
    def bound(self) -> float:
        return 1.0 / (BINS - 1)

    def bins(self, values: NDArray[np.float64]) -> NDArray[np.int32]:
        return self._uniform.above(np.clip(values, -1.0, 1.0)) - 1
