"""ReplayOperator: recorded frames come again with their own timing."""

from __future__ import annotations

import pytest

from teleloom.clock import VirtualClock
from teleloom.episode.streams import columns_of
from teleloom.messages import Controller, XrFrame
from teleop.operator import OperatorError
from teleop.sources.newest import carry_faults
from teleop.sources.replay import ReplayOperator, frames_of

MS = 1_000_000
POSE = (0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 1.0)


def frame(t_ms: float, seq: int, **right: object) -> XrFrame:
    return XrFrame(t_ns=round(t_ms * MS), seq=seq, right=Controller(pose=POSE, **right))


def test_each_frame_comes_as_long_after_opening_as_it_was_recorded() -> None:
    clock = VirtualClock(start_ns=7_000 * MS)
    operator = ReplayOperator([frame(100, 0), frame(111, 1), frame(122, 2)], clock)
    assert operator.poll() is None
    operator.open()
    given = []
    for tick in range(6):
        clock.sleep_until((7_000 + 5 * tick) * MS)
        got = operator.poll()
        given.append(None if got is None else (got.seq, got.t_ns // MS))
    assert given == [(0, 7000), None, None, (1, 7011), None, (2, 7022)]
    assert operator.done
    assert operator.poll() is None


def test_the_newest_due_frame_wins() -> None:
    clock = VirtualClock()
    operator = ReplayOperator([frame(0, 0), frame(11, 1), frame(22, 2)], clock)
    operator.open()
    clock.sleep_until(30 * MS)
    got = operator.poll()
    assert got is not None
    assert got.seq == 2


def test_a_fault_in_a_frame_that_was_skipped_is_still_seen() -> None:
    clock = VirtualClock()
    operator = ReplayOperator([frame(0, 0), frame(11, 1, tracked=False), frame(22, 2)], clock)
    operator.open()
    clock.sleep_until(30 * MS)
    got = operator.poll()
    assert got is not None
    assert got.right is not None
    assert not got.right.tracked


def test_start_ns_keeps_the_phase_of_the_recording() -> None:
    clock = VirtualClock(start_ns=50 * MS)
    operator = ReplayOperator([frame(103, 0)], clock, start_ns=100 * MS)
    operator.open()
    clock.sleep_until(52 * MS)
    assert operator.poll() is None
    clock.sleep_until(55 * MS)
    got = operator.poll()
    assert got is not None
    assert got.t_ns == 53 * MS


def test_opening_again_starts_anew() -> None:
    clock = VirtualClock()
    operator = ReplayOperator([frame(5, 0)], clock)
    for _ in range(2):
        operator.open()
        assert operator.poll() is not None
        operator.close()
        assert operator.poll() is None


def test_what_cannot_be_replayed_is_refused() -> None:
    with pytest.raises(OperatorError, match="no frame"):
        ReplayOperator([])
    with pytest.raises(OperatorError, match="in order"):
        ReplayOperator([frame(10, 0), frame(5, 1)])


def test_frames_survive_the_episodes_columns() -> None:
    full = Controller(
        pose=POSE,
        active=True,
        tracked=False,
        linear_velocity=(0.1, 0.2, 0.3),
        angular_velocity=(1.0, 2.0, 3.0),
        squeeze=0.5,
        trigger=0.25,
        stick=(-1.0, 0.5),
        primary=True,
        secondary=False,
    )
    frames = [
        XrFrame(t_ns=1, seq=0, head=POSE, left=full, right=None),
        XrFrame(t_ns=2, seq=2, t_device_ns=17, head=None, left=None, right=full),
    ]
    assert frames_of(columns_of(frames)) == frames


def test_carried_faults_leave_a_good_hand_alone() -> None:
    good = Controller(pose=POSE)
    unread = XrFrame(t_ns=0, seq=0, left=good, right=Controller(pose=POSE, active=False))
    newest = carry_faults(unread, XrFrame(t_ns=1, seq=1, left=good, right=good))
    assert newest.left == good
    assert newest.right is not None
    assert newest.right.active
    assert not newest.right.tracked
    assert carry_faults(newest, newest) == newest
