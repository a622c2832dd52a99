"""The next velocity of the tool on its way to a target: never too fast, too sudden, or unable to stop at a wall.

The same law drives translation and rotation, as vectors, so that turning the world turns the answer. It starts from
what the tool does now, not from a state of its own, so nothing winds up while the arm is held back.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from teleloom.messages import Vec3
from teleop.braking import braking_velocity, stopping_distance
from teleop.config import MotionLimits, WorkspaceConfig

ZERO: Vec3 = (0.0, 0.0, 0.0)
# Share of the acceleration planned for stopping at each wall. Up to 1/sqrt(3) the three axes together never need more
# than the whole; the rest is room for postures in which the joints' own acceleration limits allow less.
WALL_SHARE = 0.4
# Share of an excess beyond a wall that is undone per second.
RETURN_PER_S = 5.0
# Share of the acceleration planned for slowing down at the target; the rest is room for the jerk limit.
APPROACH_SHARE = 0.5
# Share of what the arm can brake that is planned for a target that stops; the rest is room for the jerk limit and for
# a posture that gets worse on the way.
BRAKE_SHARE = 0.8
# How far beyond that the tool may come, per unit of the governor's acceleration: 1 mm by default. Slow motion then
# needs no distance to its target.
SLACK_S2 = 2e-4
# Time in which most of the way to the wanted velocity is gone, so that the steps of a 90 Hz source become ramps.
EASE_S = 0.01


class Walls(NamedTuple):
    """The lowest and highest velocity per axis from which the tool still stops inside the workspace, m/s.

    Infinite where the wall is so far that the velocity limit comes first.
    """

    low: Vec3
    high: Vec3


class Governed(NamedTuple):
    """velocity: the next one. acceleration: what leads to it. The flags say which limit changed the answer."""

    velocity: Vec3
    acceleration: Vec3
    velocity_limited: bool = False
    acceleration_limited: bool = False


def walls(position: Vec3, workspace: WorkspaceConfig, limits: MotionLimits, dt: float) -> Walls:
    """What the workspace's walls allow at this tool position, braking each axis at its share of the acceleration."""
    brake = WALL_SHARE * limits.acceleration
    distance = stopping_distance(limits.velocity, brake, dt)
    low, high = [-math.inf] * 3, [math.inf] * 3
    for axis, (p, bottom, top) in enumerate(zip(position, workspace.lower_m, workspace.upper_m, strict=True)):
        if p - bottom < distance:
            low[axis] = -_towards(p - bottom, brake, dt)
        if top - p < distance:
            high[axis] = _towards(top - p, brake, dt)
    return Walls((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _towards(distance: float, brake: float, dt: float) -> float:
    """The highest velocity towards a wall at this distance; behind the wall, negative: the way back."""
    return braking_velocity(distance, brake, dt) if distance >= 0.0 else RETURN_PER_S * distance


def approach(error: Vec3, feedforward: Vec3, gain: float, brake: float) -> Vec3:
    """The velocity wanted: the target's own, and one towards it that grows as `gain * error` and can be braked.

    v(e) = sqrt((a/k)² + 2 a e) - a/k has slope k at the target and never needs more than a, a share of `brake`, to
    slow down on the way.
    """
    distance = math.hypot(*error)
    if distance < 1e-12:
        return feedforward
    planned = APPROACH_SHARE * brake
    knee = planned / gain
    speed = 2.0 * planned * distance / (math.sqrt(knee * knee + 2.0 * planned * distance) + knee)
    scale = speed / distance
    return (feedforward[0] + scale * error[0], feedforward[1] + scale * error[1], feedforward[2] + scale * error[2])


def ease(wanted: Vec3, velocity: Vec3, dt: float) -> Vec3:
    """A share of the way from the present velocity to the wanted one."""
    share = 1.0 - math.exp(-dt / EASE_S)
    (x, y, z), (vx, vy, vz) = wanted, velocity
    return (vx + share * (x - vx), vy + share * (y - vy), vz + share * (z - vz))


def stoppable(wanted: Vec3, error: Vec3, feedforward: Vec3, limits: MotionLimits, brake: float, dt: float) -> Vec3:
    """`wanted`, slowed to what `brake` still stops where the target would come to rest.

    The target is expected to brake at `limits.acceleration`. A tool that brakes as well follows it closely; one that
    cannot, in its present posture, keeps so far behind that it need not overshoot.
    """
    reach = 0.5 * (math.hypot(*feedforward) / limits.acceleration + dt)
    way = (error[0] + reach * feedforward[0], error[1] + reach * feedforward[1], error[2] + reach * feedforward[2])
    distance = math.hypot(*way)
    if distance < 1e-9:
        return wanted
    nx, ny, nz = way[0] / distance, way[1] / distance, way[2] / distance
    along = wanted[0] * nx + wanted[1] * ny + wanted[2] * nz
    slack = SLACK_S2 * limits.acceleration
    most = braking_velocity(slack + max(math.copysign(distance, along), 0.0), brake, dt)
    if abs(along) <= most:
        return wanted
    excess = along - math.copysign(most, along)
    return (wanted[0] - excess * nx, wanted[1] - excess * ny, wanted[2] - excess * nz)


def govern(
    wanted: Vec3, velocity: Vec3, acceleration: Vec3, limits: MotionLimits, dt: float, room: Walls | None = None
) -> Governed:
    """The next velocity: as near to `wanted` as the limits allow, from the present velocity and acceleration.

    Walls come before velocity, velocity before acceleration, acceleration before jerk.
    """
    goal = _shortened(wanted, limits.velocity)
    velocity_limited = goal is not wanted
    change = _difference(goal, velocity)
    last = (acceleration[0] * dt, acceleration[1] * dt, acceleration[2] * dt)
    eased = _within(change, last, limits.jerk * dt * dt)
    eased = _shortened(eased, limits.acceleration * dt)
    acceleration_limited = eased is not change
    chosen = (velocity[0] + eased[0], velocity[1] + eased[1], velocity[2] + eased[2])
    # Easing off the last acceleration may carry past the velocity limit. Bringing it back to a ball that holds the
    # present velocity cannot lengthen the change.
    chosen = _shortened(chosen, max(limits.velocity, math.hypot(*velocity)))
    if room is not None:
        chosen = _before_walls(chosen, velocity, room, limits.acceleration * dt)
    change = _difference(chosen, velocity)
    return Governed(
        velocity=chosen,
        acceleration=(change[0] / dt, change[1] / dt, change[2] / dt),
        velocity_limited=velocity_limited,
        acceleration_limited=acceleration_limited,
    )


def _before_walls(chosen: Vec3, velocity: Vec3, room: Walls, step: float) -> Vec3:
    """`chosen`, moved into what the walls allow without changing the velocity by more than `step`.

    The present velocity brought inside the walls (`safe`) is within `step` of it by the choice of WALL_SHARE; both
    that ball and the walls are convex, so the way from `safe` to the wanted point may be followed until it leaves.
    """
    wanted = _clip(chosen, room)
    if wanted is chosen:
        return chosen
    safe = _clip(velocity, room)
    offset, way = _difference(safe, velocity), _difference(wanted, safe)
    a = way[0] * way[0] + way[1] * way[1] + way[2] * way[2]
    if a < 1e-18:
        return safe
    b = offset[0] * way[0] + offset[1] * way[1] + offset[2] * way[2]
    c = offset[0] * offset[0] + offset[1] * offset[1] + offset[2] * offset[2] - step * step
    share = min(max((-b + math.sqrt(max(b * b - a * c, 0.0))) / a, 0.0), 1.0)
    return (safe[0] + share * way[0], safe[1] + share * way[1], safe[2] + share * way[2])


def _clip(v: Vec3, room: Walls) -> Vec3:
    (x, y, z), (lx, ly, lz), (hx, hy, hz) = v, room.low, room.high
    if lx <= x <= hx and ly <= y <= hy and lz <= z <= hz:
        return v
    return (min(max(x, lx), hx), min(max(y, ly), hy), min(max(z, lz), hz))


def _difference(a: Vec3, b: Vec3) -> Vec3:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def _shortened(v: Vec3, length: float) -> Vec3:
    """`v` itself, or in its direction with this length if it is longer."""
    norm = math.hypot(*v)
    if norm <= length:
        return v
    scale = length / norm
    return (v[0] * scale, v[1] * scale, v[2] * scale)


def _within(v: Vec3, center: Vec3, radius: float) -> Vec3:
    """`v` itself, or the point of the ball around `center` that lies towards it."""
    off = _difference(v, center)
    short = _shortened(off, radius)
    return v if short is off else (center[0] + short[0], center[1] + short[1], center[2] + short[2])
