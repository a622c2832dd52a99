"""Inverse kinematics: teleloom against mink, on the same arm, the same targets and in the same run.

Both follow a figure-8 with rotation at 200 Hz on the 7-DoF Panda with the same task, posture and damping weights and
the same QP solver (daqp), within joint position and velocity limits; teleloom also keeps acceleration limits and is
measured with and without its clearance rows. The solvers take turns tick by tick, so that both see the same machine.

Run: python benchmarks/ik.py
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from importlib.resources import files

import mink
import mujoco
import numpy as np

from teleloom import pose
from teleloom.specs import RobotSpec
from teleop.config import IkConfig, PlaneObstacle
from teleop.governor import Walls
from teleop.ik import InverseKinematics
from teleop.kinematics import Kinematics
from teleop.motion import offset

DT = 0.005
SECONDS = 30.0
WARM_UP_TICKS = 400
PERIOD_S = 4.0
OPEN = Walls((-math.inf,) * 3, (math.inf,) * 3)

Target = tuple[np.ndarray, np.ndarray]


def arm_alone() -> RobotSpec:
    """The Panda with its fingers fixed, so that both solvers have the same seven unknowns."""
    tree = mujoco.MjSpec.from_string((files("robots.mujoco") / "models" / "panda.xml").read_text(encoding="utf-8"))
    for part in (*tree.keys, *tree.sensors, *tree.actuators, *tree.equalities, *tree.tendons):
        tree.delete(part)
    for joint in list(tree.joints):
        if "finger" in joint.name:
            tree.delete(joint)
    tree.compile()
    return RobotSpec(
        name="panda",
        joint_names=tuple(f"joint{i}" for i in range(1, 8)),
        q_min=(-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973),
        q_max=(2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973),
        dq_max=(2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61),
        ddq_max=(15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0),
        effort_max=(87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0),
        home_q=(0.0, -0.5, 0.0, -2.2, 0.0, 1.7, 0.785398),
        rate_hz=1.0 / DT,
        model=tree.to_xml(),
    )


def figure_eight(t: float, home: np.ndarray) -> np.ndarray:
    """The target pose (7,) at time t: 30 cm wide, 16 cm deep, turning by up to 0.4 rad."""
    w = 2.0 * math.pi / PERIOD_S
    ease = min(t, 1.0) ** 2 * (3.0 - 2.0 * min(t, 1.0))
    move = ease * np.array([0.08 * math.sin(2 * w * t), 0.15 * math.sin(w * t), 0.05 * math.sin(w * t)])
    turn = ease * np.array([0.2 * math.sin(w * t), 0.3 * math.sin(2 * w * t), 0.4 * math.sin(w * t)])
    return pose.make(home[:3] + move, pose.quat_multiply(pose.quat_from_rotvec(turn), home[3:]))


class Ours:
    """teleloom's solver, integrating its own answer."""

    def __init__(self, spec: RobotSpec, config: IkConfig, obstacles: tuple[PlaneObstacle, ...] = ()) -> None:
        self._kinematics = Kinematics(spec, obstacles)
        self._ik = InverseKinematics(self._kinematics, config, DT)
        self.q = spec.home_q
        self._dq: tuple[float, ...] = (0.0,) * len(spec.home_q)

    def step(self, target: np.ndarray) -> None:
        self._kinematics.move_to(self.q)
        (x, y, z), (rx, ry, rz) = offset(self._kinematics.pose, tuple(target.tolist()))
        linear, angular = (x / DT, y / DT, z / DT), (rx / DT, ry / DT, rz / DT)
        self._dq = self._ik.solve(self.q, self._dq, linear, angular, OPEN).dq
        self.q = tuple([position + DT * speed for position, speed in zip(self.q, self._dq, strict=True)])


class Mink:
    """mink's solver on the same problem, integrating its own answer."""

    def __init__(self, spec: RobotSpec, config: IkConfig) -> None:
        model = mujoco.MjModel.from_xml_string(spec.model)
        self._configuration = mink.Configuration(model, q=np.array(spec.home_q))
        self._task = mink.FrameTask("tool", "site", position_cost=1.0, orientation_cost=config.rotation_weight_m)
        posture = mink.PostureTask(model, cost=config.posture_weight_m, gain=config.posture_gain_per_s * DT)
        posture.set_target(np.array(spec.home_q))
        self._tasks = [self._task, posture]
        speeds = dict(zip(spec.joint_names, spec.dq_max, strict=True))
        self._limits = [mink.ConfigurationLimit(model), mink.VelocityLimit(model, speeds)]
        self._damping = config.damping_m**2
        self.q = np.array(spec.home_q)

    def step(self, target: np.ndarray) -> None:
        self._configuration.update(self.q)
        x, y, z, w = target[3:]
        self._task.set_target(mink.SE3(wxyz_xyz=np.array([w, x, y, z, *target[:3]])))
        velocity = mink.solve_ik(
            self._configuration, self._tasks, DT, "daqp", damping=self._damping, limits=self._limits
        )
        self.q = self.q + DT * velocity


def timed_us(step: Callable[[np.ndarray], None], target: np.ndarray) -> float:
    start = time.thread_time_ns()
    step(target)
    return (time.thread_time_ns() - start) / 1e3


def main() -> None:
    spec, config = arm_alone(), IkConfig()
    free = config.model_copy(update={"self_collision": False})
    counter = (PlaneObstacle(name="counter", point_m=(0.0, 0.0, 0.0)),)
    solvers = {
        "teleloom": Ours(spec, free),
        "teleloom, clearances": Ours(spec, config, counter),
        "mink": Mink(spec, config),
    }
    ruler = Kinematics(spec)
    home = np.array(ruler.pose_at(spec.home_q))
    times: dict[str, list[float]] = {name: [] for name in solvers}
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in solvers}
    for tick in range(round(SECONDS / DT)):
        target = figure_eight(tick * DT, home)
        for name, solver in solvers.items():
            times[name].append(timed_us(solver.step, target))
            errors[name].append(pose.distance(ruler.pose_at(solver.q), target))
    print(f"{'solver':22} {'median µs':>10} {'p99 µs':>8} {'RMS mm':>8} {'RMS deg':>8}")
    for name in solvers:
        spent = np.array(times[name][WARM_UP_TICKS:])
        metres, radians = np.sqrt(np.mean(np.square(errors[name][WARM_UP_TICKS:]), axis=0))
        median, p99 = np.percentile(spent, (50, 99))
        print(f"{name:22} {median:10.1f} {p99:8.1f} {metres * 1e3:8.4f} {math.degrees(radians):8.4f}")
    ours, theirs = (float(np.median(times[name][WARM_UP_TICKS:])) for name in ("teleloom", "mink"))
    result = {"name": "ik", "figure": ours, "unit": "CPU µs/solve, median", "baseline": theirs, "ratio": theirs / ours}
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
