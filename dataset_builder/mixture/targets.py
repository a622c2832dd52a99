"""Recorded actions as what a model is to answer: the codec's ids, or those integers as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions.chunks import chunks
from dataset_builder.codecs import CodecOptionError
from dataset_builder.codecs.contract import EpisodeCodec
from dataset_builder.mixture.index import StepIndex
from dataset_builder.normalisation.schemes import normalise, unnormalise

Floats = NDArray[np.float64]
_NO_IDS = np.empty(0, dtype=np.int32)


class ActionTargets:
    """The targets of one dataset's steps, in its own codec, by its own statistics.

    length: steps in a target, None for what the dataset was built for. placement: where the tokens lie in the
    vocabulary, None for where the dataset's codec has them. noise: standard deviation in normalised units.
    Raises CodecOptionError for what the codec cannot do.
    """

    def __init__(
        self,
        index: StepIndex,
        form: Literal["ids", "text"],
        length: int | None,
        placement: Mapping[str, Any] | None,
        noise: float,
    ) -> None:
        self._index, self._noise = index, noise
        self._tokeniser = index.dataset.tokeniser
        self._semantics = index.dataset.manifest.action
        self.as_text = form == "text"
        self.codec: Any = self._tokeniser.codec
        if self.as_text or placement is not None:
            if not hasattr(self.codec, "placed"):
                raise CodecOptionError(f"codec '{self.codec.name}' cannot place its tokens elsewhere")
            try:
                self.codec = self.codec.placed(None if self.as_text else placement)
            except ValueError as error:
                raise CodecOptionError(str(error)) from None
        # Asking a protocol takes 70 us, as long as all else about a target.
        self._says_the_end = not self.codec.chunked and isinstance(self.codec, EpisodeCodec)
        self.length = self._semantics.chunk_length if length is None else length
        if self.codec.chunked and self.length != self._semantics.chunk_length:
            raise CodecOptionError(
                f"{index.dataset.path} was built for chunks of {self._semantics.chunk_length} steps, and its codec "
                f"'{self.codec.name}' knows no others; leave out chunk_length"
            )

    def answer(self, step: int, rng: np.random.Generator) -> tuple[tuple[int, ...], str]:
        """The target that begins at `step`, as ids or as text; the other one is empty."""
        ids = self.ids(step, rng)
        return ((), self.text(ids)) if self.as_text else (tuple(ids.tolist()), "")

    def ids(self, step: int, rng: np.random.Generator) -> NDArray[np.int32]:
        """The ids (M,) of the action or chunk that begins at `step`."""
        rows = self._index.ahead(step, self.length)
        actions = self.noisy(self.normalised(rows), rng)
        if not self._says_the_end:
            return np.ravel(self.codec.encode(actions))
        ended = len(rows) - 1 if self._index.ends[step + len(rows) - 1] else len(actions)
        going, last = self.codec.encode(actions[:ended]), actions[ended:]
        return np.ravel(np.concatenate([going, *(self.codec.encode_episode(row[None]) for row in last)]))

    def text(self, ids: NDArray[np.int32]) -> str:
        """The integers as text, after a space, e.g. ` 0 128 91 241 5 101 127 217`."""
        return " " + " ".join(map(str, ids.tolist()))

    def decode(self, ids: NDArray[np.int32]) -> Floats:
        """The raw actions (length, D) that `ids` stand for. Raises InvalidTokenError."""
        shaped = ids if self.codec.chunked else np.reshape(ids, (self.length, -1))
        return unnormalise(self.codec.decode(shaped), self._tokeniser.statistics, self._tokeniser.scheme)

    def action_ids(self) -> NDArray[np.int32]:
        """The ids that stand for actions; none for text, and for a codec that does not say where its ids lie."""
        placement = getattr(self.codec, "placement", None)
        ids: NDArray[np.int32] = placement.ids if placement is not None and not self.as_text else _NO_IDS
        return ids

    def content(self) -> dict[str, Any]:
        """All that the ids of an action follow from; shards may stay as they are while it changes."""
        return {
            "codec": self.codec.name,
            "version": self.codec.version,
            "options": self.codec.options,
            "length": self.length,
            "scheme": self._tokeniser.scheme,
            **self._tokeniser.statistics.to_json(),
        }

    def normalised(self, rows: NDArray[np.float32]) -> Floats:
        """(length, D): what lies beyond the end of the episode is no motion."""
        chunk = rows if len(rows) == self.length else chunks(rows, self.length, self._semantics)[0]
        return normalise(chunk, self._tokeniser.statistics, self._tokeniser.scheme)

    def noisy(self, actions: Floats, rng: np.random.Generator) -> Floats:
        """Normalised actions with the noise asked for; where the statistics' mask is False, as they are."""
        if not self._noise:
            return actions
        return actions + rng.normal(scale=self._noise, size=actions.shape) * self._tokeniser.statistics.mask
