"""Arms by name or by path: which joints and actuators move them, and the facts (RobotSpec) that they declare."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from robots.contract import RobotError
from robots.mujoco import foreign
from robots.mujoco.backend import mujoco
from teleloom.specs import RobotSpec

BUILT_IN = ("panda", "ur5e")
RATE_HZ = 200.0
TOOL_SITES = ("tool", "tcp", "attachment_site", "pinch", "pinch_site", "grip_site", "ee_site", "end_effector")
BASE_BODIES = ("base", "base_link", "link0", "world_link")

# Velocity, acceleration (rad/s, rad/s²): Franka's FCI documentation; Universal Robots' data sheet, which gives no
# acceleration, so a value well inside what the controller accepts (40 rad/s²) stands here.
_DQ_MAX = {"panda": (2.175,) * 4 + (2.61,) * 3, "ur5e": (3.141592653589793,) * 6}
_DDQ_MAX = {"panda": (15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0), "ur5e": (15.0,) * 6}
_UNKNOWN_DQ_MAX = 2.0
_UNKNOWN_DDQ_MAX = 10.0
_UNKNOWN_EFFORT = 100.0
_UNKNOWN_OPENING_M = 0.08
_SLIDE = int(mujoco.mjtJoint.mjJNT_SLIDE)


class _Gripper(TypedDict):
    gripper_actuator: str | None
    gripper_joints: tuple[str, ...]
    gripper_ctrl: tuple[float, float]
    gripper_angles: tuple[float, float]


@dataclass(frozen=True)
class Arm:
    """A model of an arm alone, and the names by which it is moved.

    path: the user's file, None for a built-in arm. actuators: one position actuator per joint of `spec.joint_names`.
    gripper_actuator: None for an arm without a gripper; gripper_ctrl: its control value when closed and when open;
    gripper_joints: the fingers' joints; gripper_angles: the sum of their positions when closed and when open.
    """

    spec: RobotSpec
    path: Path | None
    actuators: tuple[str, ...]
    gripper_actuator: str | None = None
    gripper_joints: tuple[str, ...] = ()
    gripper_ctrl: tuple[float, float] = (0.0, 1.0)
    gripper_angles: tuple[float, float] = (0.0, 1.0)


def load_arm(robot: str) -> Arm:
    """The built-in arm of that name, or the MJCF or URDF at that path.

    Raises RobotError naming what is missing: the file, a tool site, position actuators.
    """
    if robot in BUILT_IN:
        text = (files("robots.mujoco") / "models" / f"{robot}.xml").read_text(encoding="utf-8")
        return _describe(robot, mujoco.MjSpec.from_string(text), text, None)
    path = Path(robot)
    if not path.is_file():
        raise RobotError(f"no robot '{robot}': neither a built-in arm ({', '.join(BUILT_IN)}) nor a file")
    return _describe(path.stem, foreign.parse(path), None, path)


def arm_spec(arm: Arm) -> Any:
    """A fresh MjSpec of the arm, ready to be attached to a scene."""
    return mujoco.MjSpec.from_string(arm.spec.model) if arm.path is None else foreign.parse(arm.path)


def _describe(name: str, source: Any, text: str | None, path: Path | None) -> Arm:
    """The facts that the model states. text: the model's own, None to write one without the files it refers to."""
    try:
        model = source.compile()
    except ValueError as error:
        raise RobotError(f"robot '{name}' cannot be built: {error}") from None
    site = _tool_site(name, model)
    joints = _arm_joints(model, site)
    if not joints:
        raise RobotError(f"robot '{name}': no hinge joint lies between its base and its tool site '{site}'")
    actuators = _joint_actuators(name, model, joints)
    bodies = [model.body(i).name for i in range(1, model.nbody)]
    gripper = _gripper(model, set(joints), set(actuators))
    limits = [_range(model, joint) for joint in joints]
    spec = RobotSpec(
        name=name,
        joint_names=joints,
        q_min=tuple(low for low, _ in limits),
        q_max=tuple(high for _, high in limits),
        dq_max=_DQ_MAX.get(name, (_UNKNOWN_DQ_MAX,) * len(joints)),
        ddq_max=_DDQ_MAX.get(name, (_UNKNOWN_DDQ_MAX,) * len(joints)),
        effort_max=tuple(_effort(model, *pair) for pair in zip(joints, actuators, strict=True)),
        home_q=_home(model, joints),
        rate_hz=RATE_HZ,
        model=foreign.kinematic_text(source, model) if text is None else text,
        tool_site=site,
        base_body=next((body for body in BASE_BODIES if body in bodies), bodies[0]),
        gripper_max_m=_opening_m(model, gripper["gripper_joints"]),
    )
    return Arm(spec, path, actuators, **gripper)


