"""What a robot and a camera are: the facts that drivers declare, episodes keep and the safety chain obeys."""

from __future__ import annotations

import hashlib
from typing import Self

from pydantic import Field, model_validator

from teleloom.config import Config


class RobotSpec(Config):
    """A robot arm with one gripper. All per-joint tuples have the same length J, rad, rad/s, rad/s², N·m.

    model: the text of an MJCF or URDF model of the arm alone, self-contained; joints as in joint_names.
    tool_site: the site (MJCF) or link (URDF) whose pose is the end-effector pose. base_body: the body whose frame is
    the robot's base frame. home_q: a posture from which work starts, and to which the redundant joint is drawn.
    gripper_max_m: opening between the fingers when the gripper value is 1.
    """

    name: str
    joint_names: tuple[str, ...]
    q_min: tuple[float, ...]
    q_max: tuple[float, ...]
    dq_max: tuple[float, ...]
    ddq_max: tuple[float, ...]
    effort_max: tuple[float, ...]
    home_q: tuple[float, ...]
    rate_hz: float = Field(gt=0)
    model: str
    tool_site: str = "tool"
    base_body: str = "base"
    gripper_max_m: float = Field(default=0.08, gt=0)

    @model_validator(mode="after")
    def _same_lengths(self) -> Self:
        count = len(self.joint_names)
        for name in ("q_min", "q_max", "dq_max", "ddq_max", "effort_max", "home_q"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} has {len(getattr(self, name))} values for {count} joints")
        return self

    @property
    def model_sha256(self) -> str:
        """SHA-256 of the model's text, hex: two episodes with the same hash were driven by the same kinematics."""
        return hashlib.sha256(self.model.encode()).hexdigest()


class CameraSpec(Config):
    """A camera. intrinsics: fx fy cx cy in pixels; distortion: k1 k2 p1 p2 k3 (OpenCV's order).

    T_base_camera: pose of the optical frame (z forward, x right, y down) in the robot's base frame, None where unknown.
    mount: the body it rides on, None when fixed; for a mounted camera T_base_camera holds at the robot's home_q.
    """

    name: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    rate_hz: float = Field(gt=0)
    codec: str = "jpeg"
    color_order: str = "rgb"
    intrinsics: tuple[float, float, float, float] | None = None
    distortion: tuple[float, ...] = ()
    T_base_camera: tuple[float, float, float, float, float, float, float] | None = None
    mount: str | None = None
    jpeg_quality: int = Field(default=90, ge=1, le=100)
