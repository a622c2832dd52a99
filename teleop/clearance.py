"""Distances between the arm's links, and to obstacles, as rows of the inverse kinematics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from teleloom.extras import require
from teleop.braking import braking_velocity
from teleop.config import IkConfig
from teleop.kinematics import Kinematics

if TYPE_CHECKING:
    import mujoco
else:
    mujoco = require("mujoco", "sim")

Array = NDArray[np.float64]

# Links nearer than this in the chain touch by construction; the first link never reaches an obstacle of the base.
MIN_JOINTS_BETWEEN_LINKS = 3
MIN_JOINTS_TO_OBSTACLE = 2
SAMPLES = 300
COARSE_MARGIN_M = 0.06
# For the coarse test a plane is the face of a box this large.
PLANE_HALF_SIZE_M = 1e3


class Clearance:
    """The pairs of geoms that could touch, and at a posture the rows that keep them apart."""

    def __init__(self, kinematics: Kinematics, config: IkConfig, dt: float) -> None:
        self._kinematics = kinematics
        self._config = config
        self._dt = dt
        self._fromto = np.zeros(6)
        self._jacobians = np.zeros((2, 3, kinematics.model.nv))
        self._bodies = kinematics.model.geom_bodyid.tolist()
        self._fixed = {kinematics.model.geom(o.name).id: o.clearance_m for o in kinematics.obstacles}
        links, obstacles = _candidates(kinematics)
        if not config.self_collision:
            links = []
        self._coarse = _CoarseTest(kinematics, links, obstacles, config.sensing_m)
        keep = self._met_by_sampling(links + obstacles)
        links = [pair for pair in links if pair in keep]
        obstacles = [pair for pair in obstacles if pair in keep]
        self.pairs = links + obstacles
        kept = (self._fixed.get(first) for first, _ in self.pairs)
        self._clearances = [config.clearance_m if least is None else least for least in kept]
        self._coarse = _CoarseTest(kinematics, links, obstacles, config.sensing_m)

    def rows(self) -> tuple[list[Array], list[float]]:
        """Rows g (J,) and bounds b with `g · dq >= b` for every pair within the sensing distance at this posture.

        A pair may approach only as fast as it can stop at the clearance; a pair nearer than that is pushed apart.
        """
        gradients: list[Array] = []
        least: list[float] = []
        for index in self._coarse.near():
            first, second = self.pairs[index]
            distance = self._distance(first, second)
            gradient = self._gradient(first, second, distance) if distance < self._config.sensing_m else None
            if gradient is not None:
                gradients.append(gradient)
                least.append(self._slowest(distance - self._clearances[index]))
        return gradients, least

    def smallest(self) -> float:
        """The smallest distance of any pair at this posture, m; infinite when all are beyond the sensing distance."""
        distances = (self._distance(*self.pairs[index]) for index in self._coarse.near())
        return min((d for d in distances if d < self._config.sensing_m), default=math.inf)

    def _slowest(self, room: float) -> float:
        if room < 0.0:
            return -room * self._config.push_out_per_s
        return -braking_velocity(room, self._config.deceleration_m_s2, self._dt)

    def _distance(self, first: int, second: int) -> float:
        model, data = self._kinematics.model, self._kinematics.data
        return float(mujoco.mj_geomDistance(model, data, first, second, self._config.sensing_m, self._fromto))

    def _gradient(self, first: int, second: int, distance: float) -> Array | None:
        """How the distance changes with each joint (J,), or None where the direction between them is undefined."""
        model, data = self._kinematics.model, self._kinematics.data
        start, end = self._fromto[:3], self._fromto[3:]
        direction = end - start
        length = math.sqrt(direction @ direction)
        if length < 1e-9:
            return None
        direction *= math.copysign(1.0 / length, distance)
        there, here = self._jacobians
        mujoco.mj_jac(model, data, there, None, end, self._bodies[second])
        gradient = direction.dot(there)
        if first not in self._fixed:
            mujoco.mj_jac(model, data, here, None, start, self._bodies[first])
            gradient -= direction.dot(here)
        arm: Array = gradient[self._kinematics.dofs]
        return arm

    def _met_by_sampling(self, pairs: list[tuple[int, int]]) -> set[tuple[int, int]]:
        """The pairs that are near each other in some posture and apart in another: the rest never touch or always."""
        kinematics, spec = self._kinematics, self._kinematics.spec
        near, apart = np.zeros(len(pairs), dtype=bool), np.zeros(len(pairs), dtype=bool)
        rng = np.random.default_rng(0)
        for q in rng.uniform(spec.q_min, spec.q_max, size=(SAMPLES, len(spec.q_min))):
            kinematics.move_to(q)
            coarse = np.zeros(len(pairs), dtype=bool)
            coarse[self._coarse.near()] = True
            apart |= ~coarse
            for index in (coarse & ~(near & apart)).nonzero()[0].tolist():
                close = self._distance(*pairs[index]) < self._config.sensing_m
                near[index] |= close
                apart[index] |= not close
        kinematics.move_to(spec.home_q)
        return {pair for pair, met in zip(pairs, near & apart, strict=True) if met}


class _CoarseTest:
    """Which pairs may be near, by bounding spheres between links and by a sphere against each obstacle's box."""

    def __init__(
        self,
        kinematics: Kinematics,
        links: list[tuple[int, int]],
        obstacles: list[tuple[int, int]],
        sensing_m: float,
    ) -> None:
        model, data = kinematics.model, kinematics.data
        self._reach = _reach(model)
        self._data = data
        self._at = np.full(model.nq, 1e9)
        self._near: list[int] = []
        self._first, self._second = np.array(links, dtype=np.intp).reshape(-1, 2).T
        self._reach2 = (
            model.geom_rbound[self._first] + model.geom_rbound[self._second] + sensing_m + COARSE_MARGIN_M
        ) ** 2
        solid, self._moving = np.array(obstacles, dtype=np.intp).reshape(-1, 2).T
        rotations = data.geom_xmat[solid].reshape(-1, 3, 3)
        is_plane = model.geom_type[solid] == int(mujoco.mjtGeom.mjGEOM_PLANE)
        self._half = np.where(is_plane[:, None], PLANE_HALF_SIZE_M, model.geom_size[solid])
        self._origin = data.geom_xpos[solid] - np.where(is_plane[:, None], PLANE_HALF_SIZE_M * rotations[:, :, 2], 0.0)
        self._rotations = rotations
        self._obstacle_reach2 = (model.geom_rbound[self._moving] + sensing_m + COARSE_MARGIN_M) ** 2

    def near(self) -> list[int]:
        """Indices into links, then obstacles, of the pairs that the fine test must look at.

        The list is made with a margin and kept until the joints have turned so far that the margin may be used up:
        a joint that turns by r rad moves no two geoms by more than r times what reaches beyond it.
        """
        q = self._data.qpos
        if np.abs(q - self._at).dot(self._reach) > COARSE_MARGIN_M:
            self._at[:] = q
            self._near = self._search()
        return self._near

    def _search(self) -> list[int]:
        found: list[int] = []
        count = len(self._first)
        centers = self._data.geom_xpos
        if count:
            apart = centers[self._first] - centers[self._second]
            found += (np.einsum("ij,ij->i", apart, apart) < self._reach2).nonzero()[0].tolist()
        if len(self._moving):
            local = np.einsum("pij,pi->pj", self._rotations, centers[self._moving] - self._origin)
            outside = np.maximum(np.abs(local) - self._half, 0.0)
            near = (np.einsum("ij,ij->i", outside, outside) < self._obstacle_reach2).nonzero()[0]
            found += (near + count).tolist()
        return found


