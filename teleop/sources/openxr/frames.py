"""From what an OpenXR runtime says to XrFrames: rebasing, numbering and freeze detection. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
from numpy.typing import ArrayLike

from teleloom.messages import Controller, Pose, Vec2, Vec3, XrFrame
from teleloom.pose import compose, make, quat_from_matrix, quat_from_rotvec, quat_multiply, quat_normalize, quat_rotate
from teleop.sources.newest import HANDS

# OpenXR is x right, y up, -z forward; the robot's base frame is x forward, y left, z up.
BASE_FROM_XR = ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


@dataclass(frozen=True)
class HandSample:
    """One hand as the runtime located it, in the runtime's reference space.

    pose is None where the runtime gave none. active: a device is there and its input reaches this session.
    tracked: position and orientation are both measured now, not guessed.
    """

    pose: Pose | None = None
    active: bool = False
    tracked: bool = False
    linear_velocity: Vec3 = (0.0, 0.0, 0.0)
    angular_velocity: Vec3 = (0.0, 0.0, 0.0)
    squeeze: float = 0.0
    trigger: float = 0.0
    stick: Vec2 = (0.0, 0.0)
    primary: bool = False
    secondary: bool = False


@dataclass(frozen=True)
class XrSample:
    """Head and hands located for one instant. recentred: the reference space has moved since the sample before."""

    t_ns: int
    left: HandSample
    right: HandSample
    head: Pose | None = None
    recentred: bool = False

    @classmethod
    def nothing(cls, t_ns: int) -> XrSample:
        """What is known at `t_ns` without a runtime, or while it gives its input to somebody else."""
        return cls(t_ns=t_ns, left=HandSample(), right=HandSample())


class Rebase:
    """Maps poses and velocities from OpenXR's axes into the robot's base frame.

    base_from_xr: (3, 3) rotation; yaw_rad: a further turn about the base's z axis, for an operator who does not face
    the way the robot does. Raises ValueError unless the matrix is finite, orthonormal, with determinant +1.
    """

    def __init__(self, base_from_xr: ArrayLike = BASE_FROM_XR, yaw_rad: float = 0.0) -> None:
        if not math.isfinite(yaw_rad):
            raise ValueError(f"yaw_rad is {yaw_rad}; it must be finite")
        yaw = quat_from_rotvec((0.0, 0.0, yaw_rad))
        self._turn = quat_multiply(yaw, quat_from_matrix(base_from_xr))
        self._pose = make((0.0, 0.0, 0.0), self._turn)

    def pose(self, xr_pose: Pose) -> Pose:
        """`T_base_device` (7,) from `T_xr_device` (7,)."""
        device = make(xr_pose[:3], quat_normalize(xr_pose[3:]))
        x, y, z, qx, qy, qz, qw = compose(self._pose, device).tolist()
        return (x, y, z, qx, qy, qz, qw)

    def vector(self, xr_vector: Vec3) -> Vec3:
        """A velocity (3,) turned into the base frame."""
        x, y, z = quat_rotate(self._turn, xr_vector).tolist()
        return (x, y, z)


class FreezeWatch:
    """Tells when a hand's pose has stopped coming.

    A tracked hand never repeats a pose bit for bit, not even on a table: its sensors are noisy. A runtime whose
    headset has gone silent repeats the last one and goes on calling it tracked.
    """

    def __init__(self, timeout_ns: int) -> None:
        self._timeout_ns = timeout_ns
        self._last: Pose | None = None
        self._changed_ns = 0

    def frozen(self, t_ns: int, current: Pose) -> bool:
        """Whether `current`, located for `t_ns`, has stood still for longer than the timeout."""
        if current != self._last:
            self._last = current
            self._changed_ns = t_ns
        return t_ns - self._changed_ns > self._timeout_ns


class FrameAssembler:
    """Turns samples into numbered XrFrames in the base frame.

    A hand is untracked in a frame when the runtime says so, when its pose is not finite, when it has been frozen for
    longer than `freeze_timeout_ns`, and when the reference space moved. A hand that was never located is None. One
    that has gone is inactive and keeps its last pose, squeeze and trigger: a release is seen, never guessed.

    A sample that shows nothing new makes no frame: a runtime that does not predict gives the same pose twice when it
    is asked faster than its headset sends, and the same pose with a later time would be a hand that stopped.
    """

    def __init__(self, rebase: Rebase, freeze_timeout_ns: int) -> None:
        self._rebase = rebase
        self._watch = {hand: FreezeWatch(freeze_timeout_ns) for hand in HANDS}
        self._last: dict[str, Controller] = {}
        self._frozen: dict[str, bool] = dict.fromkeys(HANDS, False)
        self._newest: XrFrame | None = None
        self._seq = 0

    @property
    def frozen_hands(self) -> tuple[str, ...]:
        """The hands whose pose had stopped coming in the newest frame."""
        return tuple(hand for hand in HANDS if self._frozen[hand])

    def frame(self, sample: XrSample) -> XrFrame | None:
        """The frame of one sample; None if it shows tracked hands just as the frame before did."""
        head = _usable(sample.head)
        frame = XrFrame(
            t_ns=sample.t_ns,
            seq=self._seq,
            head=None if head is None else self._rebase.pose(head),
            left=self._hand("left", sample.left, sample),
            right=self._hand("right", sample.right, sample),
        )
        if self._newest is not None and _repeats(frame, self._newest):
            return None
        self._newest = frame
        self._seq += 1
        return frame

    def _hand(self, hand: str, given: HandSample, sample: XrSample) -> Controller | None:
        located, last = _usable(given.pose), self._last.get(hand)
        still = located is not None and self._watch[hand].frozen(sample.t_ns, located)
        self._frozen[hand] = still and given.active and given.tracked
        if located is not None:
            pose = self._rebase.pose(located)
        elif last is not None:
            pose = last.pose
        else:
            return None
        controller = Controller(
            pose=pose,
            active=given.active,
            tracked=located is not None and given.tracked and not still and not sample.recentred,
            linear_velocity=self._rebase.vector(given.linear_velocity),
            angular_velocity=self._rebase.vector(given.angular_velocity),
            squeeze=last.squeeze if last and not given.active else given.squeeze,
            trigger=last.trigger if last and not given.active else given.trigger,
            stick=given.stick,
            primary=given.primary,
            secondary=given.secondary,
        )
        self._last[hand] = controller
        return controller


def _repeats(frame: XrFrame, before: XrFrame) -> bool:
    """Whether a frame with a hand that is tracked says nothing but the time that the one before it did not."""
    is_tracked = any(hand is not None and hand.tracked for hand in (frame.left, frame.right))
    return is_tracked and msgspec.structs.replace(frame, t_ns=before.t_ns, seq=before.seq) == before


def _usable(xr_pose: Pose | None) -> Pose | None:
    """The pose, if there is one whose numbers are finite and whose quaternion has a direction."""
    if xr_pose is None or not all(map(math.isfinite, xr_pose)) or not any(abs(part) > 1e-6 for part in xr_pose[3:]):
        return None
    return xr_pose
