"""One attempt at a task by the scripted operator, through the whole path, unrecorded: how often it succeeds."""

from __future__ import annotations

import time
from dataclasses import dataclass

from robots.mujoco.station import SimulatedStation
from station.config import kitchen_teleop
from station.lockstep import LockstepTimeoutError, describe_scene, run_lockstep
from station.session import Session
from teleloom.clock import NS_PER_S
from teleloom.episode.meta import EpisodeMeta, Outcome
from teleloom.messages import AnyMessage, Event
from teleop.config import TeleopConfig
from teleop.sources.scripted.habits import ScriptedOperatorConfig
from teleop.sources.scripted.operator import ScriptedOperator


@dataclass(frozen=True)
class Attempt:
    """How an attempt went.

    success: by the task's own check at the end. outcome: as the operator saw it, None where time ran out first.
    robot_s: simulated time, s. cpu_s: CPU time that took, s. engagements: how often the clutch took hold.
    interventions: what the supervisor did, by name, in order.
    """

    robot: str
    task: str
    seed: int
    success: bool
    outcome: str | None
    robot_s: float
    cpu_s: float
    engagements: int
    interventions: tuple[str, ...]


class _Notes:
    """An EpisodeSink that keeps nothing but the names of what happened."""

    def __init__(self) -> None:
        self.engagements = 0
        self.interventions: list[str] = []

    def start(self, meta: EpisodeMeta, t_ns: int) -> None:
        """Nothing is recorded."""

    def take(self, stream: str, message: AnyMessage) -> None:
        if isinstance(message, Event):
            self.engagements += message.kind == "clutch" and message.reason == "engaged"
            if message.kind == "intervention":
                self.interventions.append(message.reason)

    def keep(self, outcome: Outcome, success_check: bool | None) -> None:
        """Nothing is recorded."""

    def discard(self, reason: str) -> None:
        """Nothing is recorded."""


def rehearse(
    robot: str,
    task: str,
    seed: int,
    habits: ScriptedOperatorConfig | None = None,
    teleop: TeleopConfig | None = None,
    limit_s: float = 60.0,
) -> Attempt:
    """Let the scripted operator attempt the task once; nothing is drawn and nothing recorded."""
    teleop = teleop or kitchen_teleop()
    sim = SimulatedStation(robot, task, seed, cameras=())
    habits = habits or ScriptedOperatorConfig(hand=teleop.hand)
    operator = ScriptedOperator(sim.task.plan, sim.look, sim.clock, seed, habits, teleop.mapping)
    notes = _Notes()
    session = Session(notes, lambda: describe_scene(sim, "rehearsal", "scripted"))
    begun = time.process_time()
    try:
        run_lockstep(sim, operator, teleop, session, lambda: operator.done, limit_s)
    except LockstepTimeoutError:
        pass
    finally:
        sim.close()
    return Attempt(
        robot=robot,
        task=task,
        seed=seed,
        success=sim.task.success(),
        outcome=operator.outcome,
        robot_s=sim.clock.now_ns() / NS_PER_S,
        cpu_s=time.process_time() - begun,
        engagements=notes.engagements,
        interventions=tuple(notes.interventions),
    )
