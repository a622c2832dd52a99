"""What a codec must do, and how it refuses what it cannot do."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class CodecOptionError(ValueError):
    """Options that a codec does not take. The message names the codec, the options and what is wrong with them."""


class InvalidActionError(ValueError):
    """An action that cannot be encoded. The message names the step, the dimension and the value."""


class InvalidTokenError(ValueError):
    """A token id that stands for no action. The message names the id, its position and the valid range."""


class Codec(Protocol):
    """Between actions in [-1, 1] and token ids. `name`, `version` and `options` say everything needed to build it."""

    name: str
    version: str

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this codec again."""
        ...

    def encode(self, actions: ArrayLike) -> NDArray[np.int32]:
        """Token ids of actions (T, D) float64 in [-1, 1]. Raises InvalidActionError for NaN and infinity."""
        ...

    def decode(self, ids: ArrayLike) -> NDArray[np.float64]:
        """Actions (T, D) float64 in [-1, 1] of token ids. Raises InvalidTokenError for an id that encodes nothing."""
        ...
