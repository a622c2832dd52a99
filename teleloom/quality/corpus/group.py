"""Episodes that are compared with each other: those of one task on one robot, their figures as columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from teleloom.quality.corpus.features import EpisodeFeatures
from teleloom.quality.corpus.rules import Rule, rule_of
from teleloom.quality.signature import POINTS, VALUES

Array = NDArray[np.float64]


class Group:
    """All episodes of one task on one robot, in an order of their own."""

    def __init__(self, members: Sequence[EpisodeFeatures]) -> None:
        self.members = members
        self.name = "'{}' on {}".format(*members[0].group)

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def columns(self) -> list[tuple[str, Rule, str, Array]]:
        """Every metric that is compared: its name, rule and stream, and its values (N,), NaN where there is none."""
        columns: dict[str, Array] = {}
        ruled: dict[str, tuple[Rule, str] | None] = {}
        for index, member in enumerate(self.members):
            for name, value in member.metrics.items():
                if name not in ruled:
                    ruled[name] = rule_of(name)
                    columns[name] = np.full(len(self), np.nan)
                columns[name][index] = value
        return [(name, *found, columns[name]) for name, found in ruled.items() if found is not None]

    @cached_property
    def durations_s(self) -> Array:
        """(N,), NaN where it is not known."""
        return np.array([member.metrics.get("duration_s", np.nan) for member in self.members])

    @cached_property
    def signed(self) -> NDArray[np.int64]:
        """The members (S,) that have a signature."""
        lengths = np.array([len(member.signature) for member in self.members])
        return np.flatnonzero(lengths == POINTS * VALUES)

    @cached_property
    def ways(self) -> Array:
        """The signatures of those members, (S, 16, 4) m."""
        flat = np.array([self.members[index].signature for index in self.signed], dtype=np.float64)
        return flat.reshape(len(self.signed), POINTS, VALUES)
