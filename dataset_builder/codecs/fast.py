"""FAST: a chunk of actions as the byte-pair code of its rounded cosine transform.

Source: `UniversalActionProcessor` of FAST (Pertsch et al. 2025). Every dimension of a chunk (H, D) in [-1, 1] goes
through the orthonormal DCT-II over time; `around(C * scale)` is flattened row by row (time, dimension), each integer R
is written as the character `chr(R - min_token)`, and the text goes through a byte-level BPE fitted on such texts.

Four things differ. `min_token` is the lowest coefficient that any chunk in [-1, 1] can have, not the lowest one seen.
Every byte is in the vocabulary, so none is dropped. Ids that are not exactly H * D symbols are refused, where the
released decoder gives zeros. And the BPE fitted here sees a chunk as one word: the released one is cut where English
words would be, which depends on the character that stands for 0 (a space at H = 10: measured, 18% more tokens).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from operator import index
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.codecs.contract import InvalidActionError, InvalidTokenError, finite
from dataset_builder.codecs.symbols import SymbolGrammar, token_bytes
from dataset_builder.codecs.vocabulary import Placement, load_tokenizer
from teleloom.extras import require

FIRST_SURROGATE = 0xD800
MAX_TOKEN_LENGTH = 10_000
TIE_DECIMALS = 9


class FastCodec:
    """Ids (N,) of a chunk (horizon, dimensions).

    bpe: the fitted byte-level BPE, the text of its tokenizer.json. scale: steps a coefficient is rounded to, per unit.
    min_token: what the character 0 stands for; by default the lowest coefficient there can be. placement: where
    the BPE's tokens lie in the model's vocabulary, for openpi `{"name": "last", "vocab_size": 257152, "skip": 128}`.
    """

    name = "fast"
    version = "1"
    chunked = True
    fitted_option = "bpe"

    def __init__(
        self,
        horizon: int | None = None,
        dimensions: int | None = None,
        bpe: str | None = None,
        scale: float = 10.0,
        min_token: int | None = None,
        placement: Mapping[str, Any] | None = None,
    ) -> None:
        if bpe is None or horizon is None or dimensions is None:
            raise ValueError("fast is fitted on data; fit_codec does that, or give horizon, dimensions and bpe")
        if dimensions < 1:
            raise ValueError(f"fast needs at least one dimension, not {dimensions}")
        self.horizon, self.dimensions, self._bpe = index(horizon), index(dimensions), bpe
        self._transform = Transform(self.horizon, float(scale), min_token)
        self._bytes = token_bytes(bpe)
        self.placement = Placement(placement, len(self._bytes))

    @classmethod
    def fit(
        cls,
        chunks: ArrayLike,
        *,
        scale: float = 10.0,
        vocabulary: int = 1024,
        min_frequency: int = 2,
        tokenizer: str | None = None,
        min_token: int | None = None,
        placement: Mapping[str, Any] | None = None,
    ) -> Self:
        """The codec of chunks (N, H, D) in [-1, 1], its BPE fitted on them.

        vocabulary: how many tokens the BPE may have, at least the 256 bytes. min_frequency: how often a pair must occur
        to become a token. tokenizer: a tokenizer.json fitted before, such as FAST+'s (whose min_token is -354), taken
        instead of fitting one. Raises ValueError.
        """
        values = finite(chunks)
        if values.ndim != 3 or not values.size:
            raise ValueError(f"fast is fitted on chunks (N, H, D) of actions, got shape {values.shape}")
        horizon, dimensions = values.shape[1:]
        if tokenizer is not None:
            bpe = load_tokenizer(tokenizer).to_str()
            return cls(horizon, dimensions, bpe, scale, min_token, placement)
        if vocabulary < 256:
            raise ValueError(f"vocabulary {vocabulary} has no room for the 256 bytes that any chunk may need")
        transform = Transform(horizon, float(scale), min_token)
        texts = (_text(transform.symbols(np.clip(chunk, -1.0, 1.0))) for chunk in values)
        return cls(horizon, dimensions, _trained(texts, vocabulary, min_frequency), scale, min_token, placement)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "horizon": self.horizon,
            "dimensions": self.dimensions,
            "bpe": self._bpe,
            "scale": self._transform.scale,
            "min_token": self._transform.min_token,
            "placement": self.placement.data,
        }

    @property
    def bound(self) -> float:
        """Every coefficient is off by at most half a step, and a value is made of all of them."""
        return self._transform.bound

    def placed(self, data: Mapping[str, Any] | None) -> Self:
        """This codec with its tokens elsewhere in the vocabulary."""
        other = copy.copy(self)
        other.placement = Placement(data, len(self.placement))
        return other

    def encode(self, actions: ArrayLike) -> NDArray[np.int32]:
        values = finite(actions)
        if values.shape != (self.horizon, self.dimensions):
            raise InvalidActionError(
                f"fast encodes chunks of shape ({self.horizon}, {self.dimensions}), got {values.shape}"
            )
        text = _text(self._transform.symbols(np.clip(values, -1.0, 1.0)))
        symbols = self._tokenizer.encode(text, add_special_tokens=False).ids
        if self._drops_bytes and b"".join(self._bytes[symbol] or b"" for symbol in symbols) != text.encode():
            raise InvalidActionError(
                "the BPE has no token for a coefficient of this chunk and would drop it; fit one on this data"
            )
        ids: NDArray[np.int32] = self.placement.ids.take(symbols)
        return ids

    def decode(self, ids: ArrayLike) -> NDArray[np.float64]:
        """The chunk (H, D). Raises InvalidTokenError naming the first id with which the chunk can no longer be right,
        also when ids are missing at the end."""
        symbols = self.placement.symbols_of(ids)
        if symbols.ndim != 1:
            raise InvalidTokenError(f"fast decodes the ids of one chunk at a time, got shape {symbols.shape}")
        tokens = symbols.tolist()
        state, missing = self._follow(tokens)
        if (state, missing) != (0, 0):
            whole = self.horizon * self.dimensions
            raise InvalidTokenError(
                f"the ids end at {len(tokens)}, after {whole - missing} of {whole} coefficients"
                + (", within a character" if state else "")
            )
        text = b"".join(self._bytes[token] or b"" for token in tokens).decode()
        characters = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        actions = self._transform.inverse(characters.reshape(self.horizon, self.dimensions))
        return np.clip(actions, -1.0, 1.0)

    def length(self, dimensions: int) -> None:
        if dimensions != self.dimensions:
            raise ValueError(f"this fast codec has {self.dimensions} dimensions, not {dimensions}")

    def allowed(self, prefix: Sequence[int]) -> NDArray[np.int32]:
        symbols = self.placement.symbols_of(prefix).tolist()
        state, missing = self._follow(symbols)
        tokens = self._grammar.continuations(state, missing)
        if not len(tokens) and (state, missing) != (0, 0):
            raise InvalidTokenError(f"no ids can follow the {len(symbols)} given and end with {missing} coefficients")
        return np.sort(self.placement.ids.take(tokens))

    def _follow(self, symbols: Sequence[int]) -> tuple[int, int]:
        """Where the grammar stands after `symbols`, and how many coefficients are missing then."""
        state, missing = 0, self.horizon * self.dimensions
        for position, symbol in enumerate(symbols):
            state, read = self._grammar.step(state, symbol)
            missing -= read
            if state < 0 or missing < 0 or (missing == 0 and state > 0):
                why = "gives more coefficients than a chunk has" if state >= 0 else "is no coefficient here"
                raise InvalidTokenError(f"token {self.placement.ids[symbol]} at ({position},) {why}")
        return state, missing

    @cached_property
    def _tokenizer(self) -> Any:
        return require("tokenizers", "build").Tokenizer.from_str(self._bpe)

    @cached_property
    def _grammar(self) -> SymbolGrammar:
        return SymbolGrammar(self._bytes, self._transform.highest_symbol, self.horizon * self.dimensions)

    @cached_property
    def _drops_bytes(self) -> bool:
        """A BPE that lacks a byte drops it in silence."""
        return len({token for token in self._bytes if token is not None and len(token) == 1}) < 256


class Transform:
    """Between a chunk (H, D) in [-1, 1] and its symbols, the rounded coefficients counted from `min_token`.

    Raises ValueError for figures that make no symbols, or more than there are characters.
    """

    def __init__(self, horizon: int, scale: float, min_token: int | None) -> None:
        if horizon < 1 or not 0.0 < scale < np.inf:
            raise ValueError(f"horizon {horizon} and scale {scale} must be positive")
        self.scale = scale
        self._matrix = dct_matrix(horizon)
        highest = int(_rounded(np.abs(self._matrix).sum(axis=1).max() * scale))
        self.min_token = -highest if min_token is None else index(min_token)
        self.highest_symbol = highest - self.min_token
        if self.highest_symbol < 0:
            raise ValueError(f"min_token {self.min_token} is above every coefficient, which are at most {highest}")
        if self.highest_symbol >= FIRST_SURROGATE:
            raise ValueError(
                f"scale {scale}, horizon {horizon} and min_token {self.min_token} need {self.highest_symbol + 1} "
                f"characters; there are {FIRST_SURROGATE}"
            )

    @property
    def bound(self) -> float:
        return float(np.abs(self._matrix).sum(axis=0).max()) * (0.5 + 10.0**-TIE_DECIMALS) / self.scale

    def symbols(self, chunk: NDArray[np.float64]) -> NDArray[np.int64]:
        """Raises InvalidActionError naming the first coefficient below min_token."""
        coefficients = _rounded(self._matrix @ chunk * self.scale).astype(np.int64)
        if coefficients.min() < self.min_token:
            k, dimension = (int(i) for i in np.argwhere(coefficients < self.min_token)[0])
            raise InvalidActionError(
                f"coefficient {k} of dimension {dimension} is {coefficients[k, dimension]}, below min_token "
                f"{self.min_token}; leave min_token out when fitting"
            )
        symbols: NDArray[np.int64] = coefficients - self.min_token
        return symbols

    def inverse(self, symbols: NDArray[Any]) -> NDArray[np.float64]:
        actions: NDArray[np.float64] = self._matrix.T @ ((symbols.astype(np.int64) + self.min_token) / self.scale)
        return actions


def dct_matrix(horizon: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II (H, H): coefficients are `matrix @ signal`, the signal is `matrix.T @ coefficients`."""
    k, n = np.arange(horizon)[:, None], np.arange(horizon)[None, :]
    matrix: NDArray[np.float64] = np.sqrt(2.0 / horizon) * np.cos(np.pi * k * (2 * n + 1) / (2 * horizon))
    matrix[0] = np.sqrt(1.0 / horizon)
    return matrix


def _rounded(coefficients: ArrayLike) -> NDArray[np.float64]:
    # A sum's last bits depend on the processor. Ties are common (constant signals) and must fall the same way
    # everywhere, so what is a tie but for those bits is made one.
    return np.around(np.around(np.asarray(coefficients, dtype=np.float64), TIE_DECIMALS))


def _text(symbols: NDArray[np.int64]) -> str:
    return symbols.astype("<u4").tobytes().decode("utf-32-le")


def _trained(texts: Iterator[str], vocabulary: int, min_frequency: int) -> str:
    tokenizers = require("tokenizers", "build")
    byte_level = tokenizers.pre_tokenizers.ByteLevel
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = byte_level(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=min_frequency,
        show_progress=False,
        special_tokens=[],
        initial_alphabet=byte_level.alphabet(),
        max_token_length=MAX_TOKEN_LENGTH,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=True, separators=(",", ":"))
