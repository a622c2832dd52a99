"""Soft blobs on the counter under things and under the hand: the depth cue of a shadow at a hundredth of its cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robots.mujoco.backend import mujoco
from robots.mujoco.scene import Scene

_HEIGHT_M = 0.0007
_FADE_M = 0.12
_INVISIBLE_M = 0.25
# Nested ellipses, outermost first: how far beyond the outline (m) and how dark.
_RINGS = ((0.007, 0.15), (-0.002, 0.20))
_DRAWN_GROUPS = 3
_FAR_M = 10.0


class Shadows:
    """The blobs of one scene."""

    def __init__(self, scene: Scene) -> None:
        model = scene.model
        self._model = model
        hand = int(model.site_bodyid[int(model.site(scene.arm_name(scene.arm.spec.tool_site)).id)])
        bodies = [int(model.body(p.name).id) for p in scene.layout.things]
        bodies += [i for i in range(model.nbody) if i == hand or int(model.body_parentid[i]) == hand]
        self._geoms = [_drawn_geoms(model, body) for body in bodies]

    def cast(self, data: Any, drawing: Any) -> None:
        """Add the blobs to an MjvScene that holds the bodies as they lie in `data`."""
        for geoms in self._geoms:
            if not geoms.size or drawing.ngeom + len(_RINGS) > drawing.maxgeom:
                continue
            centre, axes, turn, height = self._ellipse(data, geoms)
            if height > _INVISIBLE_M:
                continue
            for layer, (grow, dark) in enumerate(_RINGS):
                alpha = dark * float(np.exp(-height / _FADE_M))
                blob = drawing.geoms[drawing.ngeom]
                mujoco.mjv_initGeom(
                    blob,
                    int(mujoco.mjtGeom.mjGEOM_ELLIPSOID),
                    np.array([*np.maximum(axes + grow, 0.002) * (1.0 + height), 1e-4]),
                    np.array([centre[0], centre[1], _HEIGHT_M + 1e-4 * layer]),
                    turn.ravel(),
                    np.array([0.10, 0.07, 0.05, alpha], dtype=np.float32),
                )
                # mjv_initGeom leaves these as the memory was; what is transparent is drawn in the order of camdist.
                blob.camdist = _FAR_M - 0.001 * drawing.ngeom
                blob.category = int(mujoco.mjtCatBit.mjCAT_DECOR)
                blob.objtype, blob.objid, blob.segid = int(mujoco.mjtObj.mjOBJ_UNKNOWN), -1, -1
                drawing.ngeom += 1

    def _ellipse(
        self, data: Any, geoms: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
        """Centre (2,), semi-axes (2,) and rotation (3, 3) of the body's outline from above, and its clearance, m."""
        rotation = data.geom_xmat[geoms].reshape(-1, 3, 3)
        half2 = self._model.geom_aabb[geoms, 3:] ** 2
        centres = data.geom_xpos[geoms]
        middle = centres.mean(axis=0)
        away = 2.0 / len(geoms) * (centres - middle)
        xx = float(_spread(rotation, half2, 0, 0).max() + (away[:, 0] * (centres - middle)[:, 0]).sum())
        xy = float(_spread(rotation, half2, 0, 1).max() + (away[:, 0] * (centres - middle)[:, 1]).sum())
        yy = float(_spread(rotation, half2, 1, 1).max() + (away[:, 1] * (centres - middle)[:, 1]).sum())
        # The eigenvalues and eigenvectors of [[xx, xy], [xy, yy]], in closed form: a solver's answer for a round
        # outline hangs on the last bit of its input, and with it the picture.
        half_gap = math.hypot(0.5 * (xx - yy), xy)
        angle = 0.5 * math.atan2(xy, 0.5 * (xx - yy))
        cos, sin = math.cos(angle), math.sin(angle)
        turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        axes = np.sqrt(np.maximum((0.5 * (xx + yy) + half_gap, 0.5 * (xx + yy) - half_gap), 1e-8))
        lowest = float((centres[:, 2] - np.sqrt(_spread(rotation, half2, 2, 2))).min())
        return middle[:2], axes, turn, max(lowest, 0.0)


def _spread(rotation: NDArray[np.float64], half2: NDArray[np.float64], row: int, column: int) -> NDArray[np.float64]:
    """One entry of R diag(h²) Rᵀ per geom, added up in one order: sums that follow memory's alignment may differ."""
    products = rotation[:, row] * rotation[:, column] * half2
    return products[:, 0] + products[:, 1] + products[:, 2]


def _drawn_geoms(model: Any, body: int) -> NDArray[np.intp]:
    first, count = int(model.body_geomadr[body]), int(model.body_geomnum[body])
    return np.array([g for g in range(first, first + count) if model.geom_group[g] < _DRAWN_GROUPS], dtype=np.intp)
