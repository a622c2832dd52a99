import math

import numpy as np
import pytest

from teleloom import pose
from teleloom.clock import NS_PER_S
from teleop.config import FilterConfig
from teleop.filters import delay_s, predict, smooth

CONFIG = FilterConfig()
FRAME_NS = NS_PER_S // 90


def at(position=(0.0, 0.0, 0.0), rotvec=(0.0, 0.0, 0.0)):
    return tuple(pose.make(position, pose.quat_from_rotvec(rotvec)).tolist())


def run(path, frames):
    state = None
    for k in range(frames):
        state = smooth(k * FRAME_NS, path(k * FRAME_NS / NS_PER_S), state, CONFIG)
    return state


@pytest.mark.parametrize("speed", [0.05, 0.25, 1.0])
def test_at_a_constant_velocity_the_output_lags_by_the_stated_delay(speed):
    state = run(lambda t: at((speed * t, 0.0, 0.0)), 400)
    delay = delay_s(speed, CONFIG.position_min_cutoff_hz, CONFIG.position_beta_hz_s_m)
    assert state.pose[0] == pytest.approx(speed * (state.t_ns / NS_PER_S - delay), abs=1e-6)
    assert state.velocity[0] == pytest.approx(speed, rel=1e-6)


@pytest.mark.parametrize("spin", [0.2, 2.0])
def test_at_a_constant_spin_the_orientation_lags_by_the_stated_delay(spin):
    state = run(lambda t: at(rotvec=(0.0, spin * t, 0.0)), 400)
    delay = delay_s(spin, CONFIG.rotation_min_cutoff_hz, CONFIG.rotation_beta_hz_s_rad)
    expected = at(rotvec=(0.0, spin * (state.t_ns / NS_PER_S - delay), 0.0))
    assert pose.distance(state.pose, expected)[1] < 1e-6


def test_tremor_at_rest_is_damped():
    """10 Hz, 0.5 mm: what a resting hand does."""
    state, seen = None, []
    for k in range(360):
        x = 5e-4 * math.sin(2 * math.pi * 10.0 * k / 90.0)
        state = smooth(k * FRAME_NS, at((x, 0.0, 0.0)), state, CONFIG)
        seen.append(state.pose[0])
    assert np.ptp(seen[180:]) < 0.35 * 1e-3


def test_between_frames_the_estimate_moves_on_evenly():
    speed = 0.25
    state = run(lambda t: at((speed * t, 0.0, 0.0)), 400)
    later, velocity, _ = predict(state.t_ns + 5_000_000, state, CONFIG)
    assert later[0] - state.pose[0] == pytest.approx(speed * 0.005, rel=1e-6)
    assert velocity[0] == pytest.approx(speed, rel=1e-6)


def test_a_frame_is_carried_on_only_as_long_as_allowed_and_then_rests():
    state = run(lambda t: at((0.25 * t, 0.0, 0.0)), 400)
    late, velocity, spin = predict(state.t_ns + NS_PER_S, state, CONFIG)
    assert late[0] - state.pose[0] == pytest.approx(0.25 * CONFIG.extrapolation_s, rel=1e-6)
    assert velocity == spin == (0.0, 0.0, 0.0)


def test_a_frame_that_is_not_newer_changes_nothing():
    state = run(lambda t: at((0.25 * t, 0.0, 0.0)), 20)
    assert smooth(state.t_ns, at((9.0, 0.0, 0.0)), state, CONFIG) is state
    assert smooth(state.t_ns - 1, at((9.0, 0.0, 0.0)), state, CONFIG) is state


def test_turning_the_world_turns_the_output():
    rng = np.random.default_rng(1)
    world = pose.make([0.3, -0.2, 0.1], pose.quat_from_rotvec([0.4, 1.1, -0.7]))
    plain = turned = None
    for k in range(200):
        raw = at(rng.normal((0.002 * k, 0, 0), 0.01), rng.normal((0, 0.01 * k, 0), 0.02))
        plain = smooth(k * FRAME_NS, raw, plain, CONFIG)
        turned = smooth(k * FRAME_NS, tuple(pose.compose(world, raw).tolist()), turned, CONFIG)
    metres, radians = pose.distance(turned.pose, pose.compose(world, plain.pose))
    assert metres < 1e-12
    assert radians < 1e-7


def test_the_first_frame_passes_unchanged_at_rest():
    state = smooth(7, at((1.0, 2.0, 3.0)), None, CONFIG)
    assert predict(7, state, CONFIG) == (at((1.0, 2.0, 3.0)), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
