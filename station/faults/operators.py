"""Operators with a fault at a known time: one who lingers, one whose hand shakes or swings, one who stops too early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from robots.mujoco.tasks import Look, Plan
from teleloom import pose
from teleloom.clock import NS_PER_S, Clock
from teleloom.messages import Controller, XrFrame
from teleloom.pose import Array
from teleop.operator import HapticPattern, Hud
from teleop.sources.scripted.hand import Tremor
from teleop.sources.scripted.operator import ScriptedOperator

Span = tuple[int, int]
Shake = Callable[[float], tuple[Array, Array]]
"""Displacement (6,) in m and rad, and its rate (6,), s into the shaking."""


@dataclass
class Lingering:
    """A plan carried out as it is, but for `dwell_s` of rest after its waypoint number `after`, from 0.

    span: when that was, ns of the clock; None until it has happened.
    """

    plan: Callable[[Look], Plan]
    clock: Clock
    after: int
    dwell_s: float
    span: Span | None = None

    def __call__(self, look: Look) -> Plan:
        for number, waypoint in enumerate(self.plan(look)):
            if number != self.after:
                yield waypoint
                continue
            yield replace(waypoint, dwell_s=waypoint.dwell_s + self.dwell_s)
            end_ns = self.clock.now_ns()
            self.span = (end_ns - round(self.dwell_s * NS_PER_S), end_ns)


class Unsteady:
    """An operator whose hand does something on top of what it should, for a while.

    span: from when to when, ns of the clock. shake: what the hand does then.
    """

    def __init__(self, operator: ScriptedOperator, span: Span, shake: Shake) -> None:
        self._operator = operator
        self.span = span
        self._shake = shake

    @property
    def done(self) -> bool:
        return self._operator.done

    def open(self) -> None:
        self._operator.open()

    def poll(self) -> XrFrame | None:
        frame = self._operator.poll()
        if frame is None or not self.span[0] <= frame.t_ns < self.span[1]:
            return frame
        hand = self._operator.config.hand
        controller: Controller = getattr(frame, hand)
        moved = displaced(controller, *self._shake((frame.t_ns - self.span[0]) / NS_PER_S))
        return msgspec.structs.replace(frame, **{hand: moved})

    def feedback(self, haptics: HapticPattern, hud: Hud) -> None:
        self._operator.feedback(haptics, hud)

    def close(self) -> None:
        self._operator.close()


def displaced(controller: Controller, displacement: Array, rate: Array) -> Controller:
    """The controller moved by a displacement (6,), m and rad, that itself moves at `rate` (6,)."""
    velocity = np.array([*controller.linear_velocity, *controller.angular_velocity]) + rate
    there = np.array(controller.pose)
    turned = pose.quat_multiply(pose.quat_from_rotvec(displacement[3:]), there[3:])
    moved = pose.make(there[:3] + displacement[:3], pose.quat_normalize(turned))
    return msgspec.structs.replace(
        controller,
        pose=tuple(moved.tolist()),
        linear_velocity=tuple(velocity[:3].tolist()),
        angular_velocity=tuple(velocity[3:].tolist()),
    )


class Interrupted:
    """An operator whose thumb slips: at `at_ns` they press primary, and that is the end of the episode."""

    def __init__(self, operator: ScriptedOperator, at_ns: int) -> None:
        self._operator = operator
        self._at_ns = at_ns
        self.done = False

    def open(self) -> None:
        self._operator.open()

    def poll(self) -> XrFrame | None:
        frame = self._operator.poll()
        if frame is None or frame.t_ns < self._at_ns:
            return frame
        config = self._operator.config
        self.done = frame.t_ns > self._at_ns + config.tap_s * NS_PER_S
        pressed = msgspec.structs.replace(getattr(frame, config.hand), primary=not self.done)
        return msgspec.structs.replace(frame, **{config.hand: pressed})

    def feedback(self, haptics: HapticPattern, hud: Hud) -> None:
        self._operator.feedback(haptics, hud)

    def close(self) -> None:
        self._operator.close()


class JerkyHand:
    """The shake of a jerky operator: between 3 and 6 Hz, where an arm still follows."""

    def __init__(self, seed: int, length_m: float, angle_rad: float) -> None:
        self._tremor = _CoarseTremor(np.random.default_rng(seed), length_m, angle_rad)

    def __call__(self, time_s: float) -> tuple[Array, Array]:
        return self._tremor.at(time_s)


class _CoarseTremor(Tremor):
    BAND_HZ = (3.0, 6.0)


class TwistingHand:
    """The hand turns to and fro about the vertical, faster than the arm's joints can."""

    def __init__(self, angle_rad: float, rate_hz: float) -> None:
        self._angle_rad = angle_rad
        self._omega = 2.0 * np.pi * rate_hz

    def __call__(self, time_s: float) -> tuple[Array, Array]:
        displacement, rate = np.zeros(6), np.zeros(6)
        displacement[5] = self._angle_rad * np.sin(self._omega * time_s)
        rate[5] = self._angle_rad * self._omega * np.cos(self._omega * time_s)
        return displacement, rate
