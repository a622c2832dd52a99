"""The scripted operator at the tasks of the simulated kitchen, through mapping, filter, supervisor, IK and physics."""

import pytest

from robots.mujoco.tasks import TASKS
from station.rehearsal import rehearse
from teleop.sources.scripted.habits import ScriptedOperatorConfig


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("robot", "seed"), [("panda", 0), ("panda", 1), ("ur5e", 0)])
def test_every_arm_does_every_task(robot: str, seed: int, task: str) -> None:
    attempt = rehearse(robot, task, seed)
    assert attempt.success, attempt
    assert attempt.outcome == "success"
    assert 4.0 < attempt.robot_s < 25.0


def test_the_same_seed_takes_the_same_way() -> None:
    first, again = (rehearse("panda", "stack", 5) for _ in range(2))
    assert (first.robot_s, first.engagements, first.interventions) == (
        again.robot_s,
        again.engagements,
        again.interventions,
    )


def test_mistakes_are_corrected_or_end_in_a_failure_that_the_operator_sees() -> None:
    stubborn = ScriptedOperatorConfig(mistake_rate=1.0, give_up_rate=0.0)
    hasty = ScriptedOperatorConfig(mistake_rate=1.0, give_up_rate=1.0)
    corrected = [rehearse("panda", "put-in-bowl", seed, stubborn) for seed in range(2)]
    given_up = [rehearse("panda", "put-in-bowl", seed, hasty) for seed in range(2)]
    assert [attempt.outcome for attempt in corrected] == ["success"] * 2
    assert [attempt.outcome for attempt in given_up] == ["failure"] * 2
    assert all((attempt.outcome == "success") == attempt.success for attempt in corrected + given_up)


def test_an_episode_of_the_robot_costs_a_fraction_of_its_time() -> None:
    attempt = rehearse("panda", "put-in-bowl", 2)
    assert attempt.cpu_s < attempt.robot_s / 2.0
