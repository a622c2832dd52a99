"""Who flies: the arbitration between the people and programs that propose where the tool should go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from teleloom.messages import ControlMode, Pose, RobotState, Vec3

ZERO: Vec3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Target:
    """Where the tool should be, how that moves (m/s, rad/s, base frame), and the gripper's opening 0..1."""

    pose: Pose
    gripper: float
    velocity: Vec3 = ZERO
    spin: Vec3 = ZERO


@dataclass(frozen=True)
class Choice:
    """What the arm follows in this tick, who chose it, and what each side asked for. No target means hold."""

    mode: ControlMode
    target: Target | None
    human: Target | None = None
    policy: Target | None = None
    is_intervention: bool = False


class Pilot(Protocol):
    """Decides, tick by tick, whose target the supervisor is given."""

    def choose(self, now_ns: int, human: Target | None, robot: RobotState) -> Choice:
        """human: the operator's target while the clutch is engaged and the input valid, else None."""
        ...


class HumanPilot:
    """The operator alone."""

    def choose(self, now_ns: int, human: Target | None, robot: RobotState) -> Choice:
        return Choice(ControlMode.HOLD if human is None else ControlMode.HUMAN, human, human=human)
