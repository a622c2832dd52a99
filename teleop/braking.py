"""How fast something may go so that it can still stop in time, exact for motion in steps."""

from __future__ import annotations

import math


def stopping_distance(speed: float, deceleration: float, dt: float) -> float:
    """A distance within which `speed` can certainly be stopped in steps of `dt`; a little more than is needed."""
    return 0.5 * speed * speed / deceleration + speed * dt + deceleration * dt * dt


def braking_velocity(distance: float, deceleration: float, dt: float) -> float:
    """The highest speed now from which steps of `dt`, each slower by `deceleration * dt`, end within `distance`.

    With u the speed in units of `deceleration * dt`, the steps u, u-1, ... cover, for n = floor(u),
    `(n + 1) u - n (n + 1) / 2` in units of `deceleration * dt²`; this is its inverse. Going at most this fast
    keeps that possible after every step, so position, velocity and acceleration limits never contradict each other:
    from an allowed speed v, the speed `max(v - deceleration * dt, 0)` is allowed one step later.
    Zero or less distance gives 0.
    """
    if distance <= 0.0:
        return 0.0
    unit = deceleration * dt
    steps = distance / (unit * dt)
    whole = math.floor((math.sqrt(1.0 + 8.0 * steps) - 1.0) / 2.0)
    return unit * (steps / (whole + 1) + whole / 2.0)