def _tool_site(robot: str, model: Any) -> str:
    present = [model.site(i).name for i in range(model.nsite)]
    found = next((name for name in TOOL_SITES if name in present), None)
    if found is None:
        known = ", ".join(name for name in present if name) or "none"
        raise RobotError(
            f"robot '{robot}' has no tool site; name one of its sites (in a URDF: a link) {TOOL_SITES[0]}, where the "
            f"fingers meet, z out of the hand, fingers opening along y. Also known: {', '.join(TOOL_SITES[1:])}. "
            f"It has: {known}"
        )
    return found


def _arm_joints(model: Any, site: str) -> tuple[str, ...]:
    """The hinge joints on the way from the world to the tool site, in that order."""
    joints: list[str] = []
    body = int(model.site(site).bodyid[0])
    while body > 0:
        first, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
        for index in reversed(range(first, first + count)):
            if int(model.jnt_type[index]) == int(mujoco.mjtJoint.mjJNT_HINGE):
                joints.append(model.joint(index).name)
        body = int(model.body_parentid[body])
    return tuple(reversed(joints))


def _joint_actuators(robot: str, model: Any, joints: tuple[str, ...]) -> tuple[str, ...]:
    """The position actuator of each joint."""
    by_joint: dict[str, str] = {}
    for index in range(model.nu):
        if int(model.actuator_trntype[index]) != int(mujoco.mjtTrn.mjTRN_JOINT):
            continue
        if model.actuator_biasprm[index, 1] < 0.0:
            by_joint[model.joint(int(model.actuator_trnid[index, 0])).name] = model.actuator(index).name
    missing = [joint for joint in joints if joint not in by_joint]
    if missing:
        raise RobotError(
            f"robot '{robot}': no position actuator moves {', '.join(missing)}; add <position joint=... kp=... kv=.../>"
        )
    return tuple(by_joint[joint] for joint in joints)


def _gripper(model: Any, joints: set[str], actuators: set[str]) -> _Gripper:
    """The actuator that is left over, and what it moves. Sliding fingers open with it, turning fingers close."""
    rest = [i for i in range(model.nu) if model.actuator(i).name not in actuators]
    fingers = [
        i
        for i in range(model.njnt)
        if model.joint(i).name not in joints and int(model.jnt_type[i]) in (_SLIDE, int(mujoco.mjtJoint.mjJNT_HINGE))
    ]
    if not rest or not fingers:
        return _Gripper(gripper_actuator=None, gripper_joints=(), gripper_ctrl=(0.0, 1.0), gripper_angles=(0.0, 1.0))
    chosen = next((i for i in rest if "grip" in model.actuator(i).name.lower()), rest[0])
    slides = [i for i in fingers if int(model.jnt_type[i]) == _SLIDE]
    used = slides or fingers[:1]
    low, high = (float(value) for value in model.actuator_ctrlrange[chosen])
    least, most = (float(model.jnt_range[used, end].sum()) for end in (0, 1))
    return _Gripper(
        gripper_actuator=model.actuator(chosen).name,
        gripper_joints=tuple(model.joint(i).name for i in used),
        gripper_ctrl=(low, high) if slides else (high, low),
        gripper_angles=(least, most) if slides else (most, least),
    )


def _opening_m(model: Any, fingers: tuple[str, ...]) -> float:
    """Distance between two sliding fingers when open, metres; a usual one where the fingers do not slide."""
    slides = [finger for finger in fingers if int(model.joint(finger).type[0]) == _SLIDE]
    return float(sum(model.joint(finger).range[1] for finger in slides)) or _UNKNOWN_OPENING_M


def _range(model: Any, joint: str) -> tuple[float, float]:
    entry = model.joint(joint)
    index = int(entry.id)
    if not model.jnt_limited[index]:
        return -2.0 * np.pi, 2.0 * np.pi
    return float(entry.range[0]), float(entry.range[1])


def _effort(model: Any, joint: str, actuator: str) -> float:
    """The tighter of the actuator's and the joint's force limit, N·m."""
    limits = (
        float(model.actuator(actuator).forcerange[1]),
        float(model.jnt_actfrcrange[int(model.joint(joint).id), 1]),
    )
    return min((limit for limit in limits if limit > 0.0), default=_UNKNOWN_EFFORT)


def _home(model: Any, joints: tuple[str, ...]) -> tuple[float, ...]:
    """The joints at the keyframe 'home', else at the first keyframe, else at the model's zero."""
    names = [model.key(i).name for i in range(model.nkey)]
    if not names:
        return tuple(float(model.qpos0[model.joint(joint).qposadr[0]]) for joint in joints)
    qpos = model.key("home" if "home" in names else 0).qpos
    return tuple(float(qpos[model.joint(joint).qposadr[0]]) for joint in joints)
