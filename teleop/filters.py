"""One-Euro filter on poses (Casiez, Roussel, Vogel: "1€ Filter", CHI 2012), with the rotation filtered on SO(3).

The cutoff rises with speed, `f = min_cutoff + beta * speed`: rest is smooth and motion is prompt. At a constant
speed the output lags the input by exactly `1 / (2π f)`, which `delay_s` returns. Between frames the output is
carried on with its own velocity for at most `extrapolation_s`, so that a 90 Hz hand moves a 200 Hz arm evenly. It is
the velocity of the output and not the hand's: what the filter took from the pose must not come back through its
velocity, neither tremor at rest nor a second delay in motion.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from teleloom.clock import NS_PER_S
from teleloom.messages import Pose, Vec3
from teleloom.pose import quat_conjugate, quat_from_rotvec, quat_multiply, rotvec_from_quat
from teleop.config import FilterConfig

ZERO: Vec3 = (0.0, 0.0, 0.0)
# A step outside these bounds says more about the source's clock than about the hand.
MIN_STEP_S = 1e-3
MAX_STEP_S = 0.1


class FilterState(NamedTuple):
    """raw, pose: the last input and output at t_ns. velocity, spin: of the output, m/s and rad/s in the base frame.

    hand_velocity, hand_spin: estimates of the input's, from which the cutoffs follow.
    """

    t_ns: int
    raw: Pose
    pose: Pose
    velocity: Vec3 = ZERO
    spin: Vec3 = ZERO
    hand_velocity: Vec3 = ZERO
    hand_spin: Vec3 = ZERO


def smooth(t_ns: int, raw: Pose, state: FilterState | None, config: FilterConfig) -> FilterState:
    """The state after the input `raw` at `t_ns`; without a state before, the input itself at rest.

    An input that is not newer than the state's changes nothing.
    """
    if state is None:
        return FilterState(t_ns=t_ns, raw=raw, pose=raw)
    if t_ns <= state.t_ns:
        return state
    dt = min(max((t_ns - state.t_ns) / NS_PER_S, MIN_STEP_S), MAX_STEP_S)
    slow = _weight(config.derivative_cutoff_hz, dt)

    moved = [new - old for new, old in zip(raw[:3], state.raw[:3], strict=True)]
    hand_velocity = _blend(state.hand_velocity, moved, 1.0 / dt, slow)
    cutoff = config.position_min_cutoff_hz + config.position_beta_hz_s_m * math.hypot(*hand_velocity)
    gain = _weight(cutoff, dt)
    mx, my, mz = (gain * (new - old) for new, old in zip(raw[:3], state.pose[:3], strict=True))
    x, y, z = state.pose[:3]

    turned = rotvec_from_quat(quat_multiply(raw[3:], quat_conjugate(state.raw[3:])).tolist()).tolist()
    hand_spin = _blend(state.hand_spin, turned, 1.0 / dt, slow)
    cutoff = config.rotation_min_cutoff_hz + config.rotation_beta_hz_s_rad * math.hypot(*hand_spin)
    gain = _weight(cutoff, dt)
    behind = rotvec_from_quat(quat_multiply(raw[3:], quat_conjugate(state.pose[3:])).tolist()).tolist()
    rx, ry, rz = (gain * value for value in behind)
    return FilterState(
        t_ns=t_ns,
        raw=raw,
        pose=(x + mx, y + my, z + mz, *_turn_by(state.pose, (rx, ry, rz))),
        velocity=(mx / dt, my / dt, mz / dt),
        spin=(rx / dt, ry / dt, rz / dt),
        hand_velocity=hand_velocity,
        hand_spin=hand_spin,
    )


def predict(t_ns: int, state: FilterState, config: FilterConfig) -> tuple[Pose, Vec3, Vec3]:
    """The estimate at `t_ns`: pose, velocity (m/s) and spin (rad/s); at rest once the frame is too old to carry on."""
    ahead = max(t_ns - state.t_ns, 0) / NS_PER_S
    if ahead == 0.0:
        return state.pose, state.velocity, state.spin
    moving = ahead <= config.extrapolation_s
    ahead = min(ahead, config.extrapolation_s)
    (x, y, z), (vx, vy, vz), (wx, wy, wz) = state.pose[:3], state.velocity, state.spin
    turn = (ahead * wx, ahead * wy, ahead * wz)
    quat = _turn_by(state.pose, turn) if any(turn) else state.pose[3:]
    pose: Pose = (x + ahead * vx, y + ahead * vy, z + ahead * vz, *quat)
    return (pose, state.velocity, state.spin) if moving else (pose, ZERO, ZERO)


def delay_s(speed: float, min_cutoff_hz: float, beta: float) -> float:
    """How long the filter's output lags its input at a constant speed (m/s or rad/s)."""
    return 1.0 / (2.0 * math.pi * (min_cutoff_hz + beta * speed))


def _weight(cutoff_hz: float, dt: float) -> float:
    """Weight of the newest sample in a first-order low-pass: `dt / (dt + tau)`."""
    return dt / (dt + 1.0 / (2.0 * math.pi * cutoff_hz))


def _blend(old: Vec3, new: list[float], scale: float, weight: float) -> Vec3:
    x, y, z = (a + weight * (b * scale - a) for a, b in zip(old, new, strict=True))
    return (x, y, z)


def _turn_by(pose: Pose, rotvec: Vec3) -> tuple[float, float, float, float]:
    """The pose's orientation turned by a rotation vector in the base frame, kept at unit length."""
    x, y, z, w = quat_multiply(quat_from_rotvec(rotvec).tolist(), pose[3:]).tolist()
    length = math.sqrt(x * x + y * y + z * z + w * w)
    return (x / length, y / length, z / length, w / length)
