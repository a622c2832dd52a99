"""From recorded actions to token ids and back: chunks, normalisation and codec, as one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.actions.chunks import chunks
from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.codecs import Codec
from dataset_builder.codecs.contract import EpisodeCodec
from dataset_builder.normalisation.choice import Scheme
from dataset_builder.normalisation.schemes import check, normalise, unnormalise
from dataset_builder.normalisation.statistics import Statistics


def normalised_chunks(
    actions: ArrayLike, statistics: Statistics, scheme: Scheme, semantics: ActionSemantics
) -> NDArray[np.float64]:
    """Normalised chunks (T, H, D), one from each step of an episode's raw actions (T, D); past its end the robot stays
    where it is. A codec is fitted on such chunks."""
    return normalise(chunks(actions, semantics.chunk_length, semantics), statistics, scheme)


@dataclass(frozen=True)
class ActionTokeniser:
    """Token ids of raw actions. The float32 values of the record go in, so a reader gets the same ids from them.

    Raises ValueError when the statistics lack what the scheme needs.
    """

    codec: Codec
    statistics: Statistics
    scheme: Scheme = "q99"
    semantics: ActionSemantics = field(default_factory=ActionSemantics)

    def __post_init__(self) -> None:
        check(self.statistics, self.scheme)

    @property
    def width(self) -> int:
        """How many ids a step has. Raises ValueError for a codec of chunks, whose ids vary in number."""
        step = np.zeros((1, len(self.statistics.mean)), dtype=np.float32)
        return len(self.encode_steps(step)[0])

    def chunks(self, actions: NDArray[np.float32]) -> NDArray[np.float64]:
        """`normalised_chunks` (T, H, D) of an episode's raw actions (T, D)."""
        return normalised_chunks(actions, self.statistics, self.scheme, self.semantics)

    def encode(self, actions: NDArray[np.float32]) -> list[NDArray[np.int32]]:
        """The ids of each step of an episode's raw actions (T, D): its own, or of the chunk that begins there."""
        if self.codec.chunked:
            return [self.codec.encode(chunk) for chunk in self.chunks(actions)]
        return list(self.encode_steps(actions))

    def encode_steps(self, actions: NDArray[np.float32]) -> NDArray[np.int32]:
        """Ids (T, W) of an episode's raw actions (T, D). Raises ValueError for a codec of chunks."""
        if self.codec.chunked:
            raise ValueError(f"codec '{self.codec.name}' has no ids per step: its ids stand for chunks of steps")
        normalised = normalise(actions, self.statistics, self.scheme)
        if isinstance(self.codec, EpisodeCodec):
            return self.codec.encode_episode(normalised)
        return self.codec.encode(normalised)

    def decode(self, ids: ArrayLike) -> NDArray[np.float64]:
        """Raw actions: (T, D) of ids (T, W), or the chunk (H, D) of its ids. They are within the codec's bound where
        normalisation did not clip."""
        return unnormalise(self.codec.decode(ids), self.statistics, self.scheme)
