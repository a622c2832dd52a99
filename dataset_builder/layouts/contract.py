"""What a layout must do: say which features a record has, fill them from a trajectory, and read the numbers back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.rlds.features import Tree
from dataset_builder.rlds.records import Values
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory

Floats = NDArray[np.float32]
Images = Mapping[str, Sequence[bytes]]
"""T JPEGs by image key."""
Record = Mapping[str, Any]
"""A record, flat, as `rlds.records.decode_example` gives it."""


class LayoutError(ValueError):
    """Episodes that the loaders of this layout cannot read. The message says what would do instead."""


class Layout(Protocol):
    """The keys of a record and what they hold, for the action semantics it was built with."""

    name: str
    semantics: ActionSemantics

    def features(self, shape: Shape) -> Tree:
        """The feature tree of a dataset of this shape. Raises LayoutError."""
        ...

    def action(self, trajectory: Trajectory) -> Floats:
        """The actions (T, D) that the loaders read, and that statistics and tokens are made of."""
        ...

    def proprio(self, trajectory: Trajectory) -> Floats:
        """The proprioception (T, P) that the loaders of this layout normalise."""
        ...

    def example(self, trajectory: Trajectory, images: Images) -> dict[str, Values]:
        """The features of the record, flat; the keys are those of `features`."""
        ...

    def recorded_action(self, record: Record) -> Floats:
        """What `action` gave for the trajectory that became this record."""
        ...

    def recorded_proprio(self, record: Record) -> Floats:
        """What `proprio` gave for the trajectory that became this record."""
        ...
