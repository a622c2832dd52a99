"""How fast something may go so that it still stops in time, exact for motion in steps; and how hard an arm brakes."""

from __future__ import annotations

import math
from collections.abc import Sequence

# At rest the joints say nothing about the way to come: there the tool is taken to brake as hard as it ever may, and
# that counts for less the longer the joints need to stop.
REST_S = 0.01
# Over which time a change of the posture is taken for a trend.
TREND_S = 0.03
# However quickly a posture gets worse, this much of what it is good for now is counted on.
LEAST_SHARE = 0.3


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


def stopping_time(dq: Sequence[float], ddq_max: Sequence[float]) -> float:
    """How long the joints need to come to rest together, each slower in the same proportion, s.

    dq: (J,) rad/s; ddq_max: (J,) rad/s². Braked so, the tool stops on the way that it is on.
    """
    return max([abs(speed) / most for speed, most in zip(dq, ddq_max, strict=True)])


class ToolBrake:
    """How hard an arm can brake its tool on its present way, m/s² or rad/s², from the joints' motion alone.

    A tool at `speed` whose joints need `seconds` to come to rest together brakes with `speed / seconds`, whatever the
    posture and the direction. That changes on the way, quickly so near the base. Falling, it will be less when it is
    needed; rising, part of it is spent on the change itself. Either way half the change during a stop is taken off.
    """

    def __init__(self, most: float, dt: float) -> None:
        self._most = most
        self._dt = dt
        self._newest_share = 1.0 - math.exp(-dt / TREND_S)
        self.reset()

    def reset(self) -> None:
        """Forget the motion so far: the arm is at rest."""
        self._last, self._trend = self._most, 0.0

    def deceleration(self, speed: float, seconds: float) -> float:
        """The deceleration to count on in this tick, at most `most`. Call it once a tick while the arm moves."""
        now = (speed + REST_S * self._most) / (seconds + REST_S)
        self._trend += self._newest_share * ((now - self._last) / self._dt - self._trend)
        self._last = now
        ahead = now - 0.5 * seconds * abs(self._trend)
        return min(max(ahead, LEAST_SHARE * now), self._most)
