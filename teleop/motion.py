"""From a target to the next joint command: governor, then inverse kinematics, from where the command stands now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from teleloom.messages import Pose, Vec3, Vector
from teleloom.pose import quat_conjugate, quat_multiply, rotvec_from_quat
from teleloom.specs import RobotSpec
from teleop.config import TeleopConfig
from teleop.governor import Governed, approach, govern, walls
from teleop.ik import InverseKinematics, Solution
from teleop.kinematics import Kinematics
from teleop.pilot import Target
from teleop.supervisor import ACCELERATION_LIMIT, CLEARANCE, IK_FAILED, JOINT_LIMIT, VELOCITY_LIMIT

ZERO: Vec3 = (0.0, 0.0, 0.0)
# Tool speeds at which the posture task runs in full.
LIVELY_M_S = 0.05
LIVELY_RAD_S = 0.2


class Step(NamedTuple):
    """A joint command not yet sent. q: (J,) rad; dq: (J,) rad/s; tool: the pose that q reaches."""

    q: Vector
    dq: Vector
    tool: Pose
    interventions: tuple[str, ...] = ()


class Motion:
    """The commanded motion of one arm. Every step keeps the joints' position, velocity and acceleration limits.

    q, dq: the command that stands. tool: its pose. `plan` proposes the next, `accept` makes it the standing one.
    """

    def __init__(self, spec: RobotSpec, config: TeleopConfig) -> None:
        self._spec = spec
        self._dt = 1.0 / config.rate_hz
        self._governor = config.governor
        self._workspace = config.workspace
        self.kinematics = Kinematics(spec, config.obstacles)
        self.ik = InverseKinematics(self.kinematics, config.ik, self._dt)
        self._stoppable = [limit * config.ik.acceleration_fraction * self._dt for limit in spec.ddq_max]
        self.q: Vector = spec.home_q
        self.dq: Vector = (0.0,) * len(spec.home_q)
        self.tool: Pose = self.kinematics.pose
        self._linear = self._angular = Governed(ZERO, ZERO)
        self._planned: tuple[Governed, Governed] = (self._linear, self._angular)

    @property
    def at_rest(self) -> bool:
        return not any(self.dq)

    def reset(self, q: Sequence[float]) -> None:
        """Start again from rest at the measured joint position `q` (J,), brought within the limits."""
        self.q = tuple(
            min(max(value, low), high) for value, low, high in zip(q, self._spec.q_min, self._spec.q_max, strict=True)
        )
        self.dq = (0.0,) * len(self.q)
        self._linear = self._angular = Governed(ZERO, ZERO)
        self.kinematics.move_to(self.q)
        self.tool = self.kinematics.pose

    def plan(self, target: Target | None) -> Step:
        """The next command on the way to `target`, or on the way to rest without one."""
        dt, config = self._dt, self._governor
        position = self.tool[:3]
        twist = (self.kinematics.jacobian @ self.dq).tolist()
        linear: Vec3 = (twist[0], twist[1], twist[2])
        angular: Vec3 = (twist[3], twist[4], twist[5])
        forward, turn = self._wanted(target)
        room = walls(position, self._workspace, config.linear, dt)
        moved = govern(forward, linear, self._linear.acceleration, config.linear, dt, room)
        turned = govern(turn, angular, self._angular.acceleration, config.angular, dt)
        self._planned = (moved, turned)
        solution = self.ik.solve(
            self.q, self.dq, moved.velocity, turned.velocity, room, _liveliness(moved.velocity, turned.velocity)
        )
        dq = solution.dq
        if target is None and all(abs(v) <= most for v, most in zip(self.dq, self._stoppable, strict=True)):
            dq = (0.0,) * len(dq)
        return self._step(dq, _names(moved, turned, solution) if target is not None else ())

    def accept(self, step: Step) -> None:
        """`step` was sent: go on from there."""
        self.q, self.dq, self.tool = step.q, step.dq, step.tool
        self._linear, self._angular = self._planned

    def _step(self, dq: Vector, interventions: tuple[str, ...]) -> Step:
        q = tuple(
            min(max(value + self._dt * speed, low), high)
            for value, speed, low, high in zip(self.q, dq, self._spec.q_min, self._spec.q_max, strict=True)
        )
        self.kinematics.move_to(q)
        return Step(q, dq, self.kinematics.pose, interventions)

    def _wanted(self, target: Target | None) -> tuple[Vec3, Vec3]:
        """Linear and angular velocity towards the target, before limits."""
        if target is None:
            return ZERO, ZERO
        moved, turned = offset(self.tool, target.pose)
        gain, config = self._governor.gain_per_s, self._governor
        return (
            approach(moved, target.velocity, gain, config.linear),
            approach(turned, target.spin, gain, config.angular),
        )


def _liveliness(linear: Vec3, angular: Vec3) -> float:
    """How much of the posture task to run: none while the tool rests, so that an arm whose hand is still is still."""
    return min(1.0, math.hypot(*linear) / LIVELY_M_S + math.hypot(*angular) / LIVELY_RAD_S)


def offset(here: Pose, there: Pose) -> tuple[Vec3, Vec3]:
    """From one pose to another: the translation, m, and the rotation vector, rad, both in the base frame."""
    turn = quat_multiply(there[3:], quat_conjugate(here[3:]).tolist())
    rx, ry, rz = rotvec_from_quat(turn.tolist()).tolist()
    return (there[0] - here[0], there[1] - here[1], there[2] - here[2]), (rx, ry, rz)


def _names(moved: Governed, turned: Governed, solution: Solution) -> tuple[str, ...]:
    names = []
    if moved.velocity_limited or turned.velocity_limited:
        names.append(VELOCITY_LIMIT)
    if moved.acceleration_limited or turned.acceleration_limited or solution.acceleration_limited:
        names.append(ACCELERATION_LIMIT)
    if solution.joint_limited:
        names.append(JOINT_LIMIT)
    if solution.clearance_limited:
        names.append(CLEARANCE)
    if solution.failed:
        names.append(IK_FAILED)
    return tuple(names)
