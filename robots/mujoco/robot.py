"""The simulated arm as a Robot: joint position servos with velocity feed-forward."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from robots.contract import RobotError
from robots.mujoco.backend import mujoco
from robots.mujoco.simulation import Simulation
from teleloom.clock import Clock
from teleloom.messages import JointCommand, Pose, RobotState, Vec3, Vec6

_SLACK_RAD = 1e-3


class _Wiring:
    """Where the arm's joints, actuators and sensors lie in one simulation's arrays."""

    def __init__(self, simulation: Simulation) -> None:
        model, scene, arm = simulation.model, simulation.scene, simulation.scene.arm
        joints = [model.joint(scene.arm_name(name)) for name in arm.spec.joint_names]
        self.qpos = np.array([int(joint.qposadr[0]) for joint in joints])
        self.dofs = np.array([int(joint.dofadr[0]) for joint in joints])
        self.actuators = np.array([int(model.actuator(scene.arm_name(name)).id) for name in arm.actuators])
        self.site = int(model.site(scene.arm_name(arm.spec.tool_site)).id)
        kp = model.actuator_gainprm[self.actuators, 0]
        kv = -model.actuator_biasprm[self.actuators, 2]
        self.lead_s = kv / kp
        self.gripper: int | None = None
        if arm.gripper_actuator is not None:
            self.gripper = int(model.actuator(scene.arm_name(arm.gripper_actuator)).id)
        self.gripper_ctrl = arm.gripper_ctrl
        fingers = [model.joint(scene.arm_name(name)) for name in arm.gripper_joints]
        self.fingers = np.array([int(finger.qposadr[0]) for finger in fingers], dtype=np.intp)
        self.finger_closed, self.finger_open = arm.gripper_angles
        sensors = [model.sensor(i).name for i in range(model.nsensor)]
        force, torque = scene.arm_name("tool_force"), scene.arm_name("tool_torque")
        self.force = int(model.sensor(force).adr[0]) if force in sensors and torque in sensors else None
        self.torque = int(model.sensor(torque).adr[0]) if self.force is not None else 0
        self.hand = int(model.site_bodyid[self.site])
        self.hand_weight = (float(model.body_subtreemass[self.hand]) * model.opt.gravity).tolist()


class MujocoRobot:
    """The arm of a SimulatedStation. It moves when the station is stepped."""

    def __init__(self, simulation: Simulation, clock: Clock) -> None:
        self.spec = simulation.scene.arm.spec
        self._clock = clock
        self._seq = 0
        self._q_low = np.array(self.spec.q_min) - _SLACK_RAD
        self._q_high = np.array(self.spec.q_max) + _SLACK_RAD
        self.bind(simulation)

    def bind(self, simulation: Simulation) -> None:
        """Become the arm of another simulation of the same model, as a station does at a reset."""
        self._simulation = simulation
        self._wiring = _Wiring(simulation)

    def connect(self) -> None:
        """Hold the present posture."""
        self.hold()

    def read(self) -> RobotState:
        """The state at the end of the last step."""
        data, wiring = self._simulation.data, self._wiring
        state = RobotState(
            t_ns=self._clock.now_ns(),
            seq=self._seq,
            q=tuple(data.qpos[wiring.qpos].tolist()),
            dq=tuple(data.qvel[wiring.dofs].tolist()),
            effort=tuple(data.actuator_force[wiring.actuators].tolist()),
            ee_pose=self.ee_pose(),
            gripper=self.opening(),
            wrench=self._wrench(),
        )
        self._seq += 1
        return state

    def command(self, command: JointCommand) -> None:
        """Set the servos' targets. Raises RobotError where a value is missing, not finite or outside the limits."""
        q = np.array(command.q)
        dq = np.array(command.dq)
        if q.shape != self._q_low.shape or dq.shape != self._q_low.shape:
            raise RobotError(f"{self.spec.name}: command for {len(q)}/{len(dq)} joints; it has {len(self._q_low)}")
        if not (math.isfinite(float(q.sum() + dq.sum())) and math.isfinite(command.gripper)):
            raise RobotError(f"{self.spec.name}: command with a value that is not a finite number")
        if (q < self._q_low).any() or (q > self._q_high).any():
            joint = int(np.argmax(np.maximum(self._q_low - q, q - self._q_high)))
            raise RobotError(
                f"{self.spec.name}: {self.spec.joint_names[joint]} asked to {q[joint]:.4f} rad; its limits are "
                f"{self.spec.q_min[joint]:.4f} to {self.spec.q_max[joint]:.4f}"
            )
        wiring, ctrl = self._wiring, self._simulation.data.ctrl
        # A position servo's damping acts on the whole velocity; leading the target by kv/kp·dq cancels that lag.
        ctrl[wiring.actuators] = q + wiring.lead_s * dq
        self._set_gripper(command.gripper)

    def hold(self) -> None:
        """Keep the present posture; the gripper keeps what it was told."""
        data, wiring = self._simulation.data, self._wiring
        data.ctrl[wiring.actuators] = data.qpos[wiring.qpos]

    def close(self) -> None:
        """Nothing to release."""

    def _set_gripper(self, opening: float) -> None:
        wiring = self._wiring
        if wiring.gripper is not None:
            closed, opened = wiring.gripper_ctrl
            self._simulation.data.ctrl[wiring.gripper] = closed + (opened - closed) * min(max(opening, 0.0), 1.0)

    def ee_pose(self) -> Pose:
        """The tool's pose in the base frame."""
        data, site = self._simulation.data, self._wiring.site
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, data.site_xmat[site])
        x, y, z = data.site_xpos[site].tolist()
        w, qx, qy, qz = quat.tolist()
        return x, y, z, qx, qy, qz, w

    def opening(self) -> float:
        """How far the gripper is open, 0..1."""
        wiring = self._wiring
        if not wiring.fingers.size:
            return 1.0
        total = float(self._simulation.data.qpos[wiring.fingers].sum())
        return min(max((total - wiring.finger_closed) / (wiring.finger_open - wiring.finger_closed), 0.0), 1.0)

    def _wrench(self) -> Vec6 | None:
        """Force and torque on the tool by what it touches and carries, base frame, without the hand's own weight."""
        data, wiring = self._simulation.data, self._wiring
        if wiring.force is None:
            return None
        rows = data.site_xmat[wiring.site].tolist()
        measured = data.sensordata
        force = _turned(rows, measured[wiring.force : wiring.force + 3].tolist())
        torque = _turned(rows, measured[wiring.torque : wiring.torque + 3].tolist())
        gx, gy, gz = wiring.hand_weight
        lx, ly, lz = (data.subtree_com[wiring.hand] - data.site_xpos[wiring.site]).tolist()
        return (
            -force[0] - gx,
            -force[1] - gy,
            -force[2] - gz,
            -torque[0] - (ly * gz - lz * gy),
            -torque[1] - (lz * gx - lx * gz),
            -torque[2] - (lx * gy - ly * gx),
        )


def _turned(matrix: Sequence[float], v: Sequence[float]) -> Vec3:
    """The vector turned by a rotation matrix given row by row."""
    a, b, c, d, e, f, g, h, i = matrix
    x, y, z = v
    return a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z
