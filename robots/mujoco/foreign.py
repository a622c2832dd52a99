"""Arms from a user's own files: what a URDF lacks is added, and a self-contained model of the kinematics is made."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from robots.contract import RobotError
from robots.mujoco.backend import mujoco

_TOOL_LINKS = ("tool", "tcp", "tool0", "tool_link", "ee_link", "end_effector", "hand_tcp", "gripper_tcp", "flange")
# Position servos for joints that a URDF says nothing about: N·m/rad and N·m·s/rad.
_SERVO_KP, _SERVO_KV = 2000.0, 200.0


def parse(path: Path) -> Any:
    """The MjSpec of the MJCF or URDF at `path`; a URDF gets servos, a tool site and its weight taken off.

    Raises RobotError when MuJoCo cannot read the file.
    """
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        if "<robot" in path.read_text(encoding="utf-8"):
            _complete(spec)
    except (ValueError, UnicodeDecodeError) as error:
        raise RobotError(f"robot '{path}' is not an MJCF or URDF that MuJoCo reads: {error}") from None
    return spec


def kinematic_text(spec: Any, model: Any) -> str:
    """MJCF of `spec` that needs no other file: no meshes, no textures; masses are those of the compiled `model`."""
    for body in spec.bodies[1:]:
        index = int(model.body(body.name).id)
        body.explicitinertial = True
        body.mass, body.ipos = float(model.body_mass[index]), model.body_ipos[index]
        body.fullinertia = [math.nan] * 6
        body.iquat, body.inertia = model.body_iquat[index], model.body_inertia[index]
    for geom in list(spec.geoms):
        geom.material = ""
        if int(geom.type) == int(mujoco.mjtGeom.mjGEOM_MESH):
            spec.delete(geom)
    for asset in [*spec.meshes, *spec.materials, *spec.textures]:
        spec.delete(asset)
    spec.compile()
    text: str = spec.to_xml()
    return text


def _complete(spec: Any) -> None:
    spec.compiler.fusestatic = False
    for body in spec.bodies[1:]:
        body.gravcomp = 1.0
    for joint in spec.joints:
        servo = spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.set_to_position(kp=_SERVO_KP, kv=_SERVO_KV)
        servo.ctrlrange, servo.forcerange = joint.range, joint.actfrcrange
    tool = next((body for name in _TOOL_LINKS for body in spec.bodies if body.name == name), None)
    if tool is not None and all(site.name != "tool" for site in spec.sites):
        tool.add_site(name="tool")
