"""What the scripted operator does with its hand, its eyes and its fingers, on an arm without physics."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from following_arm import ENGAGE, HOME, RELEASE, FollowingArm, Sitting, sit

from robots.mujoco.tasks.waypoint import Waypoint
from teleloom import messages, pose
from teleop.operator import HapticPattern, Hud, Operator
from teleop.sources.scripted.habits import ScriptedOperatorConfig
from teleop.sources.scripted.mistakes import Mistake, spoiled, with_mistake

STEADY = {"hesitation_rate_hz": 0.0, "reclutch_rate_hz": 0.0}
TREMOR_PEAK_M = 0.004


def away(x: float, y: float, z: float, yaw: float = 0.0) -> np.ndarray:
    turn = pose.quat_from_rotvec([0.0, 0.0, yaw])
    return pose.make(HOME[:3] + np.array((x, y, z)), pose.quat_multiply(turn, HOME[3:]))


def pick_and_place() -> list[Waypoint]:
    return [
        Waypoint(away(0.1, 0.1, -0.15), 1.0, 0.02, 0.15, label="over"),
        Waypoint(away(0.1, 0.1, -0.25), 1.0, 0.006, 0.10, label="around"),
        Waypoint(away(0.1, 0.1, -0.25), 0.0, 0.012, 0.15, 0.5, label="grasp"),
        Waypoint(away(0.1, 0.1, -0.10), 0.0, 0.02, 0.15, label="lift"),
        Waypoint(away(-0.05, -0.2, -0.15, yaw=1.2), 0.0, 0.008, 0.10, 0.1, label="carry"),
        Waypoint(away(-0.05, -0.2, -0.15, yaw=1.2), 1.0, 0.015, 0.15, 0.4, label="let go"),
        Waypoint(away(-0.05, -0.2, -0.05, yaw=1.2), 1.0, 0.03, 0.2, label="move away"),
    ]


def engagements(sitting: Sitting) -> int:
    squeezed = sitting.hand("squeeze") > ENGAGE
    return int(np.count_nonzero(squeezed[1:] & ~squeezed[:-1]))


def test_it_is_an_operator() -> None:
    assert isinstance(sit([]).operator, Operator)


def test_the_same_seed_gives_identical_frames_and_another_does_not() -> None:
    first, again, other = (sit(pick_and_place(), seed).frames for seed in (3, 3, 4))
    assert [messages.encode(frame) for frame in first] == [messages.encode(frame) for frame in again]
    assert [messages.encode(frame) for frame in first] != [messages.encode(frame) for frame in other]


def test_frames_come_at_90_hz_with_no_number_left_out() -> None:
    frames = sit(pick_and_place()).frames
    assert [frame.seq for frame in frames] == list(range(len(frames)))
    start = frames[0].t_ns
    assert all(frame.t_ns == start + round(k * 1e9 / 90.0) for k, frame in enumerate(frames))


def test_a_late_poll_gets_the_newest_frame_and_the_numbers_show_the_gap() -> None:
    sitting = sit([])
    clock = sitting.operator._clock
    last = sitting.frames[-1]
    clock.sleep_until(last.t_ns + 1_000_000_000)
    frame = sitting.operator.poll()
    assert frame is not None
    assert frame.seq == last.seq + 90
    assert sitting.operator.poll() is None


def test_the_tool_is_brought_to_every_waypoint_within_its_tolerance() -> None:
    for seed in range(3):
        sitting = sit(pick_and_place(), seed)
        for waypoint in pick_and_place():
            ends = [k for k, (now, after) in enumerate(pairwise(sitting.doing)) if now == waypoint.label != after]
            off_m, off_rad = pose.distance(sitting.tools[ends[-1]], waypoint.pose)
            assert off_m <= waypoint.position_tolerance_m
            assert off_rad <= waypoint.rotation_tolerance_rad


def test_the_hand_is_as_fast_as_a_hand_and_no_faster() -> None:
    config = ScriptedOperatorConfig()
    fastest = []
    for seed in range(3):
        sitting = sit(pick_and_place(), seed, tremor_m=0.0, tremor_rad=0.0)
        fastest.append(np.linalg.norm(np.diff(sitting.hand("pose")[:, :3], axis=0), axis=1).max() * 90.0)
        told = np.linalg.norm(sitting.hand("linear_velocity"), axis=1).max()
        assert told == pytest.approx(fastest[-1], rel=0.02)
    assert min(fastest) > 0.2
    assert max(fastest) <= 1.1 * config.speed_m_s


def test_a_hand_that_holds_the_clutch_stays_within_its_reach() -> None:
    config = ScriptedOperatorConfig()
    for seed in range(3):
        sitting = sit(pick_and_place(), seed)
        held = sitting.hand("squeeze") > RELEASE
        offset = np.abs(sitting.hand("pose")[held, :3] - config.comfortable[:3])
        assert (offset <= np.array(config.workspace_m) + TREMOR_PEAK_M).all()
        turn = [pose.distance(config.comfortable, hand)[1] for hand in sitting.hand("pose")[held]]
        assert max(turn) <= config.wrist_rad + 0.02


def test_a_way_longer_than_the_arm_takes_several_holds() -> None:
    there = [Waypoint(away(0.9, -0.7, 0.3), 1.0, 0.01, 0.1)]
    far = sit(there, **STEADY)
    assert engagements(far) >= 2
    assert pose.distance(far.tools[-1], there[0].pose)[0] < 0.01
    assert engagements(sit([Waypoint(away(0.1, 0.1, -0.1), 1.0)], **STEADY)) == 1


def test_re_clutches_and_hesitation_come_at_their_rates_and_the_work_is_done_all_the_same() -> None:
    plan = pick_and_place() * 2
    calm = [sit(plan, seed, **STEADY) for seed in range(2)]
    restless = [sit(plan, seed, hesitation_rate_hz=0.0, reclutch_rate_hz=0.5) for seed in range(2)]
    hesitant = [sit(plan, seed, hesitation_rate_hz=0.5, reclutch_rate_hz=0.0) for seed in range(2)]
    assert sum(map(engagements, restless)) >= sum(map(engagements, calm)) + 2
    assert sum(map(engagements, hesitant)) == sum(map(engagements, calm))
    assert sum(len(s.frames) for s in hesitant) > sum(len(s.frames) for s in calm) + 2 * 0.4 * 90
    for sitting in (*calm, *restless, *hesitant):
        assert pose.distance(sitting.tools[-1], plan[-1].pose)[0] < plan[-1].position_tolerance_m


def test_the_trigger_moves_only_while_the_clutch_is_held() -> None:
    for seed in range(3):
        sitting = sit(pick_and_place(), seed, reclutch_rate_hz=0.5)
        trigger, squeeze = sitting.hand("trigger"), sitting.hand("squeeze")
        assert trigger.max() == 1.0
        assert trigger[-1] == 0.0
        assert (squeeze[1:][np.diff(trigger) != 0.0] > ENGAGE).all()


@pytest.mark.parametrize(
    ("success", "last", "outcome"), [(True, "primary", "success"), (False, "secondary", "failure")]
)
def test_primary_starts_and_the_verdict_ends(success: bool, last: str, outcome: str) -> None:
    sitting = sit(pick_and_place(), arm=FollowingArm(success=success))
    presses = []
    for before, after in pairwise(sitting.frames):
        for button in ("primary", "secondary"):
            if getattr(after.right, button) and not getattr(before.right, button):
                presses.append((button, after.t_ns, after.right.squeeze))
    assert [button for button, _, _ in presses] == ["primary", last]
    assert all(squeeze == 0.0 for _, _, squeeze in presses)
    assert sitting.operator.outcome == outcome
    released_ns = max(frame.t_ns for frame in sitting.frames if frame.right.squeeze > 0.0)
    assert presses[1][1] - released_ns >= 0.5e9


def test_after_a_fault_it_lets_go_squeezes_again_and_finishes() -> None:
    calm = sit(pick_and_place(), **STEADY)
    hit = next(k for k, doing in enumerate(calm.doing) if doing == "over" and calm.frames[k].right.squeeze == 1.0) + 20

    def fault(index: int, operator: Operator) -> None:
        if index == hit:
            operator.feedback(HapticPattern.FAULT, Hud(refusal="the arm pushes too hard"))

    sitting = sit(pick_and_place(), meddle=fault, **STEADY)
    assert engagements(sitting) == engagements(calm) + 1
    assert any(frame.right.squeeze == 0.0 for frame in sitting.frames[hit : hit + 60])
    assert pose.distance(sitting.tools[-1], pick_and_place()[-1].pose)[0] < 0.03


def test_an_arm_that_does_not_move_is_given_up_as_failed() -> None:
    class StuckArm(FollowingArm):
        def follow(self, frame: object) -> None:
            pass

    sitting = sit(pick_and_place() * 9, arm=StuckArm(success=False), patience_s=12.0)
    assert sitting.operator.outcome == "failure"
    assert 12.0 < len(sitting.frames) / 90.0 < 25.0


def test_a_config_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="tremor_mm"):
        ScriptedOperatorConfig(tremor_mm=1.0)


@pytest.mark.parametrize("mistake", Mistake)
def test_a_mistake_changes_the_plan_once_and_the_rest_follows_unless_the_operator_gives_up(mistake: Mistake) -> None:
    right = pick_and_place() * 2
    wrong = list(with_mistake(iter(right), mistake, np.random.default_rng(0), gives_up=False))
    short = list(with_mistake(iter(right), mistake, np.random.default_rng(0), gives_up=True))
    assert len(short) < len(wrong) == len(right)
    moved = max(pose.distance(a.pose, b.pose)[0] for a, b in zip(wrong, right, strict=True))
    assert 0.03 < moved < 0.4


def test_mistakes_come_at_their_rate() -> None:
    def positions(plan: Iterable[Waypoint]) -> list[list[float]]:
        return [waypoint.pose.tolist() for waypoint in plan]

    rng = np.random.default_rng(0)
    right = pick_and_place()
    spoils = sum(positions(spoiled(iter(right), rng, 0.3, 0.5)) != positions(right) for _ in range(400))
    assert spoils == pytest.approx(120, abs=30)
