"""Smoothness agrees with the reference of its authors, and with the closed form where there is one.

The reference is `scripts/smoothness.py` of github.com/siva82kb/SPARC by Balasubramanian. Its docstrings publish, for
`exp(-5 t²)` on -1 ≤ t < 1 s at 100 Hz, SPARC -1.41403, dimensionless jerk -335.74684 and LDLJ -5.81636. The further
digits, and the other profiles' figures, are what that code gives when it is run.
"""

from __future__ import annotations

import numpy as np
import pytest

from teleloom.quality import motion


def gaussian(rate_hz: float) -> np.ndarray:
    return np.exp(-5.0 * np.arange(-1.0, 1.0, 1.0 / rate_hz) ** 2)


def min_jerk_speed(rate_hz: float) -> np.ndarray:
    u = np.arange(0.0, 1.0, 1.0 / rate_hz)
    return 30.0 * u**2 - 60.0 * u**3 + 30.0 * u**4


def two_reaches() -> np.ndarray:
    reach = min_jerk_speed(100.0)
    return np.concatenate([reach, np.zeros(50), 0.6 * reach])


def wavering() -> np.ndarray:
    t = np.arange(0.0, 2.5, 0.01)
    return np.exp(-5.0 * (t - 1.0) ** 2) * (1.2 + np.sin(6.0 * np.pi * t))


def test_the_published_example_gives_the_published_figures() -> None:
    speed = gaussian(100.0)
    assert f"{motion.sparc(speed, 100.0):.5f}" == "-1.41403"
    assert f"{motion.log_dimensionless_jerk(speed, 100.0):.5f}" == "-5.81636"
    assert f"{-np.exp(-motion.log_dimensionless_jerk(speed, 100.0)):.5f}" == "-335.74684"


@pytest.mark.parametrize(
    ("speed", "rate_hz", "sparc", "ldlj"),
    [
        (gaussian(100.0), 100.0, -1.4140312617, -5.8163574148),
        (gaussian(80.0), 80.0, -1.4165352318, -5.8160683286),
        (min_jerk_speed(100.0), 100.0, -1.4058293244, -5.2241390675),
        (two_reaches(), 100.0, -2.5460293745, -8.3284496423),
        (wavering(), 100.0, -2.1260047422, -11.7881508802),
    ],
    ids=["gaussian", "gaussian at 80 Hz", "one reach", "two reaches", "wavering"],
)
def test_smoothness_is_that_of_the_reference_to_a_millionth(
    speed: np.ndarray, rate_hz: float, sparc: float, ldlj: float
) -> None:
    assert motion.sparc(speed, rate_hz) == pytest.approx(sparc, abs=1e-6)
    assert motion.log_dimensionless_jerk(speed, rate_hz) == pytest.approx(ldlj, abs=1e-6)


def test_ldlj_of_a_minimum_jerk_reach_tends_to_its_closed_form() -> None:
    # v = 30u²(1-u)²/T: ∫v̈²dt = 720/T⁵ and v_max = 1.875/T, so LDLJ = -ln(720/1.875²) = -ln 204.8. The difference
    # quotient leaves out the two ends, an error that falls with the rate; Richardson's step takes the rest away.
    coarse, fine = (motion.log_dimensionless_jerk(min_jerk_speed(rate), rate) for rate in (10_000.0, 20_000.0))
    assert fine == pytest.approx(-np.log(204.8), abs=1e-3)
    assert 2.0 * fine - coarse == pytest.approx(-np.log(204.8), abs=1e-6)


def test_smoothness_does_not_depend_on_how_fast_or_how_long_the_same_profile_is() -> None:
    speed = gaussian(100.0)
    assert motion.sparc(3.0 * speed, 100.0) == pytest.approx(motion.sparc(speed, 100.0), abs=1e-12)
    assert motion.log_dimensionless_jerk(3.0 * speed, 100.0) == pytest.approx(-5.8163574148, abs=1e-9)
    assert motion.log_dimensionless_jerk(speed, 50.0) == pytest.approx(-5.8163574148, abs=1e-9)
