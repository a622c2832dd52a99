"""The relative clutch: the tool moves as the hand has moved since engagement, from where the tool was then.

    p = p_home + s_t (p_hand - p_origin)            R = exp(s_r log(R_hand R_originᵀ)) R_home

both in the robot's base frame. The frame of engagement gives home exactly, at any scale. Locked axes drop their
component of the translation and of the rotation vector.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from teleloom.messages import Pose, Vec3
from teleloom.pose import quat_conjugate, quat_from_rotvec, quat_multiply, rotvec_from_quat
from teleop.config import MappingConfig

IDLE_TURN: Vec3 = (0.0, 0.0, 0.0)
# What rounding leaves between a rotation and itself.
NO_TURN_RAD = 1e-12


class Anchor(NamedTuple):
    """Where hand and tool were at engagement. turn: the hand's rotation vector since then, followed past π."""

    origin: Pose
    home: Pose
    turn: Vec3 = IDLE_TURN


def map_hand(
    hand: Pose | None, home: Pose, anchor: Anchor | None, config: MappingConfig
) -> tuple[Pose | None, Anchor | None]:
    """The tool's target for a hand pose, and the anchor to use next.

    hand: None while it must not drive the arm; that drops the anchor, so that the next valid hand latches anew.
    home: the tool pose to start from, used only in the frame that latches.
    """
    if hand is None:
        return None, None
    if anchor is None:
        return home, Anchor(origin=hand, home=home)
    turn = _turn(hand, anchor)
    scale = config.translation_scale
    position = [
        h if locked else h + scale * (p - o)
        for h, p, o, locked in zip(anchor.home[:3], hand[:3], anchor.origin[:3], config.lock_translation, strict=True)
    ]
    applied = [
        0.0 if locked else config.rotation_scale * r for r, locked in zip(turn, config.lock_rotation, strict=True)
    ]
    quat = quat_multiply(quat_from_rotvec(applied), anchor.home[3:]) if any(applied) else anchor.home[3:]
    x, y, z = position
    qx, qy, qz, qw = (float(value) for value in quat)
    return (x, y, z, qx, qy, qz, qw), anchor._replace(turn=turn)


def rebase(hand: Pose, target: Pose) -> Anchor:
    """The anchor from which `target` goes on without a jump when the scales or locks change at this hand pose."""
    return Anchor(origin=hand, home=target)


def _turn(hand: Pose, anchor: Anchor) -> Vec3:
    """The hand's rotation vector since engagement: of the equivalent ones, the nearest to the one before."""
    x, y, z = rotvec_from_quat(quat_multiply(hand[3:], quat_conjugate(anchor.origin[3:])).tolist()).tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < NO_TURN_RAD:
        return anchor.turn if math.hypot(*anchor.turn) > math.pi else IDLE_TURN
    ux, uy, uz = x / angle, y / angle, z / angle
    along = ux * anchor.turn[0] + uy * anchor.turn[1] + uz * anchor.turn[2]
    turns = round((along - angle) / (2.0 * math.pi))
    if turns == 0:
        return (x, y, z)
    angle += 2.0 * math.pi * turns
    return (ux * angle, uy * angle, uz * angle)
