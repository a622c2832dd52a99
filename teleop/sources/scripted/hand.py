"""How a human hand moves: minimum-jerk reaches, physiological tremor, and fingers that take time to press.

Everything here is a function of time and of the random generator it was drawn from, so the same seed gives the same
motion. Times are seconds; a hand's pose is `(7,)` in the robot's base frame, its motion six coordinates
`[x y z rx ry rz]`: metres, and the rotation vector (rad, outer frame) from the orientation at which the reach began.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from teleloom import pose
from teleloom.pose import Array

PEAK_TO_MEAN_SPEED = 1.875
"""Peak over mean speed of a minimum-jerk reach from rest to rest (Flash and Hogan 1985)."""


@dataclass(frozen=True)
class Motion:
    """A hand at one instant: pose (7,), velocity (6,) in m/s and rad/s, acceleration (6,) in m/s² and rad/s²."""

    pose: Array
    velocity: Array
    acceleration: Array


def at_rest(where: Array) -> Motion:
    """A hand that holds still at the pose `where` (7,)."""
    return Motion(where, np.zeros(6), np.zeros(6))


def reach_duration(start: Array, end: Array, speed_m_s: float, turn_rad_s: float, shortest_s: float) -> float:
    """Seconds for a reach between two poses: `shortest_s` for the smallest, and more the farther it goes.

    The peak speed and turning rate grow with the way towards the given ones and never pass them: people make short
    movements slowly (the isochrony principle, Viviani and McCollum 1983).
    """
    distance_m, angle_rad = pose.distance(start, end)
    return shortest_s + PEAK_TO_MEAN_SPEED * max(distance_m / speed_m_s, angle_rad / turn_rad_s)


class Reach:
    """A minimum-jerk movement that leaves any state of motion smoothly and ends at rest.

    From rest it is the fifth-order polynomial of Flash and Hogan (1985), "The coordination of arm movements"; from a
    moving hand it is the one that also matches velocity and acceleration, which is how a correction blends in.
    """

    def __init__(self, start: Motion, end: Array, start_s: float, duration_s: float) -> None:
        if duration_s <= 0.0:
            raise ValueError(f"a reach takes time: duration_s must be positive, not {duration_s}")
        self.start_s = start_s
        self.end_s = start_s + duration_s
        self.end = end
        self._orientation = start.pose[3:]
        self._duration_s = duration_s
        origin = np.concatenate([start.pose[:3], np.zeros(3)])
        turn = pose.rotation_between(start.pose[3:], end[3:])
        way = np.concatenate([end[:3] - start.pose[:3], turn])
        v = start.velocity * duration_s
        a = start.acceleration * duration_s**2
        self._coefficients = np.stack(
            [
                origin,
                v,
                0.5 * a,
                10.0 * way - 6.0 * v - 1.5 * a,
                -15.0 * way + 8.0 * v + 1.5 * a,
                6.0 * way - 3.0 * v - 0.5 * a,
            ]
        )

    def at(self, time_s: float) -> Motion:
        """The motion at `time_s`: the start's before the reach, at rest at the end after it."""
        if time_s >= self.end_s:
            return at_rest(self.end)
        s = max(0.0, (time_s - self.start_s) / self._duration_s)
        powers = np.array([1.0, s, s**2, s**3, s**4, s**5])
        first = np.array([0.0, 1.0, 2.0 * s, 3.0 * s**2, 4.0 * s**3, 5.0 * s**4]) / self._duration_s
        second = np.array([0.0, 0.0, 2.0, 6.0 * s, 12.0 * s**2, 20.0 * s**3]) / self._duration_s**2
        where = powers @ self._coefficients
        turned = pose.quat_multiply(pose.quat_from_rotvec(where[3:]), self._orientation)
        return Motion(pose.make(where[:3], turned), first @ self._coefficients, second @ self._coefficients)


class Tremor:
    """Physiological tremor: a sum of sinusoids between 8 and 12 Hz with random phases, for six coordinates.

    length_m, angle_rad: root mean square of the displacement's length and of the rotation's angle.
    The band is that of the hand's physiological tremor (Elble and Randall 1978).
    """

    BAND_HZ = (8.0, 12.0)
    _SINUSOIDS = 8

    def __init__(self, rng: np.random.Generator, length_m: float, angle_rad: float) -> None:
        self._omega = 2.0 * math.pi * rng.uniform(*self.BAND_HZ, size=(6, self._SINUSOIDS))
        self._phase = rng.uniform(0.0, 2.0 * math.pi, size=(6, self._SINUSOIDS))
        # A sinusoid's mean square is half its amplitude squared; three axes share the length.
        share = math.sqrt(2.0 / (3.0 * self._SINUSOIDS))
        self._amplitude = share * np.repeat([length_m, angle_rad], 3)[:, None]

    def at(self, time_s: float) -> tuple[Array, Array]:
        """Displacement (6,) in m and rad, and its rate (6,) in m/s and rad/s."""
        angle = self._omega * time_s + self._phase
        displacement = (self._amplitude * np.sin(angle)).sum(axis=1)
        rate = (self._amplitude * self._omega * np.cos(angle)).sum(axis=1)
        return displacement, rate


def shaken(motion: Motion, tremor: Tremor, time_s: float) -> Motion:
    """The intended motion with the tremor on top: what a tracker sees."""
    displacement, rate = tremor.at(time_s)
    turned = pose.quat_multiply(pose.quat_from_rotvec(displacement[3:]), motion.pose[3:])
    return Motion(
        pose.make(motion.pose[:3] + displacement[:3], pose.quat_normalize(turned)),
        motion.velocity + rate,
        motion.acceleration,
    )


def pressed_toward(value: float, goal: float, press_s: float, dt_s: float) -> float:
    """An analogue button one frame on: from `value` toward `goal` (0..1) at full travel per `press_s`."""
    step = dt_s / press_s
    return min(goal, value + step) if goal > value else max(goal, value - step)


class Fingers:
    """The controller's buttons, frame by frame: what they are pressed toward, and how far they are."""

    def __init__(self, press_s: float) -> None:
        self.squeeze_goal = 0.0
        self.trigger_goal = 0.0
        self.pressed: Literal["primary", "secondary"] | None = None
        self.squeeze = 0.0
        self.trigger = 0.0
        self._press_s = press_s

    def advance(self, dt_s: float) -> None:
        """Let the fingers move for `dt_s`."""
        self.squeeze = pressed_toward(self.squeeze, self.squeeze_goal, self._press_s, dt_s)
        self.trigger = pressed_toward(self.trigger, self.trigger_goal, self._press_s, dt_s)
