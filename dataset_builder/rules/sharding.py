"""How a split is cut into shards, so that a change to one episode changes its own shard and hardly another.

Where a shard ends is decided by the episodes themselves (content-defined chunking): an episode ends its shard when the
hash of its id falls below a threshold that grows with its weight, and when the next one would no longer fit. The first
kind of end stays wherever episodes come or go, so a change reaches no further than to the next one of it. An episode's
annotations have no say in where shards end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import Field

from teleloom.config import Config


class Sharding(Config):
    """max_bytes: the episode files behind a shard weigh no more than this together; shards hold half of it on average.

    An episode that is larger than max_bytes has a shard to itself.
    """

    max_bytes: int = Field(default=256 * 1024 * 1024, gt=0)
    max_episodes: int = Field(default=1000, gt=0)


@dataclass(frozen=True)
class Sized:
    """An episode to be put into a shard, and what its file weighs."""

    episode_id: str
    file_bytes: int


def order(episode_id: str) -> tuple[float, str]:
    """What the episodes of a split are sorted by: evenly mixed over tasks and times, and always the same."""
    return _fraction(f"order {episode_id}"), episode_id


def cut(episodes: Iterable[Sized], sharding: Sharding) -> list[list[Sized]]:
    """Cut `episodes`, sorted by `order`, into shards."""
    shards: list[list[Sized]] = []
    room = 0
    ended = True
    for episode in sorted(episodes, key=lambda e: order(e.episode_id)):
        if ended or len(shards[-1]) == sharding.max_episodes or episode.file_bytes > room:
            shards.append([])
            room = sharding.max_bytes
        shards[-1].append(episode)
        room -= episode.file_bytes
        ended = _ends(episode, sharding)
    return shards


def _ends(episode: Sized, sharding: Sharding) -> bool:
    share = max(episode.file_bytes / sharding.max_bytes, 1 / sharding.max_episodes)
    return _fraction(f"end {episode.episode_id}") < 2.0 * share


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
