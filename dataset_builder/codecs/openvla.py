"""OpenVLA's action tokens: 256 uniform bins placed on the last 256 ids of the language model's vocabulary.

Source: `ActionTokenizer` of OpenVLA (Kim et al. 2024). It places 256 edges on [-1, 1] and so has 255 bin centres; the
256th token, which only an action of exactly +1 gets, decodes to the last centre. Both directions are float64: in
float32, 127 of the edges fall into the neighbouring bin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.codecs.contract import InvalidActionError, InvalidTokenError

BINS = 256


class OpenVlaCodec:
    """One token per action dimension: id = vocab_size - bin, with bins counted from 1.

    vocab_size: size of the tokenizer's vocabulary without padding, 32000 for Llama 2.
    """

    name = "openvla"
    version = "1"

    def __init__(self, vocab_size: int = 32000) -> None:
        if vocab_size < BINS:
            raise ValueError(f"openvla codec: vocab_size {vocab_size} has no room for {BINS} action tokens")
        self.vocab_size = vocab_size
        self._edges = np.linspace(-1.0, 1.0, BINS)
        self._edges_to_infinity = np.append(self._edges, np.inf)
        self._centers = (self._edges[:-1] + self._edges[1:]) / 2.0

    @property
    def options(self) -> dict[str, Any]:
        return {"vocab_size": self.vocab_size}

    def encode(self, actions: ArrayLike) -> NDArray[np.int32]:
        values = np.asarray(actions, dtype=np.float64)
        if not np.isfinite(values).all():
            position = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise InvalidActionError(f"action at {position} is {values[position]}; only finite values can be encoded")
        return (self.vocab_size - self._bins(np.clip(values, -1.0, 1.0))).astype(np.int32)

    def decode(self, ids: ArrayLike) -> NDArray[np.float64]:
        tokens = np.asarray(ids)
        if not np.issubdtype(tokens.dtype, np.integer):
            raise InvalidTokenError(f"token ids must be integers, not {tokens.dtype}")
        bins = self.vocab_size - tokens.astype(np.int64)
        foreign = (bins < 1) | (bins > BINS)
        if foreign.any():
            position = tuple(int(i) for i in np.argwhere(foreign)[0])
            first, last = self.vocab_size - BINS, self.vocab_size - 1
            raise InvalidTokenError(f"token {tokens[position]} at {position} is no action token ({first} to {last})")
        return self._centers[np.minimum(bins - 1, BINS - 2)]

    def _bins(self, values: NDArray[np.float64]) -> NDArray[np.intp]:
        """`np.digitize(values, edges)`, five times faster: the edges are uniform, so a product lands within one of the
        right bin, and comparing with the edges themselves settles it."""
        guess = ((values + 1.0) * ((BINS - 1) / 2.0)).astype(np.intp)
        below = values < self._edges_to_infinity[guess]
        above = values >= self._edges_to_infinity[guess + 1]
        return guess + 1 - below + above
