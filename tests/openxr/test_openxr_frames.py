"""The pure part of the OpenXR source: rebasing, freezing, haptics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from teleloom import pose
from teleloom.messages import Pose
from teleop.operator import HapticPattern
from teleop.sources.openxr.frames import FrameAssembler, HandSample, Rebase, XrSample
from teleop.sources.openxr.haptics import HapticSchedule
from teleop.sources.openxr.operator import OpenXrConfig

MS = 1_000_000
ANGLES = st.floats(-math.pi, math.pi)
NUMBERS = st.floats(-5.0, 5.0)
VECTORS = st.tuples(NUMBERS, NUMBERS, NUMBERS)


def at(x: float, y: float, z: float) -> Pose:
    return (x, y, z, 0.0, 0.0, 0.0, 1.0)


def sample(t_ms: int, hand: HandSample, *, recentred: bool = False) -> XrSample:
    return XrSample(t_ns=t_ms * MS, left=HandSample(), right=hand, recentred=recentred)


def held(xr_pose: Pose | None, **changes: object) -> HandSample:
    return HandSample(**{"pose": xr_pose, "active": True, "tracked": xr_pose is not None, **changes})


@pytest.mark.parametrize(
    ("xr", "base"),
    [((0.0, 0.0, -1.0), (1.0, 0.0, 0.0)), ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0))],
    ids=["forward", "left", "up"],
)
def test_the_operators_directions_are_the_robots(xr: tuple, base: tuple) -> None:
    np.testing.assert_allclose(Rebase().vector(xr), base, atol=1e-12)
    np.testing.assert_allclose(Rebase().pose(at(*xr))[:3], base, atol=1e-12)


def test_an_operator_facing_the_robot_turns_by_pi() -> None:
    np.testing.assert_allclose(Rebase(yaw_rad=math.pi).vector((0.0, 0.0, -1.0)), (-1.0, 0.0, 0.0), atol=1e-12)


@settings(deadline=None)
@given(ANGLES, VECTORS, VECTORS, VECTORS)
def test_rebasing_keeps_distances_and_turns_rotations_with_the_axes(
    yaw: float, position: tuple, first: tuple, second: tuple
) -> None:
    rebase = Rebase(yaw_rad=yaw)
    a = pose.make(position, pose.quat_from_rotvec(first))
    b = pose.make((0.0, 0.0, 0.0), pose.quat_from_rotvec(second))
    before, after = pose.distance(a, b), pose.distance(rebase.pose(a), rebase.pose(b))
    np.testing.assert_allclose(after, before, atol=1e-6)
    turn = pose.rotation_between(a[3:], b[3:])
    if np.linalg.norm(turn) < 3.0:
        rebased = pose.rotation_between(rebase.pose(a)[3:], rebase.pose(b)[3:])
        np.testing.assert_allclose(rebased, rebase.vector(turn), atol=1e-6)


@pytest.mark.parametrize(
    "matrix",
    [
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
        ((2.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        ((math.nan, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    ],
    ids=["mirror", "scaled", "nan"],
)
def test_a_base_from_xr_that_is_no_rotation_is_refused(matrix: tuple) -> None:
    with pytest.raises(ValidationError, match="not a rotation"):
        OpenXrConfig(base_from_xr=matrix)


def test_a_pose_that_repeats_makes_no_frame_until_it_has_been_frozen_for_the_timeout() -> None:
    frames = FrameAssembler(Rebase(), freeze_timeout_ns=60 * MS)
    made = [frames.frame(sample(t, held(at(0, 1, 0)))) for t in range(0, 100, 10)]
    assert [frame and frame.right.tracked for frame in made] == [True] + [None] * 6 + [False] * 3
    assert frames.frozen_hands == ("right",)
    moved = frames.frame(sample(100, held(at(0, 1, 1e-7))))
    assert moved.right.tracked
    assert moved.seq == 4
    assert frames.frozen_hands == ()


def test_a_control_that_changes_makes_a_frame_though_the_pose_repeats() -> None:
    frames = FrameAssembler(Rebase(), freeze_timeout_ns=60 * MS)
    frames.frame(sample(0, held(at(0, 1, 0))))
    assert frames.frame(sample(10, held(at(0, 1, 0), trigger=0.5))).right.trigger == 0.5


def test_a_hand_never_located_is_none_and_one_that_went_keeps_pose_squeeze_and_trigger() -> None:
    frames = FrameAssembler(Rebase(), freeze_timeout_ns=60 * MS)
    assert frames.frame(sample(0, HandSample())).right is None
    before = frames.frame(sample(10, held(at(1, 2, 3), squeeze=0.9, trigger=0.4, primary=True))).right
    gone = frames.frame(sample(20, HandSample())).right
    assert (gone.pose, gone.squeeze, gone.trigger) == (before.pose, 0.9, 0.4)
    assert (gone.active, gone.tracked, gone.primary) == (False, False, False)


def test_an_untracked_hand_that_lets_go_of_the_clutch_is_seen_to_let_go() -> None:
    frames = FrameAssembler(Rebase(), freeze_timeout_ns=60 * MS)
    frames.frame(sample(0, held(at(1, 2, 3), squeeze=0.9)))
    lost = frames.frame(sample(10, held(None, squeeze=0.1))).right
    assert lost.active
    assert not lost.tracked
    assert lost.squeeze == 0.1


@pytest.mark.parametrize("fault", [at(math.nan, 0, 0), at(0, math.inf, 0), (0.0,) * 7], ids=["nan", "inf", "no turn"])
def test_a_pose_that_is_no_pose_is_untracked_at_the_last_one(fault: Pose) -> None:
    frames = FrameAssembler(Rebase(), freeze_timeout_ns=60 * MS)
    good = frames.frame(sample(0, held(at(1, 2, 3)))).right
    bad = frames.frame(sample(10, held(fault))).right
    assert bad.pose == good.pose
    assert not bad.tracked


def test_recentring_untracks_every_hand_for_that_frame() -> None:
    frames = FrameAssembler(Rebase(), freeze_timeout_ns=60 * MS)
    tracked = [frames.frame(sample(t, held(at(0, 0, t)), recentred=t == 10)).right.tracked for t in range(0, 40, 10)]
    assert tracked == [True, False, True, True]


def test_frames_are_numbered_without_a_gap() -> None:
    frames = FrameAssembler(Rebase(), freeze_timeout_ns=60 * MS)
    assert [frames.frame(XrSample.nothing(t)).seq for t in range(4)] == [0, 1, 2, 3]


def test_a_haptic_pattern_asked_for_at_every_tick_plays_through() -> None:
    schedule, started = HapticSchedule(), []
    for t_ms in range(0, 900, 5):
        schedule.ask(HapticPattern.FAULT, t_ms * MS)
        started += [t_ms for _ in schedule.due(t_ms * MS)]
    assert started == [0, 300, 600]


def test_another_haptic_pattern_takes_the_place_of_the_one_that_plays() -> None:
    schedule = HapticSchedule()
    schedule.ask(HapticPattern.FAULT, 0)
    assert len(schedule.due(0)) == 1
    schedule.ask(HapticPattern.NONE, 10 * MS)
    schedule.ask(HapticPattern.RECORDING, 10 * MS)
    pulses = schedule.due(900 * MS)
    assert [(pulse.start_ns // MS, pulse.duration_ns // MS, pulse.amplitude) for pulse in pulses] == [
        (10, 100, 0.8),
        (210, 100, 0.8),
    ]
