import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from teleloom import pose
from teleop.config import MappingConfig
from teleop.mapping import map_hand, rebase

unit = st.floats(-1.0, 1.0)
scales = st.floats(0.05, 20.0)


@st.composite
def poses(draw):
    position = [2.0 * draw(unit) for _ in range(3)]
    quat = pose.quat_from_rotvec([3.0 * draw(unit) for _ in range(3)])
    return tuple(pose.make(position, quat).tolist())


def latch(hand, home, config):
    target, anchor = map_hand(hand, home, None, config)
    return target, anchor


@given(poses(), poses(), scales, scales)
def test_the_engaging_frame_gives_home_bitwise_at_any_scale(hand, home, translation, rotation):
    config = MappingConfig(translation_scale=translation, rotation_scale=rotation)
    target, anchor = latch(hand, home, config)
    assert target == home
    again, _ = map_hand(hand, home, anchor, config)
    assert again == home


@given(poses(), poses(), poses(), scales)
def test_translation_is_scaled_and_rotation_is_composed_on_the_left(hand, moved, home, scale):
    config = MappingConfig(translation_scale=scale)
    _, anchor = latch(hand, home, config)
    target, _ = map_hand(moved, home, anchor, config)
    expected = np.array(home[:3]) + scale * (np.array(moved[:3]) - np.array(hand[:3]))
    np.testing.assert_allclose(target[:3], expected, atol=1e-12)
    turned = pose.quat_multiply(pose.quat_multiply(moved[3:], pose.quat_conjugate(hand[3:])), home[3:])
    assert np.linalg.norm(pose.rotation_between(target[3:], turned)) < 1e-9


@given(poses(), poses(), poses(), poses())
def test_turning_the_world_turns_the_target(world, hand, moved, home):
    """Equivariance under rebase: map(W hand, W home) = W map(hand, home)."""
    config = MappingConfig(translation_scale=1.7)
    _, anchor = latch(hand, home, config)
    target, _ = map_hand(moved, home, anchor, config)

    def turned(p):
        return tuple(pose.compose(world, p).tolist())

    _, anchor = latch(turned(hand), turned(home), config)
    rebased, _ = map_hand(turned(moved), turned(home), anchor, config)
    metres, radians = pose.distance(rebased, turned(target))
    assert metres < 1e-12
    assert radians < 1e-7


def test_ten_thousand_re_clutches_leave_no_drift():
    """Out while engaged, back while released, and the other way round: the tool ends where the sums say."""
    rng = np.random.default_rng(0)
    config = MappingConfig()
    start = tool = (0.4, 0.1, 0.3, 0.0, 1.0, 0.0, 0.0)
    hand = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    for _ in range(5_000):
        move = pose.make(rng.normal(0.0, 0.1, 3), pose.quat_from_rotvec(rng.normal(0.0, 0.5, 3)))
        away = tuple(pose.make(hand[:3] + move[:3], pose.quat_multiply(move[3:], hand[3:])).tolist())
        for origin, end in ((hand, away), (away, hand)):
            _, anchor = latch(origin, tool, config)
            tool, _ = map_hand(end, tool, anchor, config)
    metres, radians = pose.distance(start, tool)
    assert metres < 1e-9
    assert radians < 1e-9


@given(poses(), poses(), poses(), scales, scales)
def test_changing_the_scale_while_engaged_does_not_jump(hand, moved, home, first, second):
    config = MappingConfig(translation_scale=first, rotation_scale=first)
    _, anchor = latch(hand, home, config)
    target, _ = map_hand(moved, home, anchor, config)
    changed = MappingConfig(translation_scale=second, rotation_scale=second)
    after, _ = map_hand(moved, home, rebase(moved, target), changed)
    assert after == target


def test_an_invalid_hand_drops_the_anchor_so_that_the_next_valid_one_latches_anew():
    config = MappingConfig()
    hand, home = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), (0.5, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0)
    _, anchor = latch(hand, home, config)
    assert map_hand(None, home, anchor, config) == (None, None)
    far = (1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    target, _ = map_hand(far, home, None, config)
    assert target == home


def test_a_locked_axis_stays():
    config = MappingConfig(lock_translation=(False, False, True), lock_rotation=(True, True, False))
    hand, home = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), (0.5, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0)
    _, anchor = latch(hand, home, config)
    moved = (0.1, 0.2, 1.3, *pose.quat_from_rotvec([0.2, 0.3, 0.4]).tolist())
    target, _ = map_hand(moved, home, anchor, config)
    np.testing.assert_allclose(target[:3], (0.6, 0.2, 0.3))
    turn = pose.rotation_between(home[3:], target[3:])
    np.testing.assert_allclose(turn[:2], 0.0, atol=1e-12)
    assert turn[2] > 0.3


def test_a_scaled_rotation_goes_on_past_half_a_turn():
    config = MappingConfig(rotation_scale=0.5)
    home = (0.5, 0.0, 0.3, 0.0, 0.0, 0.0, 1.0)
    _, anchor = latch((0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), home, config)
    before = home
    for angle in np.linspace(0.05, 1.9 * math.pi, 80):
        hand = (0.0, 0.0, 1.0, *pose.quat_from_rotvec([0.0, 0.0, angle]).tolist())
        target, anchor = map_hand(hand, home, anchor, config)
        assert pose.distance(before, target)[1] < 0.05
        before = target
    assert abs(pose.distance(home, before)[1] - 0.95 * math.pi) < 1e-9
