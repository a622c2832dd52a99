"""What a codec must do, and how it refuses what it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray


class CodecOptionError(ValueError):
    """Options that a codec does not take. The message names the codec, the options and what is wrong with them."""


class InvalidActionError(ValueError):
    """An action that cannot be encoded. The message names the step, the dimension and the value."""


class InvalidTokenError(ValueError):
    """A token id that stands for no action. The message names the id, its position and what would be right."""


class Codec(Protocol):
    """Between actions in [-1, 1] and token ids. `name`, `version` and `options` say everything needed to build it.

    chunked: False when every step has a row of ids of its own, True when the ids stand for a chunk of steps as a
    whole. Values outside [-1, 1] are encoded as the nearest end; everything is computed in float64.
    """

    name: str
    version: str
    chunked: bool

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments, as JSON has them, that build this codec again."""
        ...

    def encode(self, actions: ArrayLike) -> NDArray[np.int32]:
        """Ids (T, W) of the steps (T, D), or of a chunked codec ids (N,) of the chunk (H, D).

        Raises InvalidActionError for NaN, infinity and a shape that the codec does not take.
        """
        ...

    def decode(self, ids: ArrayLike) -> NDArray[np.float64]:
        """Actions in [-1, 1], (T, D) or (H, D), of ids. Raises InvalidTokenError for ids that encode nothing."""
        ...


@runtime_checkable
class BoundedCodec(Codec, Protocol):
    """A codec that knows how far off it can be."""

    @property
    def bound(self) -> float:
        """No action within the codec's range, [-1, 1] unless its options say otherwise, comes back further off than
        this in any dimension."""
        ...


@runtime_checkable
class EpisodeCodec(Codec, Protocol):
    """A codec whose ids also say that the episode ends."""

    def encode_episode(self, actions: ArrayLike) -> NDArray[np.int32]:
        """Ids (T, W) of all steps (T, D) of an episode: as `encode`, and its last row says that it ends."""
        ...

    def ends(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """(T,): whether the row of ids says that the episode ends."""
        ...


@runtime_checkable
class GrammaticalCodec(Codec, Protocol):
    """A codec that can say which ids may come next; `dataset_builder.codecs.mask` makes a mask of logits of it."""

    def length(self, dimensions: int) -> int | None:
        """How many ids a step of `dimensions` values has; None when a chunk's ids vary in number."""
        ...

    def allowed(self, prefix: Sequence[int]) -> NDArray[np.int32]:
        """The ids, sorted, that may follow `prefix`, the ids of this step or chunk so far, so that it can still be
        completed. Empty when nothing is missing: a codec of steps leaves that to the mask, which counts.

        Raises InvalidTokenError for a prefix that nothing can complete.
        """
        ...


def finite(actions: ArrayLike) -> NDArray[np.float64]:
    """`actions` in float64. Raises InvalidActionError for what is no array of numbers, and naming the first value that
    is NaN or infinite."""
    try:
        values = np.asarray(actions, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidActionError(f"actions must be an array of numbers: {error}") from None
    if not np.isfinite(values).all():
        position = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise InvalidActionError(f"action at {position} is {values[position]}; only finite values can be encoded")
    return values


def integers(ids: ArrayLike) -> NDArray[Any]:
    """`ids` as an array. Raises InvalidTokenError when they are no integers."""
    try:
        tokens = np.asarray(ids)
    except ValueError as error:
        raise InvalidTokenError(f"token ids must be an array of integers: {error}") from None
    if not tokens.size:
        # An empty list has no type of its own.
        return tokens.astype(np.int32)
    if not np.issubdtype(tokens.dtype, np.integer):
        raise InvalidTokenError(f"token ids must be integers, not {tokens.dtype}")
    return tokens
