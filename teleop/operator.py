"""What the control loop asks of an operator, whatever they hold in their hands."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from teleloom.messages import XrFrame


class HapticPattern(enum.Enum):
    """What a controller's vibration says. Each is (duration s, amplitude 0..1, pulses)."""

    NONE = (0.0, 0.0, 0)
    ENGAGED = (0.05, 0.6, 1)
    RELEASED = (0.05, 0.3, 1)
    LIMIT = (0.03, 0.4, 1)
    FAULT = (0.15, 1.0, 3)
    RECORDING = (0.10, 0.8, 2)


@dataclass(frozen=True)
class Hud:
    """The lines an operator sees: the mode, why the arm refused (if it did), and what is being recorded."""

    mode: str = ""
    refusal: str = ""
    recording: str = ""


class OperatorError(RuntimeError):
    """An operator's device that cannot be used. The message says which, why, and what to do."""


@runtime_checkable
class Operator(Protocol):
    """A source of XrFrames, already in the robot's base frame (z up, x forward)."""

    def open(self) -> None:
        """Connect. Raises OperatorError."""
        ...

    def poll(self) -> XrFrame | None:
        """The newest frame, or None if none came since the last call. Never blocks."""
        ...

    def feedback(self, haptics: HapticPattern, hud: Hud) -> None:
        """Let the operator feel and see what the station does. Never blocks."""
        ...

    def close(self) -> None:
        """Disconnect. Safe to call twice."""
        ...
