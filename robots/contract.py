"""What the station asks of a robot and of a camera. A driver is any class with these methods; it inherits nothing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from teleloom.messages import CameraFrame, JointCommand, RobotState
from teleloom.specs import CameraSpec, RobotSpec


class RobotError(RuntimeError):
    """A robot that cannot be reached or refuses to move. The message says which, why, and what to do."""


class CameraError(RuntimeError):
    """A camera that cannot be opened. The message says which, why, and what to do."""


@runtime_checkable
class Robot(Protocol):
    """An arm with a gripper. A bimanual station has two."""

    spec: RobotSpec

    def connect(self) -> None:
        """Open the link and hold the present posture. Raises RobotError."""
        ...

    def read(self) -> RobotState:
        """The newest measured state; never blocks longer than one period of `spec.rate_hz`."""
        ...

    def command(self, command: JointCommand) -> None:
        """Ask for joint positions with velocity feed-forward. Returns without waiting for the motion."""
        ...

    def hold(self) -> None:
        """Stop and keep the posture. Safe at any time and from any thread."""
        ...

    def close(self) -> None:
        """Release the link, leaving the robot at rest. Safe to call twice."""
        ...


@runtime_checkable
class Camera(Protocol):
    """A source of encoded frames. It reconnects by itself and says so with an event of its station."""

    spec: CameraSpec

    def open(self) -> None:
        """Start the camera. Raises CameraError."""
        ...

    def read(self) -> CameraFrame | None:
        """The next frame not read before, or None if there is none yet."""
        ...

    def close(self) -> None:
        """Stop the camera. Safe to call twice."""
        ...
