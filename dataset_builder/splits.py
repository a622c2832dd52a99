"""Train and val without leakage: whole groups go to one side, decided by a hash of their key alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

TRAIN, VAL = "train", "val"


def position(key: str) -> float:
    """Where a key falls in [0, 1): evenly spread, and the same on every machine."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def assign(groups: Mapping[str, str], val_fraction: float) -> dict[str, str]:
    """The split of each episode, from its group key. Groups below `val_fraction` are held out.

    Were every group to be held out, the one furthest from the threshold's lower side goes to train instead.
    """
    held_out = {key for key in groups.values() if position(key) < val_fraction}
    if groups and held_out == set(groups.values()):
        held_out.remove(max(held_out, key=position))
    return {episode: VAL if key in held_out else TRAIN for episode, key in groups.items()}
