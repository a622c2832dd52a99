"""A simulated station in lockstep: physics, control loop, cameras and recorder on one virtual clock, one after another.

Time passes only between ticks, so the same seed gives the same bytes, and a minute takes as long as it must.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recorder.recorder import Recorder
from robots.contract import CameraError
from robots.mujoco.arm import load_arm
from robots.mujoco.station import SimulatedStation
from robots.mujoco.viewpoints import default_cameras
from station.description import describe_episode
from station.session import Session
from teleloom.bus.lockstep import LockstepBus
from teleloom.clock import NS_PER_S
from teleloom.episode.meta import EpisodeMeta, Outcome
from teleloom.messages import AnyMessage, CameraFrame
from teleloom.specs import CameraSpec
from teleop.config import TeleopConfig
from teleop.loop import TeleopLoop
from teleop.operator import Operator

FrameFilter = Callable[[CameraFrame], CameraFrame]


class LockstepTimeoutError(RuntimeError):
    """The operator did not finish within the time given. The message says how long that was and what it was doing."""


class LocalSink:
    """A Session's sink that is a recorder in this process, finalising before it returns."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.episodes: list[Path] = []

    def start(self, meta: EpisodeMeta, t_ns: int) -> None:
        self._recorder.start(meta)

    def take(self, stream: str, message: AnyMessage) -> None:
        self._recorder.take(stream, message)

    def keep(self, outcome: Outcome, success_check: bool | None) -> None:
        self.episodes.append(self._recorder.stop(outcome, success_check).result())

    def discard(self, reason: str) -> None:
        self._recorder.discard(reason)


def simulated_camera(robot: str, name: str, size: int = 256, rate_hz: float = 10.0) -> CameraSpec:
    """The simulated camera of this name. Raises CameraError for a name that there is not."""
    known = {spec.name: spec for spec in default_cameras(load_arm(robot), size, rate_hz)}
    if name not in known:
        raise CameraError(f"no simulated camera '{name}'; there is: {', '.join(known)}")
    return known[name]


def describe_scene(
    sim: SimulatedStation, station: str, operator: str, step_rate_hz: float = 10.0, repeatable: bool = False
) -> EpisodeMeta:
    """The metadata of an episode that begins now in this scene; see describe_episode."""
    return describe_episode(
        station,
        operator,
        sim.clock,
        task=sim.task.info(),
        robot=sim.robot.spec,
        cameras=sim.camera_specs,
        step_rate_hz=step_rate_hz,
        seed=sim.seed,
        repeatable=repeatable,
    )


def run_lockstep(
    sim: SimulatedStation,
    operator: Operator,
    teleop: TeleopConfig,
    session: Session,
    finished: Callable[[], bool],
    limit_s: float = 120.0,
    alter_frame: FrameFilter = lambda frame: frame,
) -> None:
    """Let the operator work until `finished()`; every message goes to the session.

    alter_frame: changes a frame before it is recorded, for rehearsing a camera's faults.
    Raises LockstepTimeoutError after `limit_s` of simulated time.
    """
    bus = LockstepBus()
    bus.subscribe("", session.take)
    loop = TeleopLoop(sim.robot, operator, teleop, sim.clock, bus.publish)
    end_ns = sim.clock.now_ns() + round(limit_s * NS_PER_S)
    sim.robot.connect()
    operator.open()
    for camera in sim.cameras:
        camera.open()
    try:
        while not finished():
            if sim.clock.now_ns() >= end_ns:
                raise LockstepTimeoutError(f"{sim.task.name}, seed {sim.seed}: not done after {limit_s:.0f} s")
            loop.tick()
            for camera in sim.cameras:
                if (frame := camera.read()) is not None:
                    bus.publish(f"cameras/{camera.spec.name}", alter_frame(frame))
            session.settle()
            loop.recording = session.recording or ""
            sim.step()
    finally:
        for camera in sim.cameras:
            camera.close()
        operator.close()
