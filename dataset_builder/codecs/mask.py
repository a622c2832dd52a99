"""Constrained decoding: which ids a model may give next, so that whatever it picks decodes to an action."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.codecs.contract import Codec, CodecOptionError, GrammaticalCodec, InvalidTokenError


class ActionMask:
    """A mask over a model's logits while it writes actions.

    codec: of steps, and then `steps` of them are written one after another; or of chunks, and one is written.
    dimensions: of an action. vocab_size: the model's logits. end_id: what the model gives after the last action token
    (end of text, or openpi's `|`), if anything. Raises CodecOptionError when the codec cannot say what may come next
    or has ids the model has not.
    """

    def __init__(
        self, codec: Codec, dimensions: int, vocab_size: int, *, steps: int = 1, end_id: int | None = None
    ) -> None:
        if not isinstance(codec, GrammaticalCodec):
            raise CodecOptionError(f"codec '{codec.name}' has no length and allowed, so nothing can be masked")
        if codec.chunked and steps != 1:
            raise CodecOptionError(f"codec '{codec.name}' writes one chunk, not {steps} steps")
        try:
            row = codec.length(dimensions)
        except ValueError as error:
            raise CodecOptionError(str(error)) from None
        self._codec = codec
        self._length = None if row is None else row * steps
        self._vocab_size, self._end_id = vocab_size, end_id
        if (highest := int(codec.allowed(())[-1])) >= vocab_size:
            raise CodecOptionError(f"id {highest} is beyond the model's {vocab_size}; place the codec's tokens lower")
        if end_id is not None and not 0 <= end_id < vocab_size:
            raise CodecOptionError(
                f"end_id {end_id} is none of the model's {vocab_size}; leave it out if there is none"
            )

    def complete(self, prefix: Sequence[int]) -> bool:
        """Whether `prefix` holds the whole action. Raises InvalidTokenError for a prefix that nothing can complete."""
        return not len(self._follow(prefix))

    def allowed(self, prefix: Sequence[int]) -> NDArray[np.bool_]:
        """(vocab_size,): True where an id may follow the action tokens written so far.

        Raises InvalidTokenError for a prefix that nothing can complete, and when nothing may follow a complete one.
        """
        follow = self._follow(prefix)
        if not len(follow):
            if self._end_id is None:
                raise InvalidTokenError(f"the {len(prefix)} ids are a whole action: nothing may follow them")
            follow = np.array([self._end_id])
        mask = np.zeros(self._vocab_size, dtype=bool)
        mask[follow] = True
        return mask

    def apply(self, logits: ArrayLike, prefix: Sequence[int]) -> NDArray[np.floating]:
        """`logits` (vocab_size,) with -inf where an id may not follow `prefix`."""
        given = np.asarray(logits)
        return np.where(self.allowed(prefix), given, np.asarray(-np.inf, dtype=given.dtype))

    def _follow(self, prefix: Sequence[int]) -> NDArray[np.int32]:
        allowed = self._codec.allowed(prefix)
        if self._length is None or len(prefix) < self._length:
            return allowed
        if len(prefix) > self._length:
            raise InvalidTokenError(f"{len(prefix)} ids are more than the {self._length} of a whole action")
        return allowed[:0]
