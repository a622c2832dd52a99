"""Where the cameras stand, and what their pictures measure: names, poses in the robot's base frame, intrinsics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from robots.contract import CameraError
from robots.mujoco.arm import Arm, arm_spec
from robots.mujoco.backend import mujoco
from teleloom import pose
from teleloom.pose import Array, Numbers
from teleloom.specs import CameraSpec

# name: position (m), the point looked at (m), vertical field of view (deg); base frame.
_FIXED = {
    "front": ((1.25, -0.05, 0.74), (0.33, -0.07, 0.18), 45.0),
    "side": ((0.66, 0.98, 0.56), (0.36, 0.0, 0.18), 48.0),
}
_WRIST = "wrist"
_WRIST_BACK_M = 0.10

# An optical frame (z forward, x right, y down) in MuJoCo's camera frame (z backward, x right, y up).
_OPTICAL = pose.quat_from_rotvec((math.pi, 0.0, 0.0))


def default_cameras(arm: Arm, size: int = 256, rate_hz: float = 10.0) -> tuple[CameraSpec, ...]:
    """The cameras front, wrist and side, with intrinsics from the field of view and poses in the base frame."""
    names = (*_FIXED, _WRIST)
    return tuple(_spec(arm, name, size, rate_hz) for name in sorted(names))


def look_at(eye: Numbers, target: Numbers) -> Array:
    """Pose of an optical frame at `eye` that looks at `target` with the horizon level."""
    forward = np.asarray(target, dtype=np.float64) - np.asarray(eye, dtype=np.float64)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    matrix = np.stack([right, np.cross(forward, right), forward], axis=1)
    return pose.make(eye, pose.quat_from_matrix(matrix))


def intrinsics(width: int, height: int, fovy_deg: float) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy in pixels of a pinhole camera with square pixels; pixel centres lie at whole numbers."""
    focal = 0.5 * height / math.tan(math.radians(fovy_deg) / 2.0)
    return focal, focal, (width - 1) / 2.0, (height - 1) / 2.0


def fovy_deg(camera: CameraSpec) -> float:
    """The vertical field of view that the camera's intrinsics describe."""
    if camera.intrinsics is None:
        raise CameraError(f"camera '{camera.name}': a simulated camera needs intrinsics (fx, fy, cx, cy)")
    return math.degrees(2.0 * math.atan(0.5 * camera.height / camera.intrinsics[1]))


def add_camera(spec: Any, prefix: str, arm: Arm, camera: CameraSpec) -> None:
    """Put the camera into a scene: fixed at T_base_camera, or riding on its mount body as it does at home_q.

    Raises CameraError where the pose or the intrinsics are missing.
    """
    if camera.T_base_camera is None:
        raise CameraError(f"camera '{camera.name}': a simulated camera needs T_base_camera")
    T_base_gl = pose.compose(camera.T_base_camera, pose.make((0, 0, 0), _OPTICAL))
    body = spec.worldbody
    if camera.mount is not None:
        body = spec.body(prefix + camera.mount)
        T_base_gl = pose.compose(pose.inverse(_in_base(arm, body_pose_at_home(arm, camera.mount))), T_base_gl)
    x, y, z, w = T_base_gl[3:]
    body.add_camera(name=camera.name, pos=T_base_gl[:3], quat=[w, x, y, z], fovy=fovy_deg(camera))


def _spec(arm: Arm, name: str, size: int, rate_hz: float) -> CameraSpec:
    if name == _WRIST:
        T_base_camera, fovy, mount = _wrist(arm)
    else:
        eye, target, fovy = _FIXED[name]
        T_base_camera, mount = look_at(eye, target), None
    x, y, z, qx, qy, qz, qw = (float(v) for v in T_base_camera)
    return CameraSpec(
        name=name,
        width=size,
        height=size,
        rate_hz=rate_hz,
        intrinsics=intrinsics(size, size, fovy),
        T_base_camera=(x, y, z, qx, qy, qz, qw),
        mount=mount,
    )


def _wrist(arm: Arm) -> tuple[Array, float, str]:
    """Behind the fingers, looking along them at the tool: pose at home in the base frame, field of view, mount."""
    model, data = _at_home(arm)
    site = model.site(arm.spec.tool_site)
    mount = model.body(int(site.bodyid[0])).name
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, data.site_xmat[int(site.id)])
    T_base_tool = _in_base(arm, pose.make(data.site_xpos[int(site.id)], np.roll(quat, -1)))
    eye = pose.compose(T_base_tool, pose.make((0.085, 0.0, -_WRIST_BACK_M), (0, 0, 0, 1)))[:3]
    target = pose.compose(T_base_tool, pose.make((0.018, 0.0, 0.03), (0, 0, 0, 1)))[:3]
    forward = (target - eye) / np.linalg.norm(target - eye)
    down = -pose.quat_rotate(T_base_tool[3:], (1.0, 0.0, 0.0))
    down -= forward * (down @ forward)
    down /= np.linalg.norm(down)
    matrix = np.stack([np.cross(down, forward), down, forward], axis=1)
    return pose.make(eye, pose.quat_from_matrix(matrix)), 68.0, mount


def body_pose_at_home(arm: Arm, body: str) -> Array:
    """Pose (7,) of one of the arm's bodies at home_q, in the frame of the arm's own model."""
    model, data = _at_home(arm)
    index = int(model.body(body).id)
    return pose.make(data.xpos[index], np.roll(data.xquat[index], -1))


def _in_base(arm: Arm, in_model: Array) -> Array:
    return pose.compose(pose.inverse(body_pose_at_home(arm, arm.spec.base_body)), in_model)


def _at_home(arm: Arm) -> tuple[Any, Any]:
    """The arm alone at home_q."""
    model = arm_spec(arm).compile()
    data = mujoco.MjData(model)
    for joint, value in zip(arm.spec.joint_names, arm.spec.home_q, strict=True):
        data.qpos[int(model.joint(joint).qposadr[0])] = value
    mujoco.mj_kinematics(model, data)
    return model, data
