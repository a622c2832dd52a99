"""A real station: its nodes started, watched and ended together."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from station.config import PluginConfig, StationConfig
from station.nodes import topics
from station.nodes.process import Node, NodeError
from teleloom.bus.zmq import LatestSubscriber, StreamSubscriber
from teleloom.messages import ControlTick, Event

logger = logging.getLogger(__name__)

ANY_PORT = "tcp://127.0.0.1:*"


class LiveStation:
    """The nodes of a station from start to end: a context manager.

    limit: episodes after which control ends by itself, 0 for none. A camera that dies is started again; without
    recorder or control there is no station, and `watch` raises NodeError.
    """

    def __init__(self, config: StationConfig, root: Path, limit: int = 0) -> None:
        self.config = config
        self.root = root
        self.recovered: list[dict[str, Any]] = []
        self.camera_restarts = dict.fromkeys(config.cameras, 0)
        self._limit = limit
        self._stack = ExitStack()
        self._cameras: dict[str, Node] = {}
        self._addresses: dict[str, str] = {}
        self._camera_options: dict[str, Any] = {}

    def __enter__(self) -> Self:
        with ExitStack() as started:
            self._start(started)
            self._stack = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def watch(self) -> bool:
        """Look after the nodes; False once control has done what it was asked to. Raises NodeError."""
        for name, node in self._cameras.items():
            if node.exit_code is not None:
                self._restart(name)
        if self._recorder.exit_code is not None:
            raise NodeError(
                f"the recorder: {self._recorder.fault()}; run `teleloom recover {self.root}` for the episode that was "
                "being recorded"
            )
        if self._control.exit_code not in (None, 0):
            raise NodeError(f"control: {self._control.fault()}")
        return self._control.exit_code is None

    def emergency_stop(self, stopped: bool) -> None:
        """Latch the emergency stop, or clear it. The arm moves again only after the clutch was let go and squeezed."""
        self._control.tell({"emergency_stop": stopped})

    def newest_tick(self) -> ControlTick | None:
        """The newest control tick since the last call."""
        tick = self._ticks.poll().get("tick")
        return tick if isinstance(tick, ControlTick) else None

    def reports(self) -> list[Event]:
        """What the recorder reported since the last call."""
        found = []
        while (received := self._reports.receive()) is not None:
            if isinstance(received[1], Event):
                found.append(received[1])
        return found

    def camera_pid(self, name: str) -> int:
        """The process of a camera's node."""
        return self._cameras[name].pid

    def finish(self) -> None:
        """End control and cameras, so that the recorder has all there will ever be, then the recorder."""
        self._control.close()
        for node in self._cameras.values():
            node.close()
        self._recorder.close()

    def _start(self, stack: ExitStack) -> None:
        config = self.config.model_dump(mode="json")
        self._control = stack.enter_context(
            Node("control", "station.nodes.control", {"config": config, "limit": self._limit})
        )
        answer = self._control.ready()
        self._camera_options = answer["camera_options"]
        for name in self.config.cameras:
            self._cameras[name] = stack.enter_context(self._camera(name, ANY_PORT))
        specs = [self._await_camera(name) for name in self._cameras]
        streams = [answer["streams"], *self._addresses.values()]
        orders = {"root": str(self.root), "config": config["recorder"], "streams": streams}
        self._recorder = Node("recorder", "station.nodes.recorder", orders)
        stack.callback(self.finish)
        recorder = self._recorder.ready()
        self.recovered = recorder["recovered"]
        self._ticks = stack.enter_context(LatestSubscriber(answer["streams"], ("tick",)))
        self._reports = stack.enter_context(StreamSubscriber(recorder["reports"], (topics.REPORT,)))
        self._control.tell({"recorder": recorder["commands"], "reports": recorder["reports"], "cameras": specs})

    def _camera(self, name: str, address: str) -> Node:
        plugin: PluginConfig = self.config.cameras[name]
        shared = self._camera_options if plugin.driver == self.config.robot.driver else {}
        orders = {
            "name": name,
            "driver": plugin.driver,
            "options": {**shared, **plugin.options},
            "address": address,
        }
        return Node(f"camera '{name}'", "station.nodes.camera", orders)

    def _await_camera(self, name: str) -> dict[str, Any]:
        answer = self._cameras[name].ready()
        self._addresses[name] = answer["address"]
        spec: dict[str, Any] = answer["spec"]
        return spec

    def _restart(self, name: str) -> None:
        self.camera_restarts[name] += 1
        logger.warning("camera '%s' ended with code %s; starting it again", name, self._cameras[name].exit_code)
        self._cameras[name].close()
        self._cameras[name] = self._camera(name, self._addresses[name])
