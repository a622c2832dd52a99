"""A station that needs no hardware: a kitchen, an arm and cameras in lockstep on one clock."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from robots.mujoco.arm import load_arm
from robots.mujoco.camera import MujocoCamera
from robots.mujoco.render import RenderThread
from robots.mujoco.robot import MujocoRobot
from robots.mujoco.scene import build_scene
from robots.mujoco.simulation import Simulation, Snapshot
from robots.mujoco.tasks import Task, View, make_task
from robots.mujoco.viewpoints import default_cameras
from robots.mujoco.witness import SceneWitness
from teleloom.clock import VirtualClock
from teleloom.messages import CameraFrame
from teleloom.pose import Array
from teleloom.specs import CameraSpec

CONTROL_PERIOD_NS = 5_000_000
SUBSTEPS = 3


class SimulatedStation:
    """One task in the kitchen with one arm.

    robot: "panda", "ur5e" or the path of an MJCF or URDF model. task: a name of `robots.mujoco.tasks.TASKS`. seed:
    chooses objects, poses, colours and light; the same seed and the same commands give the same states, bit for bit.
    cameras: front, side and wrist at 256 x 256 and 10 Hz where None. Physics runs at 600 Hz, three steps per control
    period of 5 ms; time passes only in `step`.
    """

    def __init__(
        self,
        robot: str = "panda",
        task: str = "put-in-bowl",
        seed: int = 0,
        cameras: Sequence[CameraSpec] | None = None,
        clock: VirtualClock | None = None,
    ) -> None:
        self.clock = VirtualClock() if clock is None else clock
        self.arm = load_arm(robot)
        self.camera_specs = default_cameras(self.arm) if cameras is None else tuple(cameras)
        self._task_name = task
        self._thread: RenderThread | None = None
        self._build(seed)
        self.robot = MujocoRobot(self.simulation, self.clock)
        self.witness = SceneWitness(lambda: self.simulation, self.clock)
        self.cameras = tuple(MujocoCamera(s, self.clock, self._renderer, self.snapshot) for s in self.camera_specs)

    def step(self, n: int = 1) -> None:
        """Advance physics and the clock by n control periods."""
        for _ in range(n):
            self.simulation.step(SUBSTEPS)
            self.clock.sleep_until(self.clock.now_ns() + CONTROL_PERIOD_NS)

    def reset(self, seed: int) -> None:
        """Begin anew with another seed. Time goes on; the robot and the cameras stay the same objects."""
        self.close()
        self._build(seed)
        self.robot.bind(self.simulation)

    def render(self, names: Sequence[str] | None = None) -> list[CameraFrame]:
        """JPEG frames of the scene as it is now, one per named camera (all where None), in that order."""
        wanted = tuple(spec.name for spec in self.camera_specs) if names is None else tuple(names)
        return self._renderer().submit(self.snapshot(), wanted).result()

    def objects(self) -> dict[str, Array]:
        """Pose (7,) in the base frame of every thing, of the drawer's handle, and of each stain still to be seen."""
        return self.simulation.objects()

    def look(self) -> View:
        """What a person sees at a glance."""
        return View(np.array(self.robot.ee_pose()), self.robot.opening(), self.objects(), self.task.success())

    def snapshot(self) -> Snapshot:
        """A copy of what drawing needs, for a SceneRenderer elsewhere."""
        return self.simulation.snapshot(self.clock.now_ns())

    def state_hash(self) -> str:
        """SHA-256 of positions, velocities and dirt, hex."""
        data = self.simulation.data
        return hashlib.sha256(data.qpos.tobytes() + data.qvel.tobytes() + self.simulation.dirt.tobytes()).hexdigest()

    def close(self) -> None:
        """Join the render thread. Safe to call twice; drawing again starts another."""
        if self._thread is not None:
            self._thread.close()
            self._thread = None

    def _build(self, seed: int) -> None:
        self.seed = seed
        self.task: Task = make_task(self._task_name, seed)
        self.simulation = Simulation(build_scene(self.arm, self.task.layout, self.camera_specs))
        self.task.observe(self.simulation)

    def _renderer(self) -> RenderThread:
        if self._thread is None:
            self._thread = RenderThread(self.simulation.scene, self.camera_specs)
        return self._thread
