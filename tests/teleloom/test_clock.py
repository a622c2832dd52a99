from __future__ import annotations

import time

from teleloom.clock import NS_PER_S, ClockAnchor, MonotonicClock, VirtualClock


def test_the_machines_clock_is_clock_monotonic() -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    now = MonotonicClock().now_ns()
    assert before <= now <= time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def test_sleeping_ends_no_earlier_than_asked_and_at_once_for_a_time_that_has_passed() -> None:
    clock = MonotonicClock()
    until = clock.now_ns() + 20_000_000
    clock.sleep_until(until)
    assert clock.now_ns() >= until
    clock.sleep_until(until - 3600 * NS_PER_S)
    assert clock.now_ns() < until + 60 * NS_PER_S


def test_an_anchor_carries_recorded_time_to_wall_time() -> None:
    clock = MonotonicClock()
    before = time.time_ns()
    anchor = clock.anchor()
    after = time.time_ns()
    assert before <= anchor.wall_ns <= after
    assert anchor.wall_at(anchor.monotonic_ns + 7) == anchor.wall_ns + 7
    assert ClockAnchor(monotonic_ns=100, wall_ns=1000).wall_at(90) == 990


def test_virtual_time_moves_only_when_told_and_never_back() -> None:
    clock = VirtualClock(start_ns=5, wall_ns=1000)
    assert clock.now_ns() == 5
    clock.sleep_until(9)
    clock.sleep_until(7)
    assert clock.now_ns() == 9
    assert clock.anchor() == ClockAnchor(monotonic_ns=9, wall_ns=1004)
    assert clock.anchor().wall_at(clock.now_ns()) == 1004
