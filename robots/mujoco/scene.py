"""Puts a whole scene together: the kitchen, an arm, the things of a layout, and the cameras that look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from robots.mujoco import props
from robots.mujoco.arm import Arm, arm_spec
from robots.mujoco.backend import mujoco
from robots.mujoco.layout import Layout
from robots.mujoco.viewpoints import add_camera, body_pose_at_home
from teleloom import pose
from teleloom.specs import CameraSpec

PHYSICS_DT_S = 1.0 / 600.0
ARM_PREFIX = "arm/"
STAIN_RADIUS_M = 0.013
_STAIN_RGBA = (0.36, 0.16, 0.07, 0.9)


@dataclass(frozen=True)
class Scene:
    """A compiled scene and what it was built from."""

    model: Any
    arm: Arm
    layout: Layout

    def arm_name(self, name: str) -> str:
        """The scene's name for something of the arm's own model."""
        return ARM_PREFIX + name


def stain_name(index: int) -> str:
    """The name of a stain's geom."""
    return f"stain_{index}"


def build_scene(arm: Arm, layout: Layout, cameras: Sequence[CameraSpec]) -> Scene:
    """Compile the scene. The same arguments give the same model, in any process."""
    spec = mujoco.MjSpec.from_string((files("robots.mujoco") / "scenes" / "kitchen.xml").read_text(encoding="utf-8"))
    spec.option.timestep = PHYSICS_DT_S
    mount = next(frame for frame in spec.frames if frame.name == "mount")
    x, y, z, qx, qy, qz, qw = pose.inverse(body_pose_at_home(arm, arm.spec.base_body))
    mount.pos, mount.quat = [x, y, z], [qw, qx, qy, qz]
    spec.attach(arm_spec(arm), frame=mount, prefix=ARM_PREFIX)
    for placement in layout.things:
        props.add(spec, placement)
    _add_stains(spec, layout)
    _furnish(spec, layout)
    for camera in cameras:
        add_camera(spec, ARM_PREFIX, arm, camera)
    for key in list(spec.keys):
        spec.delete(key)
    return Scene(spec.compile(), arm, layout)


def _add_stains(spec: Any, layout: Layout) -> None:
    for index, (x, y) in enumerate(layout.stains):
        grow = 0.75 + 0.25 * ((index * 7) % 4) / 3.0
        spec.worldbody.add_geom(
            spec.find_default("look"), name=stain_name(index), type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
            size=[STAIN_RADIUS_M * grow, STAIN_RADIUS_M, 0.0012], pos=[x, y, 0.0], rgba=list(_STAIN_RGBA),
        )  # fmt: skip


def _furnish(spec: Any, layout: Layout) -> None:
    spec.body("cabinet").pos = [*layout.cabinet, 0.0]
    for name in ("counter", "seam"):
        spec.material(name).rgba *= np.array([*layout.counter_rgb, 1.0])
    for light in spec.lights:
        light.diffuse = np.minimum(np.asarray(light.diffuse) * layout.light, 1.0)
