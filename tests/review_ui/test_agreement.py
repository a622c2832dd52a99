"""Krippendorff's α against its published values and its definition; boundaries matched against all ways to match."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from review_ui.agreement import (
    BoundaryMatch,
    Level,
    TooLittleError,
    alpha,
    match_boundaries,
    segment_boundaries,
)

_ = np.nan

# Krippendorff 2011, example C: four observers, twelve units, five values; nominal 0.743, ordinal 0.815, interval 0.849.
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
)
# Krippendorff 2011, example A: two observers, ten units, binary; 0.095.
TWO_OBSERVERS = np.array(
    [
        [0, 1, 0, 0, 0, 0, 0, 0, 1, 0],
        [1, 1, 1, 0, 0, 1, 0, 0, 0, 0],
    ],
    dtype=float,
)
# The example that Wikipedia's article computes: three coders, fifteen units; nominal 0.691, interval 0.811.
THREE_CODERS = np.array(
    [
        [_, _, _, _, _, 3, 4, 1, 2, 1, 1, 3, 3, _, 3],
        [1, _, 2, 1, 3, 3, 4, 3, _, _, _, _, _, _, _],
        [_, _, 2, 1, 3, 4, 4, _, 2, 1, 1, 3, 3, _, 4],
    ]
)


@pytest.mark.parametrize(
    ("ratings", "level", "published"),
    [
        (FOUR_OBSERVERS, "nominal", 0.743421),
        (FOUR_OBSERVERS, "ordinal", 0.815388),
        (FOUR_OBSERVERS, "interval", 0.849107),
        (TWO_OBSERVERS, "nominal", 0.095238),
        (THREE_CODERS, "nominal", 0.691358),
        (THREE_CODERS, "interval", 0.810845),
    ],
)
def test_alpha_is_as_published(ratings: NDArray[np.float64], level: Level, published: float) -> None:
    assert alpha(ratings, level) == pytest.approx(published, abs=1e-6)
    assert alpha(ratings, level) == pytest.approx(by_definition(ratings, level), abs=1e-12)


def by_definition(ratings: NDArray[np.float64], level: Level) -> float:
    """α from the pairs themselves: disagreement within units over disagreement between any two ratings."""
    units = [[value for value in column if not np.isnan(value)] for column in ratings.T]
    units = [unit for unit in units if len(unit) >= 2]
    pool = [value for unit in units for value in unit]

    def apart(a: float, b: float) -> float:
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        low, high = min(a, b), max(a, b)
        between = sum(low <= value <= high for value in pool)
        return (between - (pool.count(low) + pool.count(high)) / 2) ** 2 if a != b else 0.0

    observed = sum(sum(apart(a, b) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / len(pool)
    expected = sum(apart(a, b) for a, b in permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    return 1 - observed / expected


_rating = st.one_of(st.just(np.nan), st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0]))


@given(st.lists(st.lists(_rating, min_size=3, max_size=3), min_size=1, max_size=7), st.sampled_from(Level.__args__))
def test_alpha_is_what_its_definition_says(units: list[list[float]], level: Level) -> None:
    ratings = np.array(units).T
    try:
        found = alpha(ratings, level)
    except TooLittleError:
        pairable = [rated for column in units if len(rated := [v for v in column if not np.isnan(v)]) >= 2]
        assert len({value for rated in pairable for value in rated}) <= 1
        return
    assert found == pytest.approx(by_definition(ratings, level), abs=1e-9)
    assert found <= 1.0


def test_alpha_of_perfect_agreement_is_one_and_too_little_is_said() -> None:
    assert alpha(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]), "nominal") == 1.0
    with pytest.raises(TooLittleError, match="nothing was rated by two people"):
        alpha(np.array([[1.0, _], [_, 2.0]]), "nominal")
    with pytest.raises(TooLittleError, match="nothing was rated by two people"):
        alpha(np.empty((0, 0)), "nominal")
    with pytest.raises(TooLittleError, match="all ratings are 4"):
        alpha(np.array([[4.0, 4.0], [4.0, 4.0]]), "interval")


def test_a_hundred_thousand_units_take_no_time() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(1, 6, 100_000)
    ratings = np.where(random.random((4, 100_000)) < 0.5, truth, random.integers(1, 6, (4, 100_000))).astype(float)
    ratings[random.random(ratings.shape) < 0.5] = np.nan
    assert alpha(ratings, "nominal") == pytest.approx(0.25, abs=0.01)  # both know the truth in a quarter of the cases


S = 1_000_000_000


def test_boundaries_within_half_a_second_match_one_to_one() -> None:
    anna = segment_boundaries([(0, 2 * S), (2 * S, 5 * S), (6 * S, 8 * S)])
    ben = segment_boundaries([(0, 2 * S + S // 2), (5 * S - S // 2, 8 * S + S // 2 + 1)])
    assert anna.tolist() == [0, 2 * S, 5 * S, 6 * S, 8 * S]
    match = match_boundaries(anna, ben, S // 2)
    assert match == BoundaryMatch(first=5, second=4, matched=3)
    assert match.f1 == pytest.approx(2 * 3 / 9)
    assert (match + BoundaryMatch(1, 0, 0)).f1 == pytest.approx(2 * 3 / 10)
    assert match_boundaries(segment_boundaries([]), segment_boundaries([]), S).f1 == 1.0
    assert match_boundaries(anna, segment_boundaries([]), S).f1 == 0.0


_times = st.lists(st.integers(0, 30), max_size=5, unique=True).map(lambda times: np.array(sorted(times), np.int64))


@given(_times, _times, st.integers(0, 6))
def test_no_other_way_matches_more_boundaries(
    first: NDArray[np.int64], second: NDArray[np.int64], tolerance: int
) -> None:
    match = match_boundaries(first, second, tolerance)
    assert match.matched == most_matches(list(first), list(second), tolerance)
    assert match_boundaries(second, first, tolerance).matched == match.matched


def most_matches(first: list[int], second: list[int], tolerance: int) -> int:
    if not first:
        return 0
    others = [most_matches(first[1:], second, tolerance)]
    for mine, other in product(first[:1], second):
        if abs(mine - other) <= tolerance:
            rest = [time for time in second if time != other]
            others.append(1 + most_matches(first[1:], rest, tolerance))
    return max(others)
