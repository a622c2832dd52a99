"""Differential inverse kinematics: one quadratic program over the joint velocities of the next step.

    minimise    |J_v dq - v|² + w_r² |J_w dq - w|² + w_p² |dq - k (q_home - q)|² + d² |dq|²
    subject to  low <= dq <= high                        joint position, velocity and acceleration
                g · dq >= b                              clearances and workspace walls, soft

`low` and `high` come from the joints' limits through the braking velocity, so they are never empty and every limit
holds after every step. The rows are soft with a heavy weight, so a solution always exists. The dual active-set
solver daqp needs no starting point: the answer depends on its arguments alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from teleloom.extras import require
from teleloom.messages import Vec3
from teleop.braking import braking_velocity, stopping_distance
from teleop.clearance import Clearance
from teleop.config import IkConfig
from teleop.governor import Walls
from teleop.kinematics import Kinematics

if TYPE_CHECKING:
    import daqp
else:
    daqp = require("daqp", "sim")

Array = NDArray[np.float64]

SOFT = 8
UNBOUNDED = 1e30


class Solution(NamedTuple):
    """dq: (J,) joint velocities of the next step, rad/s. The flags say what bent the answer.

    joint_limited: a joint's position or velocity limit; acceleration_limited: only its acceleration limit.
    """

    dq: tuple[float, ...]
    joint_limited: bool = False
    acceleration_limited: bool = False
    clearance_limited: bool = False
    failed: bool = False


class InverseKinematics:
    """Joint velocities for a wanted tool velocity, within every limit. Keeps only preallocated arrays."""

    def __init__(self, kinematics: Kinematics, config: IkConfig, dt: float) -> None:
        spec = kinematics.spec
        self._kinematics = kinematics
        self._dt = dt
        self._joints = len(spec.joint_names)
        self._q_min, self._q_max = spec.q_min, spec.q_max
        self._dq_max = [config.velocity_fraction * value for value in spec.dq_max]
        self._ddq_max = [config.acceleration_fraction * value for value in spec.ddq_max]
        self._stopping = [stopping_distance(v, a, dt) for v, a in zip(self._dq_max, self._ddq_max, strict=True)]
        self._home = spec.home_q
        self._weights = np.array([1.0] * 3 + [config.rotation_weight_m**2] * 3)[:, None]
        self._ridge = (config.posture_weight_m**2 + config.damping_m**2) * np.eye(self._joints)
        self.clearance = Clearance(kinematics, config, dt)
        # What a wanted tool velocity and a distance from home_q pull each joint with: the weighted Jacobian, above
        # a constant diagonal.
        pull = config.posture_weight_m**2 * config.posture_gain_per_s
        self._pulls = np.vstack([np.zeros((6, self._joints)), pull * np.eye(self._joints)])
        self._weighted = self._pulls[:6]
        self._hessian = np.zeros((self._joints, self._joints))
        self._no_rows = np.zeros((0, self._joints))
        self._hard = np.zeros(self._joints, dtype=np.int32)

    def bounds(self, q: Sequence[float], dq: Sequence[float]) -> tuple[list[float], list[float]]:
        """The lowest and highest next velocity of each joint (J,) at this position and velocity, rad/s."""
        low, high = [], []
        dt = self._dt
        for position, speed, bottom, top, fastest, acceleration, distance in zip(
            q, dq, self._q_min, self._q_max, self._dq_max, self._ddq_max, self._stopping, strict=True
        ):
            change = acceleration * dt
            lowest, highest = speed - change, speed + change
            if lowest < -fastest:
                lowest = -fastest
            if highest > fastest:
                highest = fastest
            below, above = position - bottom, top - position
            ceiling = fastest
            if above < distance:
                ceiling = braking_velocity(above, acceleration, dt)
                highest = min(highest, ceiling)
            if below < distance:
                lowest = max(lowest, -braking_velocity(below, acceleration, dt))
            # Only rounding can cross the bounds; then position counts before acceleration.
            if lowest > highest:
                lowest = highest = highest if highest == ceiling else lowest
            low.append(lowest)
            high.append(highest)
        return low, high

    def solve(
        self, q: Sequence[float], dq: Sequence[float], linear: Vec3, angular: Vec3, walls: Walls, posture: float = 1.0
    ) -> Solution:
        """Joint velocities for the next step from position `q` and velocity `dq` (J,).

        The kinematics must stand at `q`. linear, angular: the tool velocity wanted, m/s and rad/s. walls: bounds of
        its linear part. posture: share, 0..1, of the pull of the free joints towards home. If the solver fails, the
        answer is the way to rest that the joints' limits allow.
        """
        low, high = self.bounds(q, dq)
        jacobian = self._kinematics.jacobian
        np.multiply(jacobian, self._weights, out=self._weighted)
        hessian = self._weighted.T.dot(jacobian, out=self._hessian)
        hessian += self._ridge
        (vx, vy, vz), (wx, wy, wz) = _tangent(linear, angular, self._dt), angular
        away = [posture * (position - home) for position, home in zip(q, self._home, strict=True)]
        gradient = np.array((-vx, -vy, -vz, -wx, -wy, -wz, *away)).dot(self._pulls)
        rows, least, most = self._rows(walls)
        if rows:
            matrix = np.array(rows)
            sense = np.zeros(self._joints + len(rows), dtype=np.int32)
            sense[self._joints :] = SOFT
            upper, lower = np.array(high + most), np.array(low + least)
        else:
            matrix, sense, upper, lower = self._no_rows, self._hard, np.array(high), np.array(low)
        answer, _, status, info = daqp.solve(hessian, gradient, matrix, upper, lower, sense)
        if status < 1:
            return Solution(tuple(min(max(0.0, a), b) for a, b in zip(low, high, strict=True)), failed=True)
        # The solver keeps bounds to 1e-6; the limits are kept exactly.
        result = tuple([a if v < a else b if v > b else v for v, a, b in zip(answer.tolist(), low, high, strict=True)])
        forces = info["lam"].tolist()
        if not any(forces):
            return Solution(result)
        held = [
            abs(new - old) < 0.999 * most * self._dt
            for new, old, most, force in zip(result, dq, self._ddq_max, forces, strict=False)
            if force
        ]
        return Solution(result, any(held), not all(held), any(forces[self._joints :]))

    def _rows(self, walls: Walls) -> tuple[list[Array], list[float], list[float]]:
        """The soft rows with their lower and upper bounds."""
        rows, least = self.clearance.rows()
        most = [UNBOUNDED] * len(rows)
        for axis, (low, high) in enumerate(zip(walls.low, walls.high, strict=True)):
            if low > -math.inf or high < math.inf:
                rows.append(self._kinematics.jacobian[axis])
                least.append(max(low, -UNBOUNDED))
                most.append(min(high, UNBOUNDED))
        return rows, least, most


def _tangent(linear: Vec3, angular: Vec3, dt: float) -> Vec3:
    """The velocity at the start of a step whose chord is `linear * dt`: a turning tool moves on an arc.

    To first order v - dt/2 w x v, as in the logarithm of SE(3).
    """
    (vx, vy, vz), (wx, wy, wz), half = linear, angular, 0.5 * dt
    return (vx - half * (wy * vz - wz * vy), vy - half * (wz * vx - wx * vz), vz - half * (wx * vy - wy * vx))
