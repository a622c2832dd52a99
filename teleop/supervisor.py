"""Whether the operator's input may move the arm, decided in one order by pure functions, with a name for every no.

    freshness, tracked, finite -> latched stop -> deadman -> workspace -> governor -> IK -> effort and tracking error
    -> output guard

This module holds the decisions and the catalogue of names; the loop asks them in that order. After any fault the
clutch must be seen released in a fresh, valid frame before it engages again. Where something is doubtful, the answer
is to hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from teleloom.clock import NS_PER_S
from teleloom.messages import Controller, Pose, RobotState, Vec3, XrFrame
from teleloom.pose import quat_conjugate, quat_from_rotvec, quat_multiply, quat_rotate, rotvec_from_quat
from teleloom.specs import RobotSpec
from teleop.config import SafetyConfig, TeleopConfig, WorkspaceConfig
from teleop.operator import HapticPattern

INPUT_STALE = "input_stale"
INPUT_OUT_OF_ORDER = "input_out_of_order"
CONTROLLER_INACTIVE = "controller_inactive"
TRACKING_LOST = "tracking_lost"
INPUT_NOT_FINITE = "input_not_finite"
INPUT_JUMP = "input_jump"
EMERGENCY_STOP = "emergency_stop"
CLUTCH_NOT_RELEASED = "clutch_not_released"
OUTSIDE_WORKSPACE = "outside_workspace"
WORKSPACE = "workspace"
ORIENTATION = "orientation"
VELOCITY_LIMIT = "velocity_limit"
ACCELERATION_LIMIT = "acceleration_limit"
JOINT_LIMIT = "joint_limit"
CLEARANCE = "clearance"
IK_FAILED = "ik_failed"
ROBOT_STATE = "robot_state"
EFFORT_LIMIT = "effort_limit"
TRACKING_ERROR = "tracking_error"
OUTPUT_GUARD = "output_guard"


@dataclass(frozen=True)
class Intervention:
    """What a name means to a person, what their hand feels, and whether it stops the arm until they let go."""

    explanation: str
    haptic: HapticPattern = HapticPattern.LIMIT
    fault: bool = False


def _fault(explanation: str) -> Intervention:
    return Intervention(explanation, HapticPattern.FAULT, fault=True)


INTERVENTIONS: dict[str, Intervention] = {
    INPUT_STALE: _fault("no fresh input from the headset"),
    INPUT_OUT_OF_ORDER: Intervention("input with a time that goes back or lies ahead was ignored", HapticPattern.NONE),
    CONTROLLER_INACTIVE: _fault("the controller is off or asleep"),
    TRACKING_LOST: _fault("the controller is out of the cameras' sight"),
    INPUT_NOT_FINITE: _fault("the controller sent a pose that is not a number"),
    INPUT_JUMP: _fault("the controller's pose jumped"),
    EMERGENCY_STOP: _fault("stopped; clear the stop at the station"),
    CLUTCH_NOT_RELEASED: Intervention("let go of the grip, then squeeze again"),
    OUTSIDE_WORKSPACE: Intervention("the tool is outside the workspace; bring it back before engaging"),
    WORKSPACE: Intervention("at the edge of the workspace"),
    ORIENTATION: Intervention("the tool leans as far as it may"),
    VELOCITY_LIMIT: Intervention("slower: the arm is at its speed limit", HapticPattern.NONE),
    ACCELERATION_LIMIT: Intervention(
        "gently: the arm cannot speed up or brake as fast and trails the hand", HapticPattern.NONE
    ),
    JOINT_LIMIT: Intervention("a joint is at its limit"),
    CLEARANCE: Intervention("too close to an obstacle or to itself"),
    IK_FAILED: _fault("no safe joint motion was found"),
    ROBOT_STATE: _fault("the robot's state is missing or not a number"),
    EFFORT_LIMIT: _fault("the arm pushes too hard"),
    TRACKING_ERROR: _fault("the arm does not follow its command"),
    OUTPUT_GUARD: _fault("the command was beyond the limits and was not sent"),
}


class Admission(NamedTuple):
    """What the supervisor remembers of the operator between ticks, and what it decided in this one.

    frame: the newest frame accepted. hand: its controller where valid now. engaged: the arm may follow. interventions:
    why it may not. must_release: the clutch has not been seen released since the last fault (or the start).
    """

    frame: XrFrame | None = None
    hand: Controller | None = None
    last_valid: tuple[int, Pose] | None = None
    closed: bool = False
    must_release: bool = True
    stopped: bool = False
    engaged: bool = False
    interventions: tuple[str, ...] = ()


def admit(now_ns: int, frame: XrFrame | None, before: Admission, config: TeleopConfig) -> Admission:
    """Freshness, tracked, finite, latched stop and deadman, in this order.

    frame: what the operator's device gave in this tick, None if nothing new.
    """
    ignored: tuple[str, ...] = ()
    newest = before.frame
    if frame is not None and not _repeats(frame, newest):
        if _in_order(now_ns, frame, newest, config.safety):
            newest = frame
        else:
            ignored = (INPUT_OUT_OF_ORDER,)
    hand = _valid_hand(now_ns, newest, before, config)
    if newest is before.frame and hand is before.hand and before.engaged and not (before.stopped or ignored):
        return before if not before.interventions else before._replace(interventions=())
    fault = hand if isinstance(hand, str) else None
    if newest is None or isinstance(hand, str) or before.stopped:
        reasons = (*ignored, *([fault] if fault else []), *([EMERGENCY_STOP] if before.stopped else []))
        valid = None if isinstance(hand, str) else hand
        return before._replace(
            frame=newest, hand=valid, engaged=False, closed=False, must_release=True, interventions=reasons
        )
    threshold = config.clutch.release_below if before.closed else config.clutch.engage_above
    closed = hand.squeeze > threshold
    must_release = before.must_release and hand.squeeze >= config.clutch.release_below
    if closed and must_release:
        ignored = (*ignored, CLUTCH_NOT_RELEASED)
    engaged = closed and not must_release
    return before._replace(
        frame=newest,
        hand=hand,
        last_valid=(newest.t_ns, hand.pose),
        closed=closed,
        must_release=must_release,
        engaged=engaged,
        interventions=ignored,
    )


def refuse(admission: Admission, name: str) -> Admission:
    """The admission after the intervention `name`: disengaged, and if it is a fault, until the clutch was released."""
    must_release = admission.must_release or INTERVENTIONS[name].fault or admission.closed
    return admission._replace(engaged=False, must_release=must_release, interventions=(*admission.interventions, name))


def robot_fault(now_ns: int, state: RobotState, spec: RobotSpec, config: SafetyConfig) -> str | None:
    """ROBOT_STATE unless the robot's state is recent, complete and finite."""
    count = len(spec.joint_names)
    if len(state.q) != count or now_ns - state.t_ns > config.robot_age_limit_s * NS_PER_S:
        return ROBOT_STATE
    return None if math.isfinite(sum(state.q) + sum(state.dq) + state.gripper) else ROBOT_STATE


