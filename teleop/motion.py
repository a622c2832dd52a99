"""From a target to the next joint command: governor, then inverse kinematics, from where the command stands now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from teleloom.messages import Pose, Vec3, Vector
from teleloom.pose import quat_conjugate, quat_multiply, rotvec_from_quat
from teleloom.specs import RobotSpec
from teleop.braking import ToolBrake, stopping_time
from teleop.config import MotionLimits, TeleopConfig
from teleop.governor import BRAKE_SHARE, Governed, approach, ease, govern, stoppable, walls
from teleop.ik import InverseKinematics, Solution
from teleop.kinematics import Kinematics
from teleop.pilot import Target
from teleop.supervisor import ACCELERATION_LIMIT, CLEARANCE, IK_FAILED, JOINT_LIMIT, VELOCITY_LIMIT

ZERO: Vec3 = (0.0, 0.0, 0.0)
AT_REST = (Governed(ZERO, ZERO), Governed(ZERO, ZERO))
# Tool speeds at which the posture task runs in full.
LIVELY_M_S = 0.05
LIVELY_RAD_S = 0.2
# How far the tool may trail its target, for want of acceleration, before that is worth a word to the operator.
TRAIL_M = 0.03
TRAIL_RAD = 0.2


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
        self._ddq_max = [limit * config.ik.acceleration_fraction for limit in spec.ddq_max]
        self._last_steps = [limit * self._dt for limit in self._ddq_max]
        self._linear_brake = ToolBrake(config.governor.linear.acceleration, self._dt)
        self._angular_brake = ToolBrake(config.governor.angular.acceleration, self._dt)
        self.q: Vector = spec.home_q
        self.dq: Vector = (0.0,) * len(spec.home_q)
        self.tool: Pose = self.kinematics.pose
        self._linear, self._angular = self._planned = AT_REST

    @property
    def at_rest(self) -> bool:
        return not any(self.dq)

    def reset(self, q: Sequence[float]) -> None:
        """Start again from rest at the measured joint position `q` (J,), brought within the limits."""
        self.q = tuple(
            min(max(value, low), high) for value, low, high in zip(q, self._spec.q_min, self._spec.q_max, strict=True)
        )
        self.dq = (0.0,) * len(self.q)
        self._linear, self._angular = AT_REST
        self._linear_brake.reset()
        self._angular_brake.reset()
        self.kinematics.move_to(self.q)
        self.tool = self.kinematics.pose

    def plan(self, target: Target | None) -> Step:
        """The next command on the way to `target`, or on the way to rest without one."""
        dt, config = self._dt, self._governor
        position = self.tool[:3]
        twist = (self.kinematics.jacobian @ self.dq).tolist()
        linear: Vec3 = (twist[0], twist[1], twist[2])
        angular: Vec3 = (twist[3], twist[4], twist[5])
        error, aside = (ZERO, ZERO) if target is None else offset(self.tool, target.pose)
        forward, turn = self._wanted(target, error, aside, linear, angular)
        room = walls(position, self._workspace, config.linear, dt)
        moved = govern(forward, linear, self._linear.acceleration, config.linear, dt, room)
        turned = govern(turn, angular, self._angular.acceleration, config.angular, dt)
        self._planned = (moved, turned)
        solution = self.ik.solve(
            self.q, self.dq, moved.velocity, turned.velocity, room, _liveliness(moved.velocity, turned.velocity)
        )
        dq = solution.dq
        if target is None and all(abs(v) <= most for v, most in zip(self.dq, self._last_steps, strict=True)):
            dq = (0.0,) * len(dq)
        trails = math.hypot(*error) > TRAIL_M or math.hypot(*aside) > TRAIL_RAD
        return self._step(dq, _names(moved, turned, solution, trails) if target is not None else ())

    def accept(self, step: Step) -> None:
        """`step` was sent: go on from there."""
        self.q, self.dq, self.tool = step.q, step.dq, step.tool
        self._linear, self._angular = self._planned if any(step.dq) else AT_REST

    def _step(self, dq: Vector, interventions: tuple[str, ...]) -> Step:
        q = tuple(
            min(max(value + self._dt * speed, low), high)
            for value, speed, low, high in zip(self.q, dq, self._spec.q_min, self._spec.q_max, strict=True)
        )
        self.kinematics.move_to(q)
        return Step(q, dq, self.kinematics.pose, interventions)

    def _wanted(
        self, target: Target | None, error: Vec3, aside: Vec3, linear: Vec3, angular: Vec3
    ) -> tuple[Vec3, Vec3]:
        """Linear and angular velocity towards a target that is `error` and `aside` away, before limits."""
        if target is None:
            self._linear_brake.reset()
            self._angular_brake.reset()
            return ZERO, ZERO
        seconds = stopping_time(self.dq, self._ddq_max)
        along = self._linear_brake.deceleration(math.hypot(*linear), seconds)
        around = self._angular_brake.deceleration(math.hypot(*angular), seconds)
        return (
            self._follow(error, target.velocity, linear, self._governor.linear, along),
            self._follow(aside, target.spin, angular, self._governor.angular, around),
        )

    def _follow(self, error: Vec3, feedforward: Vec3, velocity: Vec3, limits: MotionLimits, brake: float) -> Vec3:
        planned = BRAKE_SHARE * brake
        wanted = ease(approach(error, feedforward, self._governor.gain_per_s, planned), velocity, self._dt)
        return stoppable(wanted, error, feedforward, limits, planned, self._dt)


def _liveliness(linear: Vec3, angular: Vec3) -> float:
    """How much of the posture task to run: none while the tool rests, so that an arm whose hand is still is still."""
    return min(1.0, math.hypot(*linear) / LIVELY_M_S + math.hypot(*angular) / LIVELY_RAD_S)


def offset(here: Pose, there: Pose) -> tuple[Vec3, Vec3]:
    """From one pose to another: the translation, m, and the rotation vector, rad, both in the base frame."""
    turn = quat_multiply(there[3:], quat_conjugate(here[3:]).tolist())
    rx, ry, rz = rotvec_from_quat(turn.tolist()).tolist()
    return (there[0] - here[0], there[1] - here[1], there[2] - here[2]), (rx, ry, rz)


def _names(moved: Governed, turned: Governed, solution: Solution, trails: bool) -> tuple[str, ...]:
    """What to tell of this step. An acceleration limit is told only where it costs: where the tool trails its target.

    Every brisk motion meets that limit for a tick or two and loses nothing by it.
    """
    names = []
    if moved.velocity_limited or turned.velocity_limited:
        names.append(VELOCITY_LIMIT)
    if trails and (moved.acceleration_limited or turned.acceleration_limited or solution.acceleration_limited):
        names.append(ACCELERATION_LIMIT)
    if solution.joint_limited:
        names.append(JOINT_LIMIT)
    if solution.clearance_limited:
        names.append(CLEARANCE)
    if solution.failed:
        names.append(IK_FAILED)
    return tuple(names)
