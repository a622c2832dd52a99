"""Splits without leakage: whole groups go to one side, decided by a hash of their key alone."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from teleloom.config import Config

TRAIN, VAL, TEST = "train", "val", "test"
GroupKey = Literal["task", "scene", "seed", "operator", "station", "episode", "lineage"]


class Splits(Config):
    """How episodes are parted into train, val and test.

    group_by: episodes that share all of these stay in one split. seed: where an episode has none (a real robot), its
    content stands in for it. lineage: the state an episode began in where that is known (a simulation's task, scene
    and seed), else the first policy of the line that drove it, else its content. val_fraction, test_fraction: the
    share of groups held out; a group's side depends on its key alone and never changes when data is added, except
    that a dataset always keeps one group to train on. fill_empty: a split that was asked for and would come out empty
    is given the train group nearest to it, unless it is the last; that one may return to train when data is added.
    """

    val_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    test_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)
    group_by: tuple[GroupKey, ...] = Field(default=("task", "scene", "seed"), min_length=1)
    fill_empty: bool = False

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if self.val_fraction + self.test_fraction >= 1.0:
            raise ValueError("val_fraction and test_fraction together leave nothing to train on")
        return self

    @property
    def wanted(self) -> tuple[str, ...]:
        """The splits that are asked for besides train."""
        fractions = ((VAL, self.val_fraction), (TEST, self.test_fraction))
        return tuple(split for split, fraction in fractions if fraction > 0.0)


@dataclass(frozen=True)
class Placed:
    """An episode in its split. group: its key; content_hash: of its recording."""

    episode_id: str
    split: str
    group: str
    content_hash: str


class LeakError(RuntimeError):
    """What one split holds is known from another: a fault of the builder, never of the data."""


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
    if splits.fill_empty:
        for split in splits.wanted:
            training = sorted((key for key, side in sides.items() if side == TRAIN), key=position)
            if split not in sides.values() and len(training) > 1:
                sides[training[0]] = split
    return {episode: sides[key] for episode, key in groups.items()}


def empty_splits(groups: Mapping[str, str], sides: Mapping[str, str], splits: Splits) -> tuple[str, ...]:
    """A warning for each split that was asked for and got no episode, as happens with few groups.

    Loaders then fail, or cut a part off train that knows nothing of groups.
    """
    count = len(set(groups.values()))
    fractions = {VAL: splits.val_fraction, TEST: splits.test_fraction}
    return tuple(
        f"no {split} split: none of the {count} groups falls into its share of {fractions[split]:g}; "
        f"record more, raise splits.{split}_fraction, or set splits.fill_empty: true"
        for split in splits.wanted
        if split not in sides.values()
    )


def check_leaks(episodes: Iterable[Placed]) -> None:
    """Raise LeakError when a group, or one and the same recording, is in two splits; it names the episodes."""
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in episodes:
        for kind, key in (("group", each.group), ("recording", each.content_hash)):
            found[kind, key][each.split].append(each.episode_id)
    leaks = [
        f"{kind} {key} is in {', '.join(f'{split} ({sorted(ids)[0]})' for split, ids in sorted(sides.items()))}"
        for (kind, key), sides in sorted(found.items())
        if len(sides) > 1
    ]
    if leaks:
        raise LeakError("\n".join(leaks))


def _side(place: float, splits: Splits) -> str:
    if place < splits.val_fraction:
        return VAL
    return TEST if place < splits.val_fraction + splits.test_fraction else TRAIN
