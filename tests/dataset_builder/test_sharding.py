"""Where shards end: never beyond their limits, and the same wherever episodes come or go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dataset_builder.rules.sharding import Sharding, Sized, cut

SHARDING = Sharding(max_bytes=1000, max_episodes=8)
EPISODES = st.dictionaries(st.uuids().map(str), st.integers(1, 1500), max_size=60).map(
    lambda weights: [Sized(identity, weight) for identity, weight in weights.items()]
)


def ids(shards: list[list[Sized]]) -> set[tuple[str, ...]]:
    return {tuple(episode.episode_id for episode in shard) for shard in shards}


@given(EPISODES)
def test_every_episode_is_in_one_shard_and_no_shard_is_larger_than_it_may(episodes: list[Sized]) -> None:
    shards = cut(episodes, SHARDING)
    held = [episode for shard in shards for episode in shard]
    assert sorted(held, key=lambda e: e.episode_id) == sorted(episodes, key=lambda e: e.episode_id)
    for shard in shards:
        assert 1 <= len(shard) <= 8
        assert len(shard) == 1 or sum(episode.file_bytes for episode in shard) <= 1000


@given(EPISODES, st.randoms())
def test_the_order_in_which_episodes_are_given_does_not_matter(episodes: list[Sized], chance: object) -> None:
    shuffled = list(episodes)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert cut(shuffled, SHARDING) == cut(episodes, SHARDING)


def many(count: int) -> list[Sized]:
    return [Sized(f"episode-{number}", 40 + number % 50) for number in range(count)]


def test_one_episode_more_or_less_changes_its_own_shard_and_rarely_a_neighbour() -> None:
    sharding = Sharding(max_bytes=2000)
    episodes = many(400)
    whole = ids(cut(episodes, sharding))
    changed = [len(whole - ids(cut(episodes[:i] + episodes[i + 1 :], sharding))) for i in range(len(episodes))]
    assert len(whole) > 20
    assert max(changed) <= 4
    assert sum(changed) / len(changed) < 1.6


def test_shards_hold_half_of_what_they_may_on_average() -> None:
    episodes = many(4000)
    shards = cut(episodes, Sharding(max_bytes=4000))
    mean = sum(episode.file_bytes for episode in episodes) / len(shards)
    assert 0.35 < mean / 4000 < 0.6
