"""The curves: what is drawn, where, and that nothing strange breaks them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from recorder.inspection.curves import LEFT, RIGHT, WIDTH, Band, Lane, Piece, Series, envelope, figure, nice_ticks


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0.0, 10.0, 10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (0.0, 6.0, 4, [0, 2, 4, 6]),
        (-0.13, 0.13, 3, [-0.1, 0, 0.1]),
        (3.0, 3.0, 5, [3.0]),
    ],
)
def test_ticks_are_round_and_few(low: float, high: float, most: int, expected: list[float]) -> None:
    assert nice_ticks(low, high, most) == pytest.approx(expected)


def test_thinning_keeps_a_peak_of_one_sample() -> None:
    values = np.zeros(10_000)
    values[6_543] = 5.0
    t_s, kept = envelope(np.arange(10_000.0), values, 100)
    assert len(kept) <= 200
    assert kept.max() == 5.0
    assert t_s[kept.argmax()] == 6_543.0


def test_a_hole_in_the_data_is_a_hole_in_the_line() -> None:
    values = np.array([0.0, 1.0, np.nan, 1.0, 0.0])
    svg = figure([Lane("x", "m", [Series("x", np.arange(5.0), values, "s0")])], 4.0)
    line = re.search(r'd="([^"]*)" class="s0"', svg)
    assert line is not None
    assert line.group(1).count("M") == 2


def test_a_piece_is_drawn_at_its_time() -> None:
    svg = figure([Band("mode", [Piece(2.0, 4.0, "mode-human", "human")])], 8.0)
    x, width = (float(value) for value in re.search(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg).groups())
    plot = WIDTH - LEFT - RIGHT
    assert x == pytest.approx(LEFT + plot / 4, abs=0.1)
    assert width == pytest.approx(plot / 4, abs=0.1)


@pytest.mark.parametrize("values", [[np.nan] * 3, [], [2.0, 2.0, 2.0]])
def test_data_that_have_no_range_are_drawn_without_complaint(values: list[float]) -> None:
    series = Series("x", np.arange(float(len(values))), np.array(values), "s0")
    assert "nan" not in figure([Lane("x", "m", [series])], 3.0)
