"""Arms by name or by path: which joints and actuators move them, and the facts (RobotSpec) that they declare."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from robots.contract import RobotError
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


@dataclass(frozen=True)
class Arm:
    """A model of an arm alone, and the names by which it is moved.

    text: the MJCF or URDF. folder: where its meshes lie, None for a built-in arm. actuators: one position actuator per
    joint of `spec.joint_names`. gripper_actuator: None for an arm without a gripper; gripper_ctrl: its control value
    when closed and when open; gripper_joints: the fingers' joints, the first of which tells the opening.
    """

    spec: RobotSpec
    text: str
    folder: Path | None
    actuators: tuple[str, ...]
    gripper_actuator: str | None
    gripper_joints: tuple[str, ...]
    gripper_ctrl: tuple[float, float]


def load_arm(robot: str) -> Arm:
    """The built-in arm of that name, or the MJCF or URDF at that path.

    Raises RobotError naming what is missing: the file, a tool site, position actuators.
    """
    if robot in BUILT_IN:
        text = (files("robots.mujoco") / "models" / f"{robot}.xml").read_text(encoding="utf-8")
        return _describe(robot, text, None)
    path = Path(robot)
    if not path.is_file():
        raise RobotError(f"no robot '{robot}': neither a built-in arm ({', '.join(BUILT_IN)}) nor a file")
    return _describe(path.stem, path.read_text(encoding="utf-8"), path.parent)


def arm_spec(arm: Arm) -> Any:
    """A fresh MjSpec of the arm, ready to be attached to a scene."""
    return _parse(arm.spec.name, arm.text, arm.folder)


def _parse(name: str, text: str, folder: Path | None) -> Any:
    try:
        spec = mujoco.MjSpec.from_string(text)
    except ValueError as error:
        raise RobotError(f"robot '{name}' is not a model that MuJoCo reads: {error}") from None
    if folder is not None:
        spec.modelfiledir = str(folder)
    return spec


def _describe(name: str, text: str, folder: Path | None) -> Arm:
    try:
        model = _parse(name, text, folder).compile()
    except ValueError as error:
        raise RobotError(f"robot '{name}' cannot be built: {error}") from None
    site = _first_named(name, "tool site", TOOL_SITES, [model.site(i).name for i in range(model.nsite)])
    bodies = [model.body(i).name for i in range(1, model.nbody)]
    base = next((b for b in BASE_BODIES if b in bodies), bodies[0])
    joints = _arm_joints(model, site)
    if not joints:
        raise RobotError(f"robot '{name}': no hinge joint lies between its base and its tool site '{site}'")
    actuators = _joint_actuators(name, model, joints)
    grip, fingers, ctrl = _gripper(model, set(joints), set(actuators))
    opening = _opening_m(model, fingers)
    spec = RobotSpec(
        name=name,
        joint_names=joints,
        q_min=tuple(_range(model, joint)[0] for joint in joints),
        q_max=tuple(_range(model, joint)[1] for joint in joints),
        dq_max=_DQ_MAX.get(name, (_UNKNOWN_DQ_MAX,) * len(joints)),
        ddq_max=_DDQ_MAX.get(name, (_UNKNOWN_DDQ_MAX,) * len(joints)),
        effort_max=tuple(_effort(model, actuator) for actuator in actuators),
        home_q=_home(model, joints),
        rate_hz=RATE_HZ,
        model=text,
        tool_site=site,
        base_body=base,
        gripper_max_m=opening if opening > 0.0 else 0.08,
    )
    return Arm(spec, text, folder, actuators, grip, fingers, ctrl)


def _first_named(robot: str, what: str, wanted: tuple[str, ...], present: list[str]) -> str:
    found = next((name for name in wanted if name in present), None)
    if found is None:
        known = ", ".join(name for name in present if name) or "none"
        raise RobotError(f"robot '{robot}' has no {what}: name one of {', '.join(wanted)}; it has: {known}")
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


def _gripper(
    model: Any, joints: set[str], actuators: set[str]
) -> tuple[str | None, tuple[str, ...], tuple[float, float]]:
    """The actuator that is left over, the slide joints, and the control values of closed and open."""
    rest = [i for i in range(model.nu) if model.actuator(i).name not in actuators]
    if not rest:
        return None, (), (0.0, 1.0)
    chosen = next((i for i in rest if "grip" in model.actuator(i).name.lower()), rest[0])
    low, high = (float(value) for value in model.actuator_ctrlrange[chosen])
    fingers = tuple(
        model.joint(i).name
        for i in range(model.njnt)
        if model.joint(i).name not in joints and int(model.jnt_type[i]) != int(mujoco.mjtJoint.mjJNT_FREE)
    )
    return model.actuator(chosen).name, fingers, (low, high)


def _opening_m(model: Any, fingers: tuple[str, ...]) -> float:
    """Distance between two sliding fingers when open, metres; 0 where the fingers do not slide."""
    slides = [f for f in fingers if int(model.joint(f).type[0]) == int(mujoco.mjtJoint.mjJNT_SLIDE)]
    return float(sum(model.joint(f).range[1] for f in slides))


def _range(model: Any, joint: str) -> tuple[float, float]:
    entry = model.joint(joint)
    index = int(entry.id)
    if not model.jnt_limited[index]:
        return -2.0 * np.pi, 2.0 * np.pi
    return float(entry.range[0]), float(entry.range[1])


def _effort(model: Any, actuator: str) -> float:
    limit = float(model.actuator(actuator).forcerange[1])
    return limit if limit > 0.0 else _UNKNOWN_EFFORT


def _home(model: Any, joints: tuple[str, ...]) -> tuple[float, ...]:
    """The joints at the keyframe 'home', else at the first keyframe, else at the model's zero."""
    names = [model.key(i).name for i in range(model.nkey)]
    if not names:
        return tuple(float(model.qpos0[model.joint(joint).qposadr[0]]) for joint in joints)
    qpos = model.key("home" if "home" in names else 0).qpos
    return tuple(float(qpos[model.joint(joint).qposadr[0]]) for joint in joints)
