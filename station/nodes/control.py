"""The control node: the robot, the operator and the loop between them, and the session that their buttons run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from robots.contract import Robot, RobotError
from station.config import StationConfig
from station.description import describe_episode
from station.nodes import topics
from station.nodes.process import Orders, run_node
from station.session import Session, Witness
from teleloom import plugins
from teleloom.bus.zmq import ReliableSender, StreamPublisher, StreamSubscriber
from teleloom.clock import MonotonicClock
from teleloom.config import ConfigError
from teleloom.episode.meta import EpisodeMeta, Outcome, TaskInfo
from teleloom.messages import AnyMessage, Event
from teleloom.plugins import PluginError
from teleloom.specs import CameraSpec
from teleop.loop import TeleopLoop
from teleop.operator import HapticPattern, Hud, Operator, OperatorError
from teleop.sources.makers import Scene, Setting

logger = logging.getLogger(__name__)

READY_TO_RECORD_S = 10.0
LISTEN_EVERY_TICKS = 20
RECORDER_NEWS = {
    "began": "recording",
    "stopped": "kept",
    "discarded": "discarded",
    "refused": "NOT recording: {reason}",
}
"""What the operator reads when the recorder reports something."""


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
class Witnessed(Protocol):
    """A robot that can tell of the scene around it."""

    @property
    def witness(self) -> Witness:
        """Who tells."""
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
        self._commands.send(topics.SESSION, event)


class ControlNode:
    """One robot under one operator, episode after episode."""

    def __init__(
        self, config: StationConfig, robot: Robot, publisher: StreamPublisher, reports: StreamSubscriber
    ) -> None:
        self._reports = reports
        self._loop: TeleopLoop | None = None
        self._stopped = False
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
        witness = self._robot.witness if isinstance(self._robot, Witnessed) else None
        session = Session(sink, self._describe, self._judge, witness)
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
        for warning in loop.warnings:
            logger.warning("%s", warning)
        if self._stopped:
            loop.stop_now()
        self._loop = loop
        ended = session.counts.ended
        try:
            while not stop.is_set() and not _reached(session, limit):
                loop.tick()
                session.settle()
                if self._is_time_to_listen():
                    commands.poll()
                    self._hear_recorder(session, operator, loop)
                if ended != session.counts.ended:
                    ended = session.counts.ended
                    self._lay_anew()
                if isinstance(operator, Finite) and operator.done:
                    return
                loop.timer.wait()
        finally:
            operator.close()

    def obey(self, order: dict[str, Any]) -> None:
        """An order from the station's terminal, in a thread of its own: `{"emergency_stop": true or false}`."""
        self._stopped = bool(order.get("emergency_stop", self._stopped))
        if self._loop is None:
            return
        if self._stopped:
            self._loop.stop_now()
        else:
            self._loop.clear_stop()

    def _is_time_to_listen(self) -> bool:
        self._ticks += 1
        return self._ticks % LISTEN_EVERY_TICKS == 0

    def _hear_recorder(self, session: Session, operator: Operator, loop: TeleopLoop) -> None:
        """Let the operator feel that an episode began or ended, or that it did not, and why."""
        while (received := self._reports.receive()) is not None:
            report = received[1]
            if not isinstance(report, Event) or report.kind not in RECORDER_NEWS:
                continue
            if report.kind == "refused":
                session.refuse()
            loop.recording = RECORDER_NEWS[report.kind].format(reason=report.reason)
            pattern = HapticPattern.FAULT if report.kind == "refused" else HapticPattern.RECORDING
            operator.feedback(pattern, Hud(recording=loop.recording))

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
    return 0 < limit <= session.counts.ended


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
            with (
                ReliableSender(rest["recorder"], config.name) as commands,
                StreamSubscriber(rest["reports"], (topics.REPORT,)) as reports,
            ):
                commands.claim(READY_TO_RECORD_S)
                node = ControlNode(config, robot, publisher, reports)
                orders.watch(node.obey)
                node.run(commands, cameras, orders.first["limit"], orders.stop)
    finally:
        robot.close()


if __name__ == "__main__":
    run_node(work, (RobotError, OperatorError, PluginError, ConfigError, OSError))
