"""Things on the counter: how each looks, how it collides, how big it is and how a hand would take it.

A prop's frame lies at its centre, z up; its long side, where it has one, lies along x. `half_height` (m) is how high
the centre stands above the counter at rest; `radius` (m) is the circle that it covers there. Fruit collides as the
ellipsoids and capsules that are drawn; bowl, plate and mug stand fast, as if on a rubber mat, and their turned meshes
are for drawing alone while a ring of boxes collides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from robots.mujoco.backend import mujoco
from robots.mujoco.layout import Placement, Rgb
from robots.mujoco.shapes import lathe

BOWL_RADIUS_M = 0.090
BOWL_HEIGHT_M = 0.050
PLATE_RADIUS_M = 0.095
SPONGE_HALF_M = (0.045, 0.0275, 0.018)
BLOCK_HALF_M = 0.021


@dataclass(frozen=True)
class Prop:
    """A kind of thing. build(scene, body, rgb) adds its geoms to the body; long: a hand takes it across its x axis."""

    build: Callable[[Any, Any, Rgb], None]
    half_height: float
    radius: float
    rgb: Rgb
    movable: bool = True
    long: bool = False


def add(scene: Any, placement: Placement) -> None:
    """Add the thing to the scene's MjSpec, under its placement's name."""
    prop = PROPS[placement.kind]
    body = scene.worldbody.add_body(
        name=placement.name,
        pos=[placement.x, placement.y, prop.half_height],
        quat=[np.cos(placement.yaw / 2), 0.0, 0.0, np.sin(placement.yaw / 2)],
    )
    if prop.movable:
        body.add_freejoint(name=placement.name)
    prop.build(scene, body, placement.rgb or prop.rgb)


def _geom(scene: Any, body: Any, style: str, shape: str, rgb: Rgb, **fields: Any) -> None:
    kind = getattr(mujoco.mjtGeom, f"mjGEOM_{shape.upper()}")
    body.add_geom(scene.find_default(style), type=kind, rgba=[*rgb, 1.0], **fields)


_STEM: Rgb = (0.35, 0.24, 0.12)
_LEAF: Rgb = (0.30, 0.55, 0.22)


def _round_fruit(semi_axes: tuple[float, float, float]) -> Callable[[Any, Any, Rgb], None]:
    def build(scene: Any, body: Any, rgb: Rgb) -> None:
        _geom(scene, body, "thing", "ellipsoid", rgb, size=list(semi_axes))
        top = semi_axes[2]
        stem = [0.0, 0.0, top - 0.003, 0.003, 0.0, top + 0.008]
        _geom(scene, body, "look", "capsule", _STEM, size=[0.002, 0, 0], fromto=stem)
        _geom(
            scene, body, "look", "ellipsoid", _LEAF, size=[0.009, 0.004, 0.0015], pos=[0.009, 0.002, top + 0.004],
            quat=[0.97, 0.0, -0.22, 0.08],
        )  # fmt: skip

    return build


def _lemon(scene: Any, body: Any, rgb: Rgb) -> None:
    _geom(scene, body, "thing", "ellipsoid", rgb, size=[0.034, 0.025, 0.025])
    for side in (-1.0, 1.0):
        _geom(scene, body, "look", "ellipsoid", rgb, size=[0.008, 0.007, 0.007], pos=[side * 0.033, 0, 0])


def _pear(scene: Any, body: Any, rgb: Rgb) -> None:
    _geom(scene, body, "thing", "ellipsoid", rgb, size=[0.028, 0.027, 0.026], pos=[-0.010, 0, 0])
    _geom(scene, body, "thing", "ellipsoid", rgb, size=[0.026, 0.017, 0.017], pos=[0.022, 0, -0.006])
    _geom(scene, body, "look", "capsule", _STEM, size=[0.002, 0, 0], fromto=[0.046, 0, -0.006, 0.058, 0.003, -0.004])


def _banana(scene: Any, body: Any, rgb: Rgb) -> None:
    bend, half_angle, radius = 0.085, 0.62, 0.017
    angles = np.linspace(-half_angle, half_angle, 6)
    points = [(bend * np.sin(a), bend * (np.cos(half_angle / 2) - np.cos(a)), 0.0) for a in angles]
    for start, end in pairwise(points):
        _geom(scene, body, "thing", "capsule", rgb, size=[radius, 0, 0], fromto=[*start, *end])
    for tip, inner in ((points[0], points[1]), (points[-1], points[-2])):
        out = np.array(tip) + 0.75 * (np.array(tip) - np.array(inner))
        _geom(scene, body, "look", "capsule", _STEM, size=[0.0055, 0, 0], fromto=[*tip, *out])


def _block(scene: Any, body: Any, rgb: Rgb) -> None:
    half = BLOCK_HALF_M
    _geom(scene, body, "thing", "box", rgb, size=[half, half, half])
    inlay: Rgb = (min(1.0, rgb[0] + 0.2), min(1.0, rgb[1] + 0.2), min(1.0, rgb[2] + 0.2))
    _geom(scene, body, "look", "box", inlay, size=[half * 0.7, half * 0.7, half + 0.0004])


def _sponge(scene: Any, body: Any, rgb: Rgb) -> None:
    x, y, z = SPONGE_HALF_M
    # Soft against the counter; the pads of a gripper carry their own, stiffer contact.
    _geom(
        scene, body, "thing", "box", rgb, size=[x, y, z], density=150, friction=[0.4, 0.005, 0.0005],
        solref=[0.008, 1.0], solimp=[0.8, 0.95, 0.004, 0.5, 2.0],
    )  # fmt: skip
    _geom(scene, body, "look", "box", (0.20, 0.50, 0.30), size=[x + 0.0005, y + 0.0005, 0.004], pos=[0, 0, 0.0145])


def _ring(scene: Any, body: Any, radius: float, z: float, half: tuple[float, float, float], tilt: float) -> None:
    """Twelve boxes in a circle, leaning outwards by `tilt`, that collide and are not drawn."""
    for angle in np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False):
        turn = np.zeros(4)
        mujoco.mju_euler2Quat(turn, np.array([0.0, tilt, 0.0]), "xyz")
        about_z, whole = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)]), np.zeros(4)
        mujoco.mju_mulQuat(whole, about_z, turn)
        pos = [radius * np.cos(angle), radius * np.sin(angle), z]
        _geom(scene, body, "fixture", "box", (1, 1, 1), size=list(half), pos=pos, quat=whole, group=3)


def _turned(scene: Any, body: Any, rgb: Rgb, profile: list[tuple[float, float]]) -> None:
    vertices, faces = lathe(profile)
    name = f"{body.name}_mesh"
    scene.add_mesh(
        name=name, uservert=vertices.ravel(), userface=faces.ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    )
    _geom(scene, body, "look", "mesh", rgb, meshname=name)


def _bowl(scene: Any, body: Any, rgb: Rgb) -> None:
    _turned(
        scene, body, rgb,
        [(1e-4, 0.0), (0.052, 0.0), (0.068, 0.012), (0.082, 0.030), (0.090, 0.050), (0.086, 0.051), (0.077, 0.031),
         (0.062, 0.014), (0.045, 0.007), (1e-4, 0.006)],
    )  # fmt: skip
    _geom(scene, body, "fixture", "cylinder", rgb, size=[0.060, 0.003, 0], pos=[0, 0, 0.003], group=3)
    _ring(scene, body, 0.0745, 0.027, (0.004, 0.0235, 0.027), 0.55)


def _plate(scene: Any, body: Any, rgb: Rgb) -> None:
    _turned(
        scene, body, rgb,
        [(1e-4, 0.0), (0.060, 0.0), (0.078, 0.007), (0.095, 0.014), (0.094, 0.017), (0.076, 0.011), (0.060, 0.005),
         (1e-4, 0.005)],
    )  # fmt: skip
    _geom(scene, body, "fixture", "cylinder", rgb, size=[0.070, 0.0025, 0], pos=[0, 0, 0.0025], group=3)
    _ring(scene, body, 0.082, 0.009, (0.014, 0.0240, 0.002), -0.40)


def _mug(scene: Any, body: Any, rgb: Rgb) -> None:
    _turned(
        scene, body, rgb,
        [(1e-4, 0.0), (0.034, 0.0), (0.037, 0.004), (0.037, 0.078), (0.036, 0.080), (0.033, 0.078), (0.033, 0.008),
         (1e-4, 0.006)],
    )  # fmt: skip
    _geom(scene, body, "fixture", "cylinder", rgb, size=[0.037, 0.040, 0], pos=[0, 0, 0.040], group=3)
    arc = np.linspace(-1.25, 1.25, 5)
    points = [(0.034 + 0.022 * np.cos(a), 0.0, 0.041 + 0.022 * np.sin(a)) for a in arc]
    for start, end in pairwise(points):
        _geom(scene, body, "look", "capsule", rgb, size=[0.0045, 0, 0], fromto=[*start, *end])


def _cutting_board(scene: Any, body: Any, rgb: Rgb) -> None:
    _geom(scene, body, "fixture", "box", rgb, size=[0.11, 0.075, 0.006], pos=[0, 0, 0.006], material="board")


PROPS: dict[str, Prop] = {
    "apple": Prop(_round_fruit((0.029, 0.029, 0.027)), 0.027, 0.029, (0.80, 0.13, 0.11)),
    "orange": Prop(_round_fruit((0.029, 0.029, 0.028)), 0.028, 0.029, (0.95, 0.52, 0.09)),
    "plum": Prop(_round_fruit((0.023, 0.023, 0.022)), 0.022, 0.023, (0.42, 0.14, 0.36)),
    "lemon": Prop(_lemon, 0.025, 0.040, (0.96, 0.84, 0.16), long=True),
    "pear": Prop(_pear, 0.026, 0.050, (0.64, 0.70, 0.26), long=True),
    "banana": Prop(_banana, 0.017, 0.065, (0.96, 0.80, 0.20), long=True),
    "block": Prop(_block, BLOCK_HALF_M, 0.030, (0.80, 0.20, 0.18), long=True),
    "sponge": Prop(_sponge, SPONGE_HALF_M[2], 0.053, (0.97, 0.83, 0.25), long=True),
    "bowl": Prop(_bowl, 0.0, BOWL_RADIUS_M, (0.25, 0.48, 0.72), movable=False),
    "plate": Prop(_plate, 0.0, PLATE_RADIUS_M, (0.95, 0.95, 0.93), movable=False),
    "mug": Prop(_mug, 0.0, 0.062, (0.85, 0.45, 0.36), movable=False),
    "cutting board": Prop(_cutting_board, 0.0, 0.14, (1.0, 1.0, 1.0), movable=False),
}