def load_fault(state: RobotState, q_command: Sequence[float], spec: RobotSpec, config: SafetyConfig) -> str | None:
    """TRACKING_ERROR or EFFORT_LIMIT where a joint is beyond it in this state. The loop allows it for `patience_s`."""
    for measured, commanded in zip(state.q, q_command, strict=True):
        if abs(measured - commanded) > config.tracking_error_limit_rad:
            return TRACKING_ERROR
    for effort, most in zip(state.effort, spec.effort_max, strict=False):
        if not abs(effort) <= config.effort_fraction * most:
            return EFFORT_LIMIT
    return None


def inside(position: Sequence[float], workspace: WorkspaceConfig, margin_m: float = 0.0) -> bool:
    """Whether a tool position (3,) lies in the workspace grown by `margin_m`."""
    return all(
        low - margin_m <= p <= high + margin_m
        for p, low, high in zip(position, workspace.lower_m, workspace.upper_m, strict=True)
    )


def confine(target: Pose, workspace: WorkspaceConfig) -> tuple[Pose, tuple[str, ...]]:
    """The target brought into the workspace box and the orientation cone by the shortest way, and what that took."""
    names: tuple[str, ...] = ()
    x, y, z = target[:3]
    if not inside(target[:3], workspace):
        x, y, z = (
            min(max(p, low), high)
            for p, low, high in zip(target[:3], workspace.lower_m, workspace.upper_m, strict=True)
        )
        names = (WORKSPACE,)
    quat = target[3:]
    axis = quat_rotate(quat, workspace.tool_axis).tolist()
    upright = workspace.upright_axis
    cosine = axis[0] * upright[0] + axis[1] * upright[1] + axis[2] * upright[2]
    if cosine < math.cos(workspace.cone_rad):
        lean = math.acos(min(max(cosine, -1.0), 1.0))
        a, b, c, d = quat_multiply(quat_from_rotvec(_turn_back(axis, upright, lean - workspace.cone_rad)), quat)
        quat = (float(a), float(b), float(c), float(d))
        names = (*names, ORIENTATION)
    return (x, y, z, *quat), names


