"""Forward kinematics and Jacobian of a robot's own model, in its base frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from teleloom.extras import require
from teleloom.messages import Pose
from teleloom.specs import RobotSpec
from teleop.config import Obstacle

if TYPE_CHECKING:
    import mujoco
else:
    mujoco = require("mujoco", "sim")

Array = NDArray[np.float64]


class ModelError(ValueError):
    """A robot model that does not fit its spec. The message names what is missing and what the model has."""


class Kinematics:
    """The arm's geometry at one joint position at a time.

    pose: the tool in the base frame. jacobian: (6, J), linear above angular, in the base frame. Both belong to the
    joint position last given to `move_to`; the next call writes over the jacobian.
    """

    def __init__(self, spec: RobotSpec, obstacles: Sequence[Obstacle] = ()) -> None:
        self.spec = spec
        self.obstacles = tuple(obstacles)
        self.model = _compile(spec, obstacles)
        self.data = mujoco.MjData(self.model)
        self._elsewhere = mujoco.MjData(self.model)
        joints = [_find(self.model, "joint", name) for name in spec.joint_names]
        self.qpos = _places(self.model.jnt_qposadr[joints].tolist())
        self.dofs = _places(self.model.jnt_dofadr[joints].tolist())
        self.tool = _find(self.model, "site", spec.tool_site)
        for data in (self.data, self._elsewhere):
            self._open_gripper(data)
        mujoco.mj_kinematics(self.model, self.data)
        base = _find(self.model, "body", spec.base_body)
        self._base_position = self.data.xpos[base].copy()
        self._to_base = self.data.xmat[base].reshape(3, 3).T.copy()
        self._base_is_world = bool(np.array_equal(self._to_base, np.eye(3)) and not self._base_position.any())
        self._full_jacobian = np.zeros((6, self.model.nv))
        self._linear, self._angular = self._full_jacobian[:3], self._full_jacobian[3:]
        self._quat_wxyz = np.zeros(4)
        self.jacobian: Array = self._full_jacobian[:, self.dofs]
        self.pose: Pose
        self.move_to(spec.home_q)

    def move_to(self, q: Sequence[float] | Array) -> None:
        """Take the joint position `q` (J,) and update the tool's pose and Jacobian."""
        data = self.data
        data.qpos[self.qpos] = q
        mujoco.mj_kinematics(self.model, data)
        mujoco.mj_comPos(self.model, data)
        mujoco.mj_jacSite(self.model, data, self._linear, self._angular, self.tool)
        self.pose = self._tool(data)
        if not self._base_is_world:
            self._linear[:] = self._to_base @ self._linear
            self._angular[:] = self._to_base @ self._angular
        # A view where the arm's joints follow each other in the model, a copy where they do not.
        self.jacobian = self._full_jacobian[:, self.dofs]

    def pose_at(self, q: Sequence[float] | Array) -> Pose:
        """The tool's pose at the joint position `q` (J,), without moving there."""
        self._elsewhere.qpos[self.qpos] = q
        mujoco.mj_kinematics(self.model, self._elsewhere)
        return self._tool(self._elsewhere)

    def _tool(self, data: mujoco.MjData) -> Pose:
        position, rotation = data.site_xpos[self.tool], data.site_xmat[self.tool]
        if not self._base_is_world:
            position = self._to_base @ (position - self._base_position)
            rotation = (self._to_base @ rotation.reshape(3, 3)).ravel()
        mujoco.mju_mat2Quat(self._quat_wxyz, rotation)
        x, y, z = position.tolist()
        w, qx, qy, qz = self._quat_wxyz.tolist()
        return (x, y, z, qx, qy, qz, w)

    def _open_gripper(self, data: mujoco.MjData) -> None:
        """Joints that are not the arm's stay at the upper end of their range: an open hand takes the most room."""
        for joint in range(self.model.njnt):
            if self.model.jnt_limited[joint] and self.model.joint(joint).name not in self.spec.joint_names:
                data.qpos[self.model.jnt_qposadr[joint]] = self.model.jnt_range[joint, 1]


def _compile(spec: RobotSpec, obstacles: Sequence[Obstacle]) -> mujoco.MjModel:
    """The model with the obstacles fixed to its base body, and the tool as a site whether it was a site or a link."""
    try:
        tree = mujoco.MjSpec.from_string(spec.model)
    except ValueError as error:
        raise ModelError(f"model of robot '{spec.name}' cannot be read: {error}") from None
    _leave_files_out(tree)
    tree.compiler.fusestatic = False
    base = tree.body(spec.base_body)
    if base is None:
        raise ModelError(_missing(spec, "base_body", spec.base_body, [body.name for body in tree.bodies]))
    if tree.site(spec.tool_site) is None:
        link = tree.body(spec.tool_site)
        if link is None:
            raise ModelError(_missing(spec, "tool_site", spec.tool_site, [site.name for site in tree.sites]))
        link.add_site(name=spec.tool_site)
    for obstacle in obstacles:
        _add(base, obstacle)
    try:
        model = tree.compile()
    except ValueError as error:
        raise ModelError(f"model of robot '{spec.name}' cannot be compiled: {error}") from None
    names = [model.joint(i).name for i in range(model.njnt)]
    for name in spec.joint_names:
        if name not in names:
            raise ModelError(_missing(spec, "joint_names", name, names))
    return model


def _leave_files_out(tree: mujoco.MjSpec) -> None:
    """Drop what a model names by file: its text travels alone, so meshes and textures stay behind.

    Links whose shape is a mesh take no part in the clearances; bodies that had their mass from one get a token mass.
    """
    tree.compiler.boundmass = tree.compiler.boundinertia = 1e-6
    meshes = {mesh.name or mesh.file: mesh for mesh in tree.meshes if mesh.file}
    for geom in list(tree.geoms):
        geom.material = ""
        if geom.meshname in meshes:
            tree.delete(geom)
    for part in (*meshes.values(), *tree.skins, *tree.materials, *tree.textures):
        tree.delete(part)


def _add(base: mujoco.MjsBody, obstacle: Obstacle) -> None:
    if obstacle.kind == "box":
        x, y, z, w = obstacle.quat_xyzw
        base.add_geom(
            name=obstacle.name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=obstacle.center_m,
            quat=(w, x, y, z),
            size=obstacle.half_size_m,
        )
        return
    nx, ny, nz = (value / math.hypot(*obstacle.normal) for value in obstacle.normal)
    # The rotation that takes z to the normal.
    quat = (1.0 + nz, -ny, nx, 0.0) if nz > -0.999999 else (0.0, 1.0, 0.0, 0.0)
    base.add_geom(
        name=obstacle.name,
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=obstacle.point_m,
        quat=tuple(value / math.hypot(*quat) for value in quat),
        size=(1.0, 1.0, 0.1),
    )


def _places(indices: list[int]) -> slice | NDArray[np.intp]:
    """Where the arm's joints lie in an array: a slice, which is quicker, if they follow each other."""
    first, count = indices[0], len(indices)
    return slice(first, first + count) if indices == list(range(first, first + count)) else np.array(indices)


def _find(model: mujoco.MjModel, kind: str, name: str) -> int:
    return int(getattr(model, kind)(name).id)


def _missing(spec: RobotSpec, field: str, name: str, known: list[str]) -> str:
    return f"robot '{spec.name}': {field} '{name}' is not in its model; it has: {', '.join(filter(None, known))}"
