"""The simulated station in real time: an arm and cameras that are driven as hardware is, each in its own process.

The arm's process runs the physics and publishes snapshots of the scene; a camera's process draws them.
"""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import numpy as np

from robots.contract import CameraError, RobotError
from robots.mujoco.arm import load_arm
from robots.mujoco.render import FrameRenderer, scene_of
from robots.mujoco.robot import MujocoRobot
from robots.mujoco.scene import build_scene
from robots.mujoco.simulation import Simulation, Snapshot
from robots.mujoco.station import CONTROL_PERIOD_NS, SUBSTEPS
from robots.mujoco.tasks import Task, View, make_task
from robots.mujoco.viewpoints import default_cameras
from robots.mujoco.witness import SceneWitness
from teleloom.bus.zmq import LatestPublisher, LatestSubscriber
from teleloom.clock import NS_PER_S, Clock
from teleloom.episode.meta import TaskInfo
from teleloom.messages import CameraFrame, Event, JointCommand, RobotState

SNAPSHOT_TOPIC = "scene"
SNAPSHOT_EVERY = 2
"""Control periods between two snapshots: 100 a second, so that a camera of 10, 20 or 50 Hz keeps its rate."""


class LiveArm:
    """A simulated arm whose physics runs in a thread, paced by the clock. Options as of SimulatedStation."""

    def __init__(self, clock: Clock, *, robot: str = "panda", task: str = "put-in-bowl", seed: int = 0) -> None:
        self._clock = clock
        self._parameters = {"robot": robot, "task": task}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._publisher = LatestPublisher()
        self._arm_model = load_arm(robot)
        self._simulation, self.task = self._build(seed)
        self._arm = MujocoRobot(self._simulation, clock)
        self.spec = self._arm.spec
        self.witness = SceneWitness(lambda: self._simulation, clock, self._lock)

    def camera_options(self) -> dict[str, Any]:
        """What a LiveCamera must be given to draw this arm's scene."""
        return {"robot": self._parameters["robot"], "scene": self._publisher.address}

    def connect(self) -> None:
        """Start the physics, holding."""
        if self._thread is None:
            self.hold()
            self._thread = threading.Thread(target=self._run, name="physics", daemon=True)
            self._thread.start()

    def read(self) -> RobotState:
        """The state at the end of the last physics step."""
        if self._thread is None:
            raise RobotError("the simulated arm is not connected; call connect() first")
        with self._lock:
            return self._arm.read()

    def command(self, command: JointCommand) -> None:
        """Set the servos' targets."""
        with self._lock:
            self._arm.command(command)

    def hold(self) -> None:
        """Keep the present posture."""
        with self._lock:
            self._arm.hold()

    def look(self) -> View:
        """What a person sees at a glance."""
        with self._lock:
            arm, objects = self._arm, self._simulation.objects()
            return View(np.array(arm.ee_pose()), arm.opening(), objects, self.task.success())

    def task_info(self) -> TaskInfo:
        """The task, with its instructions."""
        return self.task.info()

    def success(self) -> bool:
        """Whether the task is done."""
        with self._lock:
            return self.task.success()

    def reset(self, seed: int) -> None:
        """Lay the scene anew with another seed, the arm at home."""
        simulation, task = self._build(seed)
        with self._lock:
            self._simulation, self.task = simulation, task
            self._arm.bind(simulation)
            self._arm.hold()

    def close(self) -> None:
        """Stop the physics."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._publisher.close()

    def _build(self, seed: int) -> tuple[Simulation, Task]:
        task = make_task(self._parameters["task"], seed)
        simulation = Simulation(build_scene(self._arm_model, task.layout, default_cameras(self._arm_model)))
        task.observe(simulation)
        return simulation, task

    def _run(self) -> None:
        next_ns = self._clock.now_ns()
        periods = 0
        while not self._stop.is_set():
            with self._lock:
                self._simulation.step(SUBSTEPS)
                snapshot = self._simulation.snapshot(self._clock.now_ns())
                task = self.task
            if periods % SNAPSHOT_EVERY == 0:
                self._publisher.publish(SNAPSHOT_TOPIC, _to_event(snapshot, task, periods // SNAPSHOT_EVERY))
            periods += 1
            next_ns = max(next_ns + CONTROL_PERIOD_NS, self._clock.now_ns() - NS_PER_S // 10)
            self._clock.sleep_until(next_ns)


def _to_event(snapshot: Snapshot, task: Task, seq: int) -> Event:
    data = {
        "task": task.name,
        "seed": task.seed,
        "qpos": snapshot.qpos.tolist(),
        "dirt": snapshot.dirt.tolist(),
    }
    return Event(t_ns=snapshot.t_ns, seq=seq, kind="snapshot", data=data)


class LiveCamera:
    """A camera of a LiveArm's scene, in a process of its own. Use it from one thread.

    name: one of the scene's cameras. robot, scene: from `LiveArm.camera_options`. size: pixels along each side. A
    frame shows the newest snapshot when it falls due and carries the snapshot's time; while no snapshot comes there is
    no frame.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        name: str,
        robot: str,
        scene: str,
        size: int = 256,
        rate_hz: float = 10.0,
    ) -> None:
        known = {spec.name: spec for spec in default_cameras(load_arm(robot), size, rate_hz)}
        if name not in known:
            raise CameraError(f"no simulated camera '{name}'; there is: {', '.join(known)}")
        self.spec = known[name]
        self._clock = clock
        self._robot = robot
        self._scene = scene
        self._subscriber: LatestSubscriber | None = None
        self._renderer: FrameRenderer | None = None
        self._drawn: tuple[str, int] | None = None
        self._newest: Event | None = None
        self._next_ns = 0
        self._seq = 0

    def open(self) -> None:
        """Listen to the scene."""
        self._subscriber = LatestSubscriber(self._scene, (SNAPSHOT_TOPIC,))
        self._next_ns = self._clock.now_ns()

    def read(self) -> CameraFrame | None:
        """The frame that is due, drawn from the newest snapshot."""
        if self._subscriber is None:
            raise CameraError(f"camera '{self.spec.name}' is not open; call open() first")
        message = self._subscriber.poll().get(SNAPSHOT_TOPIC)
        if isinstance(message, Event):
            self._newest = message
        now = self._clock.now_ns()
        if now < self._next_ns or self._newest is None:
            return None
        period = round(NS_PER_S / self.spec.rate_hz)
        self._next_ns += period * ((now - self._next_ns) // period + 1)
        snapshot, self._newest = self._newest, None
        return self._draw(snapshot)

    def close(self) -> None:
        """Stop listening and release the GL context."""
        if self._subscriber is not None:
            self._subscriber.close()
            self._subscriber = None
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _draw(self, event: Event) -> CameraFrame:
        shown = (str(event.data["task"]), int(event.data["seed"]))
        if self._renderer is None or self._drawn != shown:
            if self._renderer is not None:
                self._renderer.close()
            scene, _ = scene_of(self._robot, *shown, [self.spec])
            self._renderer, self._drawn = FrameRenderer(scene, [self.spec]), shown
        snapshot = Snapshot(event.t_ns, np.array(event.data["qpos"]), np.array(event.data["dirt"]))
        frame = self._renderer.draw(snapshot, (self.spec.name,))[0]
        self._seq += 1
        return msgspec.structs.replace(frame, seq=self._seq - 1)