def output_fault(
    q: Sequence[float],
    dq: Sequence[float],
    before: tuple[Sequence[float], Sequence[float]],
    tool: tuple[Vec3, Vec3],
    spec: RobotSpec,
    config: TeleopConfig,
) -> str | None:
    """The last look at a command: OUTPUT_GUARD unless it is finite, within every limit and inside the workspace.

    q, dq: the command. before: the command before it. tool: the tool's position before and after it; outside the
    workspace's tolerance it may only move inward.
    """
    dt = 1.0 / config.rate_hz
    slack = 1e-9
    commanded = zip(q, dq, *before, strict=True)
    limits = zip(spec.q_min, spec.q_max, spec.dq_max, spec.ddq_max, strict=True)
    for (position, speed, last, pace), (low, high, fastest, hardest) in zip(commanded, limits, strict=True):
        if not (
            low - slack <= position <= high + slack
            and abs(speed) <= fastest + slack
            and abs(position - last) <= fastest * dt + slack
            and abs(speed - pace) <= hardest * dt + slack
        ):
            return OUTPUT_GUARD
    margin = config.workspace.tolerance_m
    if not inside(tool[1], config.workspace, margin) and _outside_by(tool[1], config) > _outside_by(tool[0], config):
        return OUTPUT_GUARD
    return None


def _outside_by(position: Vec3, config: TeleopConfig) -> float:
    box = config.workspace
    return max(max(low - p, p - high) for p, low, high in zip(position, box.lower_m, box.upper_m, strict=True))


def _repeats(frame: XrFrame, newest: XrFrame | None) -> bool:
    return newest is not None and frame.t_ns == newest.t_ns and frame.seq == newest.seq


def _in_order(now_ns: int, frame: XrFrame, newest: XrFrame | None, config: SafetyConfig) -> bool:
    if frame.t_ns > now_ns + config.input_ahead_limit_s * NS_PER_S:
        return False
    return newest is None or frame.t_ns > newest.t_ns


def _valid_hand(now_ns: int, frame: XrFrame | None, before: Admission, config: TeleopConfig) -> Controller | str:
    """The controlling hand, or the name of the reason not to trust it."""
    if frame is None or now_ns - frame.t_ns > config.safety.input_age_limit_s * NS_PER_S:
        return INPUT_STALE
    if frame is before.frame and before.hand is not None:
        return before.hand
    hand = frame.right if config.hand == "right" else frame.left
    if hand is None or not hand.active:
        return CONTROLLER_INACTIVE
    if not hand.tracked:
        return TRACKING_LOST
    if not _finite(hand):
        return INPUT_NOT_FINITE
    if _jumped(frame.t_ns, hand.pose, before, config.safety):
        return INPUT_JUMP
    return hand


def _finite(hand: Controller) -> bool:
    """Every number finite, the quaternion of unit length, the place within a building."""
    if not math.isfinite(sum(hand.pose) + hand.squeeze + hand.trigger):
        return False
    return abs(math.hypot(*hand.pose[3:]) - 1.0) < 1e-2 and max(map(abs, hand.pose[:3])) < 100.0


def _jumped(t_ns: int, pose: Pose, before: Admission, config: SafetyConfig) -> bool:
    """Whether the hand moved further since its last valid pose, if that is recent, than a hand can."""
    if before.last_valid is None or before.hand is None:
        return False
    last_ns, last = before.last_valid
    elapsed = max((t_ns - last_ns) / NS_PER_S, 1e-3)
    moved = math.dist(pose[:3], last[:3])
    turned = math.hypot(*rotvec_from_quat(quat_multiply(pose[3:], quat_conjugate(last[3:])).tolist()))
    return moved > config.hand_speed_limit_m_s * elapsed or turned > config.hand_turn_limit_rad_s * elapsed


def _turn_back(axis: Sequence[float], upright: Vec3, angle: float) -> Vec3:
    """Rotation vector that turns `axis` by `angle` towards `upright`; any way round where they are opposite."""
    x = axis[1] * upright[2] - axis[2] * upright[1]
    y = axis[2] * upright[0] - axis[0] * upright[2]
    z = axis[0] * upright[1] - axis[1] * upright[0]
    length = math.sqrt(x * x + y * y + z * z)
    if length < 1e-9:
        x, y, z = (0.0, -upright[2], upright[1]) if abs(upright[0]) < 0.9 else (upright[2], 0.0, -upright[0])
        length = math.sqrt(x * x + y * y + z * z)
    scale = angle / length
    return (x * scale, y * scale, z * scale)
