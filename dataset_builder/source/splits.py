"""Splits without leakage: whole groups go to one side, decided by a hash of their key alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from teleloom.config import Config

TRAIN, VAL, TEST = "train", "val", "test"
GroupKey = Literal["task", "scene", "seed", "operator", "station", "episode", "lineage"]


class Splits(Config):
    """How episodes are parted into train, val and test.

    group_by: episodes that share all of these stay in one split. Where an episode has no seed (a real robot), the
    episode itself stands in for it. val_fraction, test_fraction: the share of groups held out; a group's side depends
    on its key alone and never changes when data is added, except that a dataset always keeps one group to train on.
    """

    val_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    test_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)
    group_by: tuple[GroupKey, ...] = Field(default=("task", "scene", "seed"), min_length=1)

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if self.val_fraction + self.test_fraction >= 1.0:
            raise ValueError("val_fraction and test_fraction together leave nothing to train on")
        return self


def position(key: str) -> float:
    """Where a key falls in [0, 1): evenly spread, and the same on every machine."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def assign(groups: Mapping[str, str], splits: Splits) -> dict[str, str]:
    """The split of each episode, from its group key: groups below `val_fraction` are val, the next ones test.

    Were every group to be held out, the one furthest from the threshold's lower side goes to train instead.
    """
    sides = {key: _side(position(key), splits) for key in set(groups.values())}
    if sides and TRAIN not in sides.values():
        sides[max(sides, key=position)] = TRAIN
    return {episode: sides[key] for episode, key in groups.items()}


def _side(place: float, splits: Splits) -> str:
    if place < splits.val_fraction:
        return VAL
    return TEST if place < splits.val_fraction + splits.test_fraction else TRAIN
