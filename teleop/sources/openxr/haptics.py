"""When a controller vibrates to say what a HapticPattern means. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from teleloom.clock import NS_PER_S
from teleop.operator import HapticPattern


@dataclass(frozen=True)
class Pulse:
    """One vibration: when it starts, how long it lasts, how strong it is (0..1)."""

    start_ns: int
    duration_ns: int
    amplitude: float


def pulses(pattern: HapticPattern, start_ns: int) -> list[Pulse]:
    """The pulses of a pattern from `start_ns`, each followed by a pause of its own length."""
    duration_s, amplitude, count = pattern.value
    duration_ns = round(duration_s * NS_PER_S)
    return [Pulse(start_ns + 2 * i * duration_ns, duration_ns, amplitude) for i in range(count)]


class HapticSchedule:
    """What is still to be felt. A pattern asked for again while it plays goes on; another takes its place."""

    def __init__(self) -> None:
        self._pattern = HapticPattern.NONE
        self._ends_ns = 0
        self._waiting: list[Pulse] = []

    def ask(self, pattern: HapticPattern, now_ns: int) -> None:
        """Play `pattern` from now on; NONE asks for nothing and stops nothing."""
        if pattern is HapticPattern.NONE or (pattern is self._pattern and now_ns < self._ends_ns):
            return
        self._pattern = pattern
        self._waiting = pulses(pattern, now_ns)
        last = self._waiting[-1]
        self._ends_ns = last.start_ns + 2 * last.duration_ns

    def due(self, now_ns: int) -> list[Pulse]:
        """The pulses that start by now; each is returned once."""
        due = [pulse for pulse in self._waiting if pulse.start_ns <= now_ns]
        self._waiting = [pulse for pulse in self._waiting if pulse.start_ns > now_ns]
        return due
