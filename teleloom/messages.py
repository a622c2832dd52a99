"""The messages that the nodes of a station exchange and the recorder keeps.

Every message is a frozen struct of plain numbers, strings and tuples: it can be checked against its type where it
comes off a wire, compared, and shared between threads. Times are int64 ns of CLOCK_MONOTONIC (`t_ns`: when the
content was true); `t_device_ns` is the device's own clock where it has one; `seq` counts up by one per source, so a
gap is a loss. Poses are `[x y z qx qy qz qw]` in metres, in the robot's base frame (z up, x forward). Gripper 0 is
closed, 1 is open.

The garbage collector does not track messages (`gc=False`): they come by the hundred a second and can hold no cycle.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

Vec2 = tuple[float, float]
Vec3 = tuple[float, float, float]
Vec6 = tuple[float, float, float, float, float, float]
Pose = tuple[float, float, float, float, float, float, float]
Vector = tuple[float, ...]


class ControlMode(enum.IntEnum):
    """Who moved the arm in a tick."""

    HOLD = 0
    HUMAN = 1
    POLICY = 2
    BLEND = 3


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every message carries: host time in ns, sequence number, and the device's own time in ns if it has one."""

    t_ns: int
    seq: int
    t_device_ns: int | None = None


class Controller(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One hand's controller. Velocities in m/s and rad/s; squeeze and trigger from 0 (free) to 1 (pressed)."""

    pose: Pose
    active: bool = True
    tracked: bool = True
    linear_velocity: Vec3 = (0.0, 0.0, 0.0)
    angular_velocity: Vec3 = (0.0, 0.0, 0.0)
    squeeze: float = 0.0
    trigger: float = 0.0
    stick: Vec2 = (0.0, 0.0)
    primary: bool = False
    secondary: bool = False


class XrFrame(Message, tag="XrFrame", frozen=True, kw_only=True, gc=False):
    """What the operator's headset and hands did at one instant. A hand that does not exist is None."""

    head: Pose | None = None
    left: Controller | None = None
    right: Controller | None = None


class RobotState(Message, tag="RobotState", frozen=True, kw_only=True, gc=False):
    """What the robot measured.

    q, dq, effort: (J,) rad, rad/s, N·m of the arm's joints. ee_pose: measured tool pose in the base frame.
    gripper: opening, 0..1. wrench: force and torque at the tool in the base frame, N and N·m, None without a sensor.
    """

    q: Vector
    dq: Vector
    effort: Vector
    ee_pose: Pose
    gripper: float
    wrench: Vec6 | None = None


class JointCommand(Message, tag="JointCommand", frozen=True, kw_only=True, gc=False):
    """What the robot is told. q: (J,) rad; dq: (J,) rad/s feed-forward; gripper: opening asked for, 0..1."""

    q: Vector
    dq: Vector
    gripper: float


class CameraFrame(Message, tag="CameraFrame", frozen=True, kw_only=True, gc=False):
    """One encoded image. codec: 'jpeg' for colour, 'zstd-u16' for depth (row-major little-endian uint16, mm)."""

    camera: str
    codec: str
    width: int
    height: int
    data: bytes


class ControlTick(Message, tag="ControlTick", frozen=True, kw_only=True, gc=False):
    """One tick of the control loop, whole: what was asked, what was let through, and why it differed.

    target_raw: the operator's target after mapping, None while not engaged. target_filtered: after the filter.
    target_executed: the tool pose that the command `q` reaches. human_target, policy_target: what each pilot
    asked for (pose and gripper), None where it asked for nothing. interventions: names from `teleop.supervisor`.
    latency_ns: time spent per stage, in the order of STAGES; the last entry is from the newest input to the command.
    """

    mode: ControlMode
    engaged: bool
    is_intervention: bool = False
    target_raw: Pose | None = None
    target_filtered: Pose | None = None
    target_executed: Pose
    gripper_command: float
    q_command: Vector
    dq_command: Vector
    human_target: tuple[Pose, float] | None = None
    policy_target: tuple[Pose, float] | None = None
    interventions: tuple[str, ...] = ()
    latency_ns: tuple[int, ...] = ()


STAGES = ("read", "map", "filter", "supervise", "ik", "command", "input_to_command")


class PolicyAction(Message, tag="PolicyAction", frozen=True, kw_only=True, gc=False):
    """One answer of a policy. chunk: H actions of D values; latency_ns: from observation to answer."""

    policy_version: str
    chunk: tuple[Vector, ...]
    latency_ns: int


class Event(Message, tag="Event", frozen=True, kw_only=True, gc=False):
    """Something that happened: an intervention, a button, a lost camera. `data` holds plain JSON values."""

    kind: str
    reason: str = ""
    data: dict[str, Any] = {}


AnyMessage = XrFrame | RobotState | JointCommand | CameraFrame | ControlTick | PolicyAction | Event

MAX_MESSAGE_BYTES = 16 * 1024 * 1024

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


class BadMessageError(ValueError):
    """Bytes that are not one of the messages above: too large, truncated, of another type or with a wrong field."""


def encode(message: AnyMessage) -> bytes:
    """Message to msgpack, tagged with its type."""
    return _encoder.encode(message)


def decode(data: bytes | memoryview) -> AnyMessage:
    """Msgpack to the message it is tagged as.

    Raises BadMessageError when the bytes are larger than MAX_MESSAGE_BYTES or do not match the message's type.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise BadMessageError(f"message of {len(data)} bytes; at most {MAX_MESSAGE_BYTES} are accepted")
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessageError(f"not a station message: {error}") from None
