"""What a layout must do: say which features a record has, and fill them from a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dataset_builder.rlds.features import Tree
from dataset_builder.rlds.records import Values
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory

Floats = NDArray[np.float32]
Images = Mapping[str, Sequence[bytes]]
"""T JPEGs by image key."""


class Layout(Protocol):
    """The keys of a record and what they hold, for the action semantics it was built with."""

    name: str

    def features(self, shape: Shape) -> Tree:
        """The feature tree of a dataset of this shape."""
        ...

    def action(self, trajectory: Trajectory) -> Floats:
        """`steps/action` (T, D): what statistics and tokens are made of."""
        ...

    def proprio(self, trajectory: Trajectory) -> Floats:
        """The proprioception (T, P) that the loaders of this layout normalise."""
        ...

    def example(self, trajectory: Trajectory, images: Images) -> dict[str, Values]:
        """The features of the record, flat; the keys are those of `features`."""
        ...
