"""RT-2's action tokens: eight integers, `terminate dx dy dz rx ry rz gripper`, also as text.

Source: RT-2 (Brohan et al. 2023), section 3.2, which takes over RT-1's discretisation into 256 bins. The first integer
says whether the episode ends here: 1 ends it, 0 goes on (the paper does not fix the two numbers).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.codecs.contract import InvalidActionError, InvalidTokenError
from dataset_builder.codecs.rt1 import Rt1Codec
from dataset_builder.codecs.vocabulary import Placement

BINS = 256
GOES_ON, ENDS = 0, 1


class Rt2Codec:
    """`dimensions` + 1 tokens a step: terminate, then RT-1's 256 levels of each dimension.

    placement: where the tokens lie; by default they are the integers themselves.
    """

    name = "rt2"
    version = "1"
    chunked = False

    def __init__(self, dimensions: int = 7, placement: Mapping[str, Any] | None = None) -> None:
        if dimensions < 1:
            raise ValueError(f"rt2 needs at least one dimension, not {dimensions}")
        self.dimensions = dimensions
        self._levels = Rt1Codec(bins=BINS, placement=placement)

    @property
    def placement(self) -> Placement:
        return self._levels.placement

    @property
    def options(self) -> dict[str, Any]:
        return {"dimensions": self.dimensions, "placement": self.placement.data}

    @property
    def bound(self) -> float:
        return self._levels.bound

    def placed(self, data: Mapping[str, Any] | None) -> Self:
        """This codec with its symbols elsewhere in the vocabulary."""
        other = copy.copy(self)
        other._levels = self._levels.placed(data)
        return other

    def encode(self, actions: ArrayLike) -> NDArray[np.int32]:
        """Ids (T, dimensions + 1) of steps (T, dimensions) that all go on."""
        levels = self._levels.encode(actions)
        if levels.ndim < 1 or levels.shape[-1] != self.dimensions:
            raise InvalidActionError(f"rt2 encodes {self.dimensions} dimensions, got actions of shape {levels.shape}")
        goes_on = np.full((*levels.shape[:-1], 1), self.placement.ids[GOES_ON], dtype=np.int32)
        return np.concatenate([goes_on, levels], axis=-1)

    def encode_episode(self, actions: ArrayLike) -> NDArray[np.int32]:
        """Ids of all steps of an episode: its last one ends it."""
        ids = self.encode(actions)
        ids.reshape(-1, ids.shape[-1])[-1:, 0] = self.placement.ids[ENDS]
        return ids

    def decode(self, ids: ArrayLike) -> NDArray[np.float64]:
        """Actions (T, dimensions); whether they end the episode is what `ends` says."""
        symbols = self._rows(ids)
        return self._levels.decode(self.placement.ids.take(symbols[..., 1:]))

    def ends(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """(T,): whether the step ends the episode. Raises InvalidTokenError."""
        ends: NDArray[np.bool_] = np.equal(self._rows(ids)[..., 0], ENDS)
        return ends

    def text(self, ids: ArrayLike) -> list[str]:
        """Each row of ids (T, dimensions + 1) as RT-2 writes it, e.g. `0 128 91 241 5 101 127 217`."""
        return [" ".join(map(str, row)) for row in self._rows(ids).tolist()]

    def parse(self, text: str) -> NDArray[np.int32]:
        """The ids (dimensions + 1,) that `text` writes. Raises InvalidTokenError naming the first wrong word."""
        words = text.split()
        for position, word in enumerate(words[: self.dimensions + 1]):
            highest = ENDS if position == 0 else BINS - 1
            if not (word.isascii() and word.isdigit() and len(word) <= len(str(BINS)) and int(word) <= highest):
                raise InvalidTokenError(f"'{word}' at {position} of '{text}' is no integer from 0 to {highest}")
        if len(words) != self.dimensions + 1:
            raise InvalidTokenError(
                f"'{text}' has {len(words)} integers, and an action of {self.dimensions} dimensions has "
                f"{self.dimensions + 1}: terminate first"
            )
        ids: NDArray[np.int32] = self.placement.ids.take([int(word) for word in words])
        return ids

    def length(self, dimensions: int) -> int:
        if dimensions != self.dimensions:
            raise ValueError(f"this rt2 codec has {self.dimensions} dimensions, not {dimensions}")
        return dimensions + 1

    def allowed(self, prefix: Sequence[int]) -> NDArray[np.int32]:
        symbols = self.placement.symbols_of(prefix)
        self._check_terminate(symbols[:: self.dimensions + 1], symbols.shape)
        first = len(prefix) % (self.dimensions + 1) == 0
        return np.sort(self.placement.ids[: ENDS + 1] if first else self.placement.ids)

    def _rows(self, ids: ArrayLike) -> NDArray[np.int32]:
        symbols = self.placement.symbols_of(ids)
        if symbols.ndim < 1 or symbols.shape[-1] != self.dimensions + 1:
            raise InvalidTokenError(
                f"rt2 has {self.dimensions + 1} tokens a step, terminate first; got ids of shape {symbols.shape}"
            )
        self._check_terminate(symbols[..., 0], symbols.shape)
        return symbols

    def _check_terminate(self, terminate: NDArray[np.int32], shape: tuple[int, ...]) -> None:
        if terminate.size and terminate.max() > ENDS:
            flat = int(np.argmax(terminate.reshape(-1) > ENDS))
            position = tuple(int(i) for i in np.unravel_index(flat * (self.dimensions + 1), shape))
            said = self.placement.ids[: ENDS + 1]
            raise InvalidTokenError(
                f"token {self.placement.ids[terminate.reshape(-1)[flat]]} at {position} says neither that the episode "
                f"goes on ({said[GOES_ON]}) nor that it ends ({said[ENDS]})"
            )
