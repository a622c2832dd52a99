"""The camera node: one camera, read and published by a process of its own."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from robots.contract import Camera, CameraError
from station.nodes.process import Orders, run_node
from teleloom import plugins
from teleloom.bus.zmq import StreamPublisher
from teleloom.clock import MonotonicClock
from teleloom.plugins import PluginError

IDLE_S = 0.001


def work(orders: Orders) -> None:
    """Orders: name, driver, options, address. Answers: the camera's spec and where its frames are published."""
    given = orders.first
    camera = open_camera(given["name"], given["driver"], given["options"])
    with StreamPublisher(given["address"]) as publisher:
        orders.answer(spec=camera.spec.model_dump(mode="json"), address=publisher.address)
        orders.watch()
        try:
            while not orders.stop.is_set():
                frame = camera.read()
                if frame is None:
                    time.sleep(IDLE_S)
                    continue
                publisher.publish(f"cameras/{given['name']}", msgspec.structs.replace(frame, camera=given["name"]))
        finally:
            camera.close()


def open_camera(name: str, driver: str, options: dict[str, Any]) -> Camera:
    """The camera `name` from its plug-in, open. Raises CameraError or PluginError."""
    maker = plugins.load("teleloom.cameras", driver)
    try:
        camera: Camera = maker(MonotonicClock(), name=name, **options)
    except TypeError as error:
        raise CameraError(f"camera '{name}': options of driver '{driver}' cannot be used: {error}") from None
    camera.open()
    return camera


if __name__ == "__main__":
    run_node(work, (CameraError, PluginError))
