"""The physics of one scene: it is stepped, commanded and looked at here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robots.mujoco.backend import mujoco
from robots.mujoco.props import PROPS, SPONGE_HALF_M
from robots.mujoco.scene import Scene, stain_name
from teleloom import pose
from teleloom.pose import Array

# A stain is gone after the sponge has been rubbed over it for this long a way, metres.
_RUB_M = 0.04
_PRESSED_M = 0.004
# Two contacts whose normals point apart by more than about 120 degrees clamp a thing between them.
_OPPOSITE = -0.5
# A thing can be pointed at where its centre and these points beside it (right and up in the image, m) can be seen.
_AROUND_M = 0.008 * np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)], dtype=np.float64)
_ALMOST = 0.995
_DRAWN = np.array([1, 1, 1, 0, 0, 0], dtype=np.uint8)


@dataclass(frozen=True)
class Snapshot:
    """What drawing needs, copied: joint positions (nq,), how dirty each stain is (S,) 0..1, and when, ns."""

    t_ns: int
    qpos: Array
    dirt: Array

    def same_as(self, other: Snapshot) -> bool:
        """Whether both show the same scene."""
        return np.array_equal(self.qpos, other.qpos) and np.array_equal(self.dirt, other.dirt)


class Simulation:
    """State and physics of a scene. Not safe to share between threads; snapshots are."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.model = scene.model
        self.data = mujoco.MjData(scene.model)
        self.dirt: Array = np.ones(len(scene.layout.stains))
        self._spots = np.array(scene.layout.stains, dtype=np.float64).reshape(-1, 2)
        names = {self.model.body(i).name: i for i in range(1, self.model.nbody)}
        self._things = {name: names[name] for name in (*(p.name for p in scene.layout.things), "cabinet")}
        self._holdable = {names[p.name]: p.name for p in scene.layout.things if PROPS[p.kind].movable}
        self._holdable[names["drawer"]] = "handle"
        self._handle = int(self.model.site("handle").id)
        self._drawer_qpos = int(self.model.joint("drawer").qposadr[0])
        self._drawer_dof = int(self.model.joint("drawer").dofadr[0])
        prefix = scene.arm_name("")
        self._is_arm = np.array([self.model.body(i).name.startswith(prefix) for i in range(self.model.nbody)])
        self._sponge_before = self._sponge_xy()
        self._place_home()

    def step(self, substeps: int) -> None:
        """Advance by this many physics steps, then bring positions of bodies and sites up to date."""
        mujoco.mj_step(self.model, self.data, substeps)
        mujoco.mj_kinematics(self.model, self.data)
        if self.dirt.size:
            self._wipe()

    def snapshot(self, t_ns: int) -> Snapshot:
        """A copy of what drawing needs."""
        return Snapshot(t_ns, self.data.qpos.copy(), self.dirt.copy())

    def pose_of(self, name: str) -> Array:
        """Pose (7,) of a thing, in the base frame."""
        body = self._things[name]
        return pose.make(self.data.xpos[body], np.roll(self.data.xquat[body], -1))

    def objects(self) -> dict[str, Array]:
        """Pose (7,) in the base frame of every thing, the cabinet, the drawer's handle, each stain still to be seen."""
        poses = {name: self.pose_of(name) for name in self._things}
        poses["handle"] = pose.make(self.data.site_xpos[self._handle], (0.0, 0.0, 0.0, 1.0))
        for index, ((x, y), dirt) in enumerate(zip(self._spots, self.dirt, strict=True)):
            if dirt > 0.1:
                poses[stain_name(index)] = pose.make((x, y, 0.0), (0.0, 0.0, 0.0, 1.0))
        return poses

    @property
    def drawer_m(self) -> float:
        """How far the drawer is open, metres."""
        return float(self.data.qpos[self._drawer_qpos])

    @property
    def drawer_speed(self) -> float:
        """m/s, positive while it opens."""
        return float(self.data.qvel[self._drawer_dof])

    def speed_of(self, name: str) -> float:
        """How fast a thing's centre moves, m/s."""
        dof = int(self.model.joint(name).dofadr[0])
        return float(np.linalg.norm(self.data.qvel[dof : dof + 3]))

    def touched_by_arm(self, body: str) -> bool:
        """Whether any part of the arm touches the body."""
        wanted = int(self.model.body(body).id)
        geoms = self.data.contact.geom
        bodies = self.model.geom_bodyid[geoms] if len(geoms) else np.empty((0, 2), dtype=np.int32)
        touching = bodies[(bodies == wanted).any(axis=1)]
        return bool(self._is_arm[touching].any())

    def places(self) -> Array:
        """Positions (N, 3) in the base frame of the cabinet, every thing and the drawer's handle."""
        return np.concatenate([self.data.xpos[list(self._things.values())], self.data.site_xpos[[self._handle]]])

    def held(self, before: str | None = None) -> str | None:
        """The thing that the arm touches from two opposite sides, the drawer by its handle; None for none.

        before: what it held a moment ago; that stays held as long as the arm touches it at all.
        """
        touches: dict[str, list[Array]] = {}
        contact = self.data.contact
        bodies = self.model.geom_bodyid[contact.geom] if len(contact.geom) else np.empty((0, 2), dtype=np.int32)
        for (first, second), frame in zip(bodies.tolist(), contact.frame, strict=True):
            if self._is_arm[second] and first in self._holdable:
                touches.setdefault(self._holdable[first], []).append(frame[:3])
            elif self._is_arm[first] and second in self._holdable:
                touches.setdefault(self._holdable[second], []).append(-frame[:3])
        if before in touches:
            return before
        for name in sorted(touches):
            normals = np.array(touches[name])
            if (normals @ normals.T).min() < _OPPOSITE:
                return name
        return None

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of the scene's cameras."""
        return tuple(self.model.camera(i).name for i in range(self.model.ncam))

    def covers(self, camera: str, name: str) -> bool:
        """Whether something else is drawn over the centre of the thing, or of the handle, or within _AROUND_M of it."""
        is_handle = name == "handle"
        body = int(self.model.site_bodyid[self._handle]) if is_handle else self._things[name]
        at = self.data.site_xpos[self._handle] if is_handle else self.data.xpos[body]
        index = int(self.model.camera(camera).id)
        eye, axes = self.data.cam_xpos[index], self.data.cam_xmat[index].reshape(3, 3)
        return any(self._is_between(eye, at + axes[:, :2] @ shift, body) for shift in _AROUND_M)

    def _is_between(self, eye: Array, at: Array, body: int) -> bool:
        """Whether a ray from `eye` meets another body before it comes to `at`."""
        hit = np.full(1, -1, dtype=np.int32)
        way = mujoco.mj_ray(self.model, self.data, eye, at - eye, _DRAWN, 1, -1, hit)
        return bool(0 <= way < _ALMOST and self.model.geom_bodyid[hit[0]] != body)

    def _place_home(self) -> None:
        arm = self.scene.arm
        mujoco.mj_resetData(self.model, self.data)
        for joint, value in zip(arm.spec.joint_names, arm.spec.home_q, strict=True):
            self.data.qpos[int(self.model.joint(self.scene.arm_name(joint)).qposadr[0])] = value
        for actuator, value in zip(arm.actuators, arm.spec.home_q, strict=True):
            self.data.ctrl[int(self.model.actuator(self.scene.arm_name(actuator)).id)] = value
        if arm.gripper_actuator is not None:
            self.data.ctrl[int(self.model.actuator(self.scene.arm_name(arm.gripper_actuator)).id)] = arm.gripper_ctrl[1]
        for joint in arm.gripper_joints:
            finger = int(self.model.joint(self.scene.arm_name(joint)).qposadr[0])
            self.data.qpos[finger] = arm.gripper_angles[1] / len(arm.gripper_joints)
        self.data.qpos[self._drawer_qpos] = self.scene.layout.drawer_m
        mujoco.mj_forward(self.model, self.data)
        self._sponge_before = self._sponge_xy()

    def _sponge_xy(self) -> Array:
        body = self._things.get("sponge")
        return np.zeros(2) if body is None else self.data.xpos[body][:2].copy()

    def _wipe(self) -> None:
        """Rub the dirt off under the sponge: it must lie flat on the counter and move."""
        before, self._sponge_before = self._sponge_before, self._sponge_xy()
        rubbed = float(np.linalg.norm(self._sponge_before - before))
        sponge = self._things["sponge"]
        matrix = self.data.xmat[sponge].reshape(3, 3)
        flat = abs(matrix[2, 2]) > 0.97 and self.data.xpos[sponge][2] < SPONGE_HALF_M[2] + _PRESSED_M
        if not flat or rubbed < 1e-6:
            return
        local = (self._spots - self._sponge_before) @ matrix[:2, :2]
        under = (np.abs(local) < np.array(SPONGE_HALF_M[:2])).all(axis=1)
        self.dirt[under] = np.maximum(self.dirt[under] - rubbed / _RUB_M, 0.0)