def _reach(model: mujoco.MjModel) -> Array:
    """For each joint coordinate (nq,), a distance from its joint beyond which nothing lies that it moves, m.

    A sliding joint moves all beyond it by as much as itself.
    """
    beyond = np.zeros(model.nbody)
    np.maximum.at(beyond, model.geom_bodyid, np.linalg.norm(model.geom_pos, axis=1))
    for body in range(model.nbody - 1, 0, -1):
        parent = int(model.body_parentid[body])
        length = float(np.linalg.norm(model.body_pos[body]))
        beyond[parent] = max(beyond[parent], length + beyond[body])
    turning = np.linalg.norm(model.jnt_pos, axis=1) + beyond[model.jnt_bodyid]
    reach = np.ones(model.nq)
    reach[model.jnt_qposadr] = np.where(model.jnt_type == int(mujoco.mjtJoint.mjJNT_HINGE), turning, 1.0)
    return reach


def _candidates(kinematics: Kinematics) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs of solid geoms on links far enough apart in the chain; pairs of an obstacle and a link that moves."""
    model = kinematics.model
    depth = _joints_above(kinematics)[model.geom_bodyid]
    obstacles = [model.geom(obstacle.name).id for obstacle in kinematics.obstacles]
    solid = [
        geom
        for geom in range(model.ngeom)
        if geom not in obstacles and (model.geom_contype[geom] or model.geom_conaffinity[geom])
    ]
    links = [
        (first, second)
        for i, first in enumerate(solid)
        for second in solid[i + 1 :]
        if abs(int(depth[second]) - int(depth[first])) >= MIN_JOINTS_BETWEEN_LINKS
    ]
    moving = [geom for geom in solid if depth[geom] >= MIN_JOINTS_TO_OBSTACLE]
    return links, [(obstacle, geom) for obstacle in obstacles for geom in moving]


def _joints_above(kinematics: Kinematics) -> NDArray[np.int64]:
    """For each body, the number of the arm's joints between it and the world."""
    model = kinematics.model
    own = set(np.arange(model.nv)[kinematics.dofs].tolist())
    depth = np.zeros(model.nbody, dtype=np.int64)
    for body in range(1, model.nbody):
        first, count = int(model.body_dofadr[body]), int(model.body_dofnum[body])
        depth[body] = depth[model.body_parentid[body]] + sum(dof in own for dof in range(first, first + count))
    return depth
