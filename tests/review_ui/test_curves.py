"""Thinning a curve keeps what one looks for in it: its extremes, its ends and its holes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from review_ui.web.curves import MAX_POINTS, thin

samples = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf]), min_size=1, max_size=400)


@given(samples, st.integers(10, 60))
def test_a_thinned_curve_keeps_extremes_ends_and_order(values: list[float], most: int) -> None:
    array = np.array(values)
    t_ns = np.arange(len(array), dtype=np.int64) * 5
    times, kept = thin(t_ns, array, most)
    assert len(times) == len(kept) <= max(most, 10)
    assert np.all(np.diff(times) > 0)
    assert (times[0], times[-1]) == (t_ns[0], t_ns[-1])
    finite = array[np.isfinite(array)]
    if len(finite):
        assert np.nanmin(kept) == finite.min()
        assert np.nanmax(kept) == finite.max()
    assert not np.any(np.isinf(kept))
    known = np.isfinite(kept)
    assert np.array_equal(kept[known], array[times[known] // 5])


def test_a_short_curve_stays_whole() -> None:
    t_ns, values = np.arange(MAX_POINTS, dtype=np.int64), np.random.default_rng(1).normal(size=MAX_POINTS)
    times, kept = thin(t_ns, values)
    assert np.array_equal(times, t_ns)
    assert np.array_equal(kept, values)


def test_one_sample_among_a_million_is_seen() -> None:
    values = np.zeros(1_000_000)
    values[765_432] = 1.0
    times, kept = thin(np.arange(len(values), dtype=np.int64), values)
    assert len(kept) <= MAX_POINTS
    assert kept[times == 765_432] == 1.0


def test_a_hole_stays_a_hole() -> None:
    values = np.ones(100_000)
    values[40_000:60_000] = np.nan
    times, kept = thin(np.arange(len(values), dtype=np.int64), values)
    inside = (times > 40_200) & (times < 59_800)
    assert np.all(np.isnan(kept[inside]))
    assert np.count_nonzero(inside) > 100
    assert not np.any(np.isnan(kept[~inside & ((times < 39_800) | (times > 60_200))]))
