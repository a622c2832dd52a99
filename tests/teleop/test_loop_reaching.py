"""Quick reaches of the hand: the arm comes after, as well as its joints can, and does not shoot past."""

import math

import pytest
from ideal_robot import PANDA, Bench

from teleloom.clock import NS_PER_S
from teleop import supervisor
from teleop.config import TeleopConfig
from teleop.motion import Motion
from teleop.pilot import Target

HAND = (0.1, -0.2, 1.1, 0.0, 0.0, 0.0, 1.0)
FRAME_NS = NS_PER_S // 90
TREMOR_HZ, TREMOR_M = 9.0, 0.0007


def bench_at(x, z):
    """A bench whose arm begins with its tool at (x, 0, z), pointing down."""
    motion = Motion(PANDA, TeleopConfig())
    target = Target((x, 0.0, z, *motion.tool[3:]), 1.0)
    for _ in range(800):
        motion.accept(motion.plan(target))
    bench = Bench(spec=PANDA.model_copy(update={"home_q": motion.q}))
    bench.engage(HAND)
    bench.show(HAND, 1.0, 10)
    return bench


def travel(t, distance, acceleration):
    """How far a hand is that speeds up and slows down evenly over the distance, m."""
    whole = 2.0 * math.sqrt(distance / acceleration)
    if t < whole / 2.0:
        return 0.5 * acceleration * t * t
    return distance - 0.5 * acceleration * max(whole - t, 0.0) ** 2


def lead(bench, path, seconds):
    """Ticks of an arm led by 90 Hz frames of a hand at HAND + path(t)."""
    start, due, ticks = bench.clock.now_ns(), 0, []
    while (elapsed := bench.clock.now_ns() - start) < seconds * NS_PER_S:
        frame = None
        if elapsed >= due:
            due += FRAME_NS
            x, y, z = path(elapsed / NS_PER_S)
            frame = bench.frame((HAND[0] + x, HAND[1] + y, HAND[2] + z, *HAND[3:]), 1.0)
        ticks.append(bench.tick(frame))
    return ticks


@pytest.mark.parametrize("x", [0.3, 0.35, 0.4, 0.5, 0.7])
@pytest.mark.parametrize(("start_z", "reach"), [(0.12, -0.08), (0.25, -0.2), (0.15, 0.2)])
def test_a_quick_reach_does_not_overshoot_wherever_the_arm_stands(x, start_z, reach):
    """Near the base the joints brake the tool at less than 2 m/s²; the hand brakes at 5."""
    bench = bench_at(x, start_z)
    way = math.copysign(1.0, reach)
    ticks = lead(bench, lambda t: (0.0, 0.0, way * travel(t, abs(reach), 5.0)), 1.2)
    farthest = max(way * tick.target_filtered[2] for tick in ticks)
    assert max(way * tick.target_executed[2] for tick in ticks) <= farthest + 2e-3
    assert abs(ticks[-1].target_executed[2] - (start_z + reach)) < 3e-3


def test_an_unhurried_hand_that_trembles_meets_no_limit():
    bench = bench_at(0.5, 0.25)

    def path(t):
        return tuple(
            0.1 * math.sin(1.5 * t + phase) - 0.1 * math.sin(phase)
            + TREMOR_M * math.sin(2 * math.pi * TREMOR_HZ * t + 3 * phase)
            for phase in (0.0, 1.0, 2.0)
        )  # fmt: skip

    ticks = lead(bench, path, 4.0)
    assert {name for tick in ticks for name in tick.interventions} == set()
    behind = [math.dist(tick.target_filtered[:3], tick.target_executed[:3]) for tick in ticks]
    assert max(behind) < 6e-3


def test_an_arm_left_behind_by_a_hasty_hand_says_why():
    bench = bench_at(0.35, 0.3)
    ticks = lead(bench, lambda t: (0.0, 0.0, -travel(t, 0.2, 8.0)), 0.6)
    named = [supervisor.ACCELERATION_LIMIT in tick.interventions for tick in ticks]
    assert any(named)
    for tick, name in zip(ticks, named, strict=True):
        assert not name or math.dist(tick.target_filtered[:3], tick.target_executed[:3]) > 0.02
    assert not any(named[-20:])
