"""Chance, resampling and schedules of a mixture: pure arithmetic on sample numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_builder.mixture.chance import Permutation, generator, number
from dataset_builder.mixture.resampling import NothingToDrawError, Resampling, Runs
from dataset_builder.mixture.schedule import Fork, schedule


@given(st.integers(1, 3000), st.integers())
@settings(max_examples=60, deadline=None)
def test_a_permutation_hits_every_position_once(size: int, key: int) -> None:
    permutation = Permutation(size, key)
    assert sorted(permutation[i] for i in range(size)) == list(range(size))


def test_a_permutation_of_a_billion_costs_no_memory_and_never_repeats() -> None:
    permutation = Permutation(10**9, "large")
    found = [permutation[i] for i in range(20_000)]
    assert len(set(found)) == len(found)
    assert max(found) < 10**9
    assert np.mean(found) == pytest.approx(5e8, rel=0.02)
    assert vars(permutation).keys() == {"size", "_low_bits", "_low", "_high", "_keys"}


@pytest.mark.parametrize("size", [3, 7, 64])
def test_every_item_is_as_likely_at_every_position(size: int) -> None:
    rounds = 2000
    counts = np.zeros((size, size))
    for key in range(rounds):
        permutation = Permutation(size, key)
        for position in (0, size // 2, size - 1):
            counts[position, permutation[position]] += 1
    expected = rounds / size
    for position in (0, size // 2, size - 1):
        chi_square = ((counts[position] - expected) ** 2 / expected).sum()
        assert chi_square < size - 1 + 5 * np.sqrt(2 * (size - 1))


def test_a_position_outside_is_refused() -> None:
    with pytest.raises(IndexError, match="position 5 of a permutation of 5"):
        Permutation(5, "key")[5]


def test_chance_is_the_same_in_another_process() -> None:
    code = (
        "from dataset_builder.mixture.chance import *;"
        "print(number('a', 1), Permutation(1000, 'b', 2)[17], generator('c').integers(10**9))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    here = f"{number('a', 1)} {Permutation(1000, 'b', 2)[17]} {generator('c').integers(10**9)}\n"
    assert there.stdout == here


def epoch(resampling: Resampling, which: int = 0) -> Counter[int]:
    start = which * resampling.length
    picks = [resampling.at(start + i) for i in range(resampling.length)]
    assert {at for at, _ in picks} == {which}
    return Counter(item for _, item in picks)


@given(st.floats(0.0078125, 100, width=32), st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_equal_weights_give_each_item_once_an_epoch(weight: float, count: int) -> None:
    resampling = Resampling(Runs.of(np.full(count, weight, dtype=np.float32)), "key")
    assert epoch(resampling) == epoch(resampling, 3) == dict.fromkeys(range(count), 1)


@given(st.lists(st.just(0.0) | st.floats(0.125, 8), min_size=1, max_size=60).filter(any), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_an_item_occurs_floor_or_ceiling_of_its_due(weights: list[float], which: int) -> None:
    runs = Runs.of(np.array(weights, dtype=np.float32))
    resampling = Resampling(runs, "key")
    counts = epoch(resampling, which)
    units = np.rint(np.array(weights, dtype=np.float32) / runs.typical() * 2**20)
    due = units * resampling.length / units.sum()
    for item, expected in enumerate(due):
        assert np.floor(expected - 1e-9) <= counts[item] <= np.ceil(expected + 1e-9)


def test_a_correction_of_weight_three_occurs_three_times_an_epoch() -> None:
    weights = np.ones(500, dtype=np.float32)
    weights[100:120] = 3
    weights[300:340] = 0
    resampling = Resampling(Runs.of(weights), 7)
    for which in range(3):
        counts = epoch(resampling, which)
        assert {counts[i] for i in range(100, 120)} == {3}
        assert {counts[i] for i in range(300, 340)} == {0}
        assert {counts[i] for i in range(100)} == {1}
    assert resampling.length == 500 - 20 - 40 + 60


def test_a_small_weight_is_drawn_in_some_epochs_and_adds_up() -> None:
    weights = np.ones(100, dtype=np.float32)
    weights[0] = 0.25
    resampling = Resampling(Runs.of(weights), 1)
    counts = [epoch(resampling, which)[0] for which in range(200)]
    assert set(counts) == {0, 1}
    assert sum(counts) == pytest.approx(50, abs=20)


def test_a_weight_beyond_all_measure_occurs_a_thousand_times_and_the_others_at_times() -> None:
    weights = np.full(50, 1e-30, dtype=np.float32)
    weights[7] = 8.0
    counts = epoch(Resampling(Runs.of(weights), 1))
    assert counts == {7: 1000}


def test_epochs_come_in_different_orders() -> None:
    resampling = Resampling(Runs.of(np.ones(50, dtype=np.float32)), 1)
    orders = {tuple(resampling.at(50 * which + i)[1] for i in range(50)) for which in range(5)}
    assert len(orders) == 5


def test_balancing_gives_every_group_the_same_number_of_draws() -> None:
    weights = np.ones(900, dtype=np.float32)
    weights[880:] = 0
    runs = Runs.of(weights, breaks=[0, 600, 700, 880])
    resampling = Resampling(runs.balanced(np.array([5, 9, 5, 2])), 1)
    counts = epoch(resampling)
    of_nine = sum(counts[i] for i in range(600, 700))
    assert of_nine == pytest.approx(sum(counts.values()) / 2, abs=1)
    assert sum(counts[i] for i in range(880, 900)) == 0


def test_memory_follows_the_runs_not_the_items() -> None:
    weights = np.ones(3_000_000, dtype=np.float32)
    weights[2_000_000:2_000_010] = 2
    runs = Runs.of(weights)
    assert runs.starts.tolist() == [0, 2_000_000, 2_000_010]
    assert Resampling(runs, 1).length == 3_000_010


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(NothingToDrawError):
        Resampling(Runs.of(np.zeros(4, dtype=np.float32)), 1)


@given(st.floats(0.01, 0.99), st.integers(1, 70), st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_a_fork_gives_each_side_its_numbers_without_holes(share: float, block: int, blocks: int) -> None:
    fork = Fork(share, block, "key")
    first = blocks * block
    sides: dict[bool, list[int]] = {True: [], False: []}
    for n in range(first, first + block):
        side, at = fork.at(n)
        sides[side].append(at)
    due = share * first
    for numbers, before in ((sides[True], due), (sides[False], first - due)):
        if numbers:
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert abs(numbers[0] - before) <= 0.5 + 1e-3
    assert abs(len(sides[True]) - share * block) < 1 + 1e-3


def test_the_share_is_within_one_per_cent_over_ten_thousand_samples() -> None:
    plan = schedule({0: 3.0, 1: 1.0}, {2: 1.0, 3: 1.0, 4: 6.0}, 0.66, None, 1)
    counts = Counter(plan.at(n)[0] for n in range(10_000))
    expected = {0: 0.495, 1: 0.165, 2: 0.0425, 3: 0.0425, 4: 0.255}
    for source, share in expected.items():
        assert float(plan.share(source)) == pytest.approx(share, abs=1e-9)
        assert counts[source] / 10_000 == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("share", "size"), [(0.5, 64), (0.66, 64), (0.5, 7), (0.31, 1)])
def test_an_exact_share_is_exact_in_every_batch_and_carries_what_is_left(share: float, size: int) -> None:
    plan = schedule({0: 1.0, 1: 1.0}, {2: 1.0}, share, size, 1)
    robots = [sum(plan.at(n)[0] < 2 for n in range(b * size, (b + 1) * size)) for b in range(100)]
    assert set(robots) <= {int(np.floor(share * size)), int(np.ceil(share * size))}
    assert np.abs(np.cumsum(robots) - share * size * np.arange(1, 101)).max() <= 0.5 + 1e-9


def test_sources_of_one_kind_get_everything() -> None:
    plan = schedule({}, {0: 1.0, 1: 1.0}, 0.5, 8, 1)
    assert Counter(plan.at(n)[0] for n in range(1000)) == {0: 500, 1: 500}
