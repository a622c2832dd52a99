"""The control node: the robot, the operator and the loop between them, and the session that their buttons run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from robots.contract import Robot, RobotError
from station.config import StationConfig
from station.description import describe_episode
from station.nodes.process import Orders, run_node
from station.nodes.recorder import SESSION_TOPIC
from station.session import Session
from teleloom import plugins
from teleloom.bus.zmq import ReliableSender, StreamPublisher
from teleloom.clock import MonotonicClock
from teleloom.config import ConfigError
from teleloom.episode.meta import EpisodeMeta, Outcome, TaskInfo
from teleloom.messages import AnyMessage, Event
from teleloom.plugins import PluginError
from teleloom.specs import CameraSpec
from teleop.loop import TeleopLoop
from teleop.operator import Operator, OperatorError
from teleop.sources.makers import Scene, Setting

READY_TO_RECORD_S = 10.0


@runtime_checkable
class SceneRobot(Protocol):
    """A simulated robot: it knows its task, can lay its scene anew, and tells cameras where to look."""

    def task_info(self) -> TaskInfo:
        """The task, with its instructions."""
        ...

    def success(self) -> bool:
        """Whether the task is done."""
        ...

    def reset(self, seed: int) -> None:
        """Lay the scene anew."""
        ...

    def camera_options(self) -> dict[str, Any]:
        """What the cameras of the same driver must be given."""
        ...


@runtime_checkable
class Finite(Protocol):
    """An operator that is done at some time: a script, a replay."""

    @property
    def done(self) -> bool:
        """Whether it has nothing more to do."""
        ...


class RemoteSink:
    """A Session's sink that is a recorder node: messages go out as streams, the session's decisions as commands."""

    def __init__(self, publisher: StreamPublisher, commands: ReliableSender, now_ns: Callable[[], int]) -> None:
        self._publisher = publisher
        self._commands = commands
        self._now_ns = now_ns
        self._seq = 0

    def start(self, meta: EpisodeMeta, t_ns: int) -> None:
        self._command("start", {"meta": meta.model_dump(mode="json")}, t_ns)

    def take(self, stream: str, message: AnyMessage) -> None:
        self._publisher.publish(stream, message)

    def keep(self, outcome: Outcome, success_check: bool | None) -> None:
        self._command("keep", {"outcome": outcome, "success_check": success_check}, self._now_ns())

    def discard(self, reason: str) -> None:
        self._command("discard", {"reason": reason}, self._now_ns())

    def _command(self, reason: str, data: dict[str, Any], t_ns: int) -> None:
        event = Event(t_ns=t_ns, seq=self._seq, kind="session", reason=reason, data=data)
        self._seq += 1
        self._commands.send(SESSION_TOPIC, event)


class ControlNode:
    """One robot under one operator, episode after episode."""

    def __init__(self, config: StationConfig, robot: Robot, publisher: StreamPublisher) -> None:
        self._config = config
        self._robot = robot
        self._publisher = publisher
        self._clock = MonotonicClock()
        self._cameras: tuple[CameraSpec, ...] = ()
        self._seed = int(config.robot.options.get("seed", 0))
        self._ticks = 0

    def run(self, commands: ReliableSender, cameras: Sequence[CameraSpec], limit: int, stop: threading.Event) -> None:
        """Work until `limit` episodes were kept or discarded (0: until `stop`). The robot is left holding."""
        self._cameras = tuple(cameras)
        sink = RemoteSink(self._publisher, commands, self._clock.now_ns)
        session = Session(sink, self._describe, self._judge)
        self._robot.connect()
        try:
            while not stop.is_set() and not _reached(session, limit):
                self._sit(session, commands, limit, stop)
        finally:
            self._robot.hold()
            if session.recording is not None:
                session.discard("the station was stopped in the middle of the episode")
            commands.flush()

    def _sit(self, session: Session, commands: ReliableSender, limit: int, stop: threading.Event) -> None:
        """One operator source from its opening to its end."""
        operator = open_operator(self._config, self._robot, session.take, self._seed)
        loop = TeleopLoop(self._robot, operator, self._config.teleop, self._clock, session.take)
        ended = session.counts.kept + session.counts.discarded
        try:
            while not stop.is_set() and not _reached(session, limit):
                loop.tick()
                session.settle()
                loop.recording = session.recording or ""
                self._keep_in_touch(commands)
                if ended != session.counts.kept + session.counts.discarded:
                    ended = session.counts.kept + session.counts.discarded
                    self._lay_anew()
                if isinstance(operator, Finite) and operator.done:
                    return
                loop.timer.wait()
        finally:
            operator.close()

    def _keep_in_touch(self, commands: ReliableSender) -> None:
        self._ticks += 1
        if self._ticks % 20 == 0:
            commands.poll()

    def _lay_anew(self) -> None:
        if isinstance(self._robot, SceneRobot):
            self._seed += 1
            self._robot.reset(self._seed)

    def _describe(self) -> EpisodeMeta:
        scene = isinstance(self._robot, SceneRobot)
        return describe_episode(
            self._config.name,
            self._config.operator.name,
            self._clock,
            task=task_of(self._robot, self._config),
            robot=self._robot.spec,
            cameras=self._cameras,
            step_rate_hz=self._config.step_rate_hz,
            seed=self._seed if scene else None,
        )

    def _judge(self) -> bool | None:
        return self._robot.success() if isinstance(self._robot, SceneRobot) else None


def open_operator(
    config: StationConfig, robot: Robot, publish: Callable[[str, AnyMessage], None], seed: int
) -> Operator:
    """The operator source from its plug-in, open. Raises OperatorError or PluginError."""
    maker = plugins.load("teleloom.operators", config.operator.source)
    scene = robot if isinstance(robot, Scene) else None
    setting = Setting(MonotonicClock(), config.teleop, publish, scene, seed)
    try:
        operator: Operator = maker(setting, **config.operator.options)
    except TypeError as error:
        raise OperatorError(f"options of operator '{config.operator.source}' cannot be used: {error}") from None
    operator.open()
    return operator


def task_of(robot: Robot, config: StationConfig) -> TaskInfo:
    """What is to be done: as the simulated robot says, else as configured. Raises ConfigError if neither knows."""
    if isinstance(robot, SceneRobot):
        return robot.task_info()
    if config.task is None:
        raise ConfigError("the station has no task; set task.name and task.instructions")
    return config.task


def open_robot(config: StationConfig) -> Robot:
    """The robot from its plug-in, not yet connected. Raises RobotError or PluginError."""
    maker = plugins.load("teleloom.robots", config.robot.driver)
    try:
        robot: Robot = maker(MonotonicClock(), **config.robot.options)
    except TypeError as error:
        raise RobotError(f"options of robot driver '{config.robot.driver}' cannot be used: {error}") from None
    return robot


def _reached(session: Session, limit: int) -> bool:
    return limit > 0 and session.counts.kept + session.counts.discarded >= limit


def work(orders: Orders) -> None:
    """Orders: config, limit. Answers: where the streams are published, what cameras need. Then: recorder, cameras."""
    config = StationConfig.model_validate(orders.first["config"])
    robot = open_robot(config)
    try:
        task_of(robot, config)
        with StreamPublisher() as publisher:
            options = robot.camera_options() if isinstance(robot, SceneRobot) else {}
            orders.answer(streams=publisher.address, camera_options=options)
            rest = orders.next()
            cameras = [CameraSpec.model_validate(spec) for spec in rest["cameras"]]
            orders.watch()
            with ReliableSender(rest["recorder"], config.name) as commands:
                commands.claim(READY_TO_RECORD_S)
                ControlNode(config, robot, publisher).run(commands, cameras, orders.first["limit"], orders.stop)
    finally:
        robot.close()


if __name__ == "__main__":
    run_node(work, (RobotError, OperatorError, PluginError, ConfigError, OSError))
