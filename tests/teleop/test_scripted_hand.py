"""The motion of a human hand: bounded in speed, smooth across corrections, trembling in its band alone."""

import numpy as np
import pytest

from teleloom import pose
from teleop.sources.scripted.hand import Reach, Tremor, at_rest, pressed_toward, reach_duration, shaken

SPEED_M_S, TURN_RAD_S = 0.5, 2.5
HERE = pose.make([0.1, -0.2, 0.3], pose.quat_from_rotvec([0.2, 0.1, -0.3]))


def elsewhere(rng: np.random.Generator) -> np.ndarray:
    turn = pose.quat_from_rotvec(rng.uniform(-0.8, 0.8, 3))
    return pose.make(HERE[:3] + rng.uniform(-0.3, 0.3, 3), pose.quat_multiply(turn, HERE[3:]))


def test_a_reach_starts_and_ends_at_rest_exactly_where_it_should() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        there = elsewhere(rng)
        reach = Reach(at_rest(HERE), there, start_s=3.0, duration_s=0.8)
        for time_s, where in ((3.0, HERE), (3.8 - 1e-12, there), (3.8, there)):
            motion = reach.at(time_s)
            assert pose.distance(motion.pose, where) == pytest.approx((0.0, 0.0), abs=1e-9)
            assert np.abs(motion.velocity).max() < 1e-6
            assert np.abs(motion.acceleration).max() < 1e-4


@pytest.mark.parametrize(("shortest_s", "least_share"), [(1e-6, 0.999), (0.25, 0.3)])
def test_a_reach_nears_the_wanted_speed_and_never_passes_it(shortest_s: float, least_share: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        there = elsewhere(rng)
        duration = reach_duration(HERE, there, SPEED_M_S, TURN_RAD_S, shortest_s)
        reach = Reach(at_rest(HERE), there, 0.0, duration)
        velocity = np.stack([reach.at(t).velocity for t in np.linspace(0.0, duration, 501)])
        share = max(
            np.linalg.norm(velocity[:, :3], axis=1).max() / SPEED_M_S,
            np.linalg.norm(velocity[:, 3:], axis=1).max() / TURN_RAD_S,
        )
        assert least_share < share <= 1.0 + 1e-9


def test_a_reach_is_straight_and_follows_the_minimum_jerk_profile() -> None:
    there = pose.make(HERE[:3] + np.array((0.2, 0.1, -0.1)), HERE[3:])
    reach = Reach(at_rest(HERE), there, 0.0, 1.0)
    for s in np.linspace(0.0, 1.0, 21):
        expected = pose.interpolate(HERE, there, 10 * s**3 - 15 * s**4 + 6 * s**5)
        assert reach.at(float(s)).pose == pytest.approx(expected, abs=1e-9)


def test_a_correction_in_mid_reach_keeps_position_velocity_and_acceleration() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        first = Reach(at_rest(HERE), pose.make(HERE[:3] + rng.uniform(-0.2, 0.2, 3), HERE[3:]), 0.0, 0.7)
        before = first.at(0.3)
        after = Reach(before, elsewhere(rng), 0.3, 0.6).at(0.3)
        assert after.pose == pytest.approx(before.pose, abs=1e-12)
        assert after.velocity == pytest.approx(before.velocity, abs=1e-9)
        assert after.acceleration == pytest.approx(before.acceleration, abs=1e-8)


def test_a_reach_refuses_to_take_no_time() -> None:
    with pytest.raises(ValueError, match="duration_s must be positive"):
        Reach(at_rest(HERE), HERE, 0.0, 0.0)


def test_tremor_has_the_wanted_size_and_lies_between_8_and_12_hz() -> None:
    rate_hz = 90.0
    for seed in range(5):
        tremor = Tremor(np.random.default_rng(seed), length_m=0.0007, angle_rad=0.004)
        samples = np.stack([tremor.at(k / rate_hz)[0] for k in range(3600)])
        assert np.sqrt((samples[:, :3] ** 2).sum(axis=1).mean()) == pytest.approx(0.0007, rel=0.05)
        assert np.sqrt((samples[:, 3:] ** 2).sum(axis=1).mean()) == pytest.approx(0.004, rel=0.05)
        power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))[:, None], axis=0)) ** 2
        frequency = np.fft.rfftfreq(len(samples), 1.0 / rate_hz)
        inside = (frequency > 7.8) & (frequency < 12.2)
        assert power[inside].sum() / power.sum() > 0.999


def test_tremor_rate_is_the_derivative_of_its_displacement() -> None:
    tremor = Tremor(np.random.default_rng(3), length_m=0.0007, angle_rad=0.004)
    step = 1e-5
    for time_s in np.linspace(0.0, 2.0, 40):
        slope = (tremor.at(time_s + step)[0] - tremor.at(time_s - step)[0]) / (2.0 * step)
        assert tremor.at(time_s)[1] == pytest.approx(slope, abs=1e-6)


def test_the_same_seed_trembles_alike_and_another_does_not() -> None:
    def trace(seed: int) -> list[list[float]]:
        tremor = Tremor(np.random.default_rng(seed), 0.0007, 0.004)
        return [shaken(at_rest(HERE), tremor, k / 90.0).pose.tolist() for k in range(100)]

    assert trace(7) == trace(7)
    assert trace(7) != trace(8)


def test_a_button_travels_in_its_time_and_stops_at_its_goal() -> None:
    values = [0.0]
    while values[-1] < 1.0:
        values.append(pressed_toward(values[-1], 1.0, press_s=0.1, dt_s=1.0 / 90.0))
    assert len(values) - 1 == 9
    assert pressed_toward(0.05, 0.0, press_s=0.1, dt_s=1.0 / 90.0) == 0.0
    assert pressed_toward(0.4, 0.4, press_s=0.1, dt_s=1.0 / 90.0) == 0.4
