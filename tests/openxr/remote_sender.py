"""A headset and two controllers for Monado's `remote` driver: poses and buttons sent over TCP, as from a device.

`RemoteSender` starts this file as a process of its own, so that its pace does not hang on the process under test, and
steers it with one JSON object a line. Poses are OpenXR's (y up, -z forward). The left controller's x position counts
the packets: whoever locates it knows which packet it came from.
"""

from __future__ import annotations

import json
import math
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from teleloom import pose

HEADER = b"mndrmt3\0"
LAYOUT = struct.Struct("<8s" + "11fI" * 2 + "7f4?" + "26f16?" * 2)
VIEW = (0.8, -0.8, 0.8, -0.8, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0)
# Not the rate at which the runtime is looked at: the two drift through every phase, as with a real headset.
RATE_HZ = 88.0
HOME = (0.2, 1.1, -0.4, 0.0, 0.0, 0.0, 1.0)
SENSOR_NOISE_M = 2e-6
CONTROLS: dict[str, float] = {"squeeze": 0.0, "trigger": 0.0, "stick_x": 0.0, "stick_y": 0.0, "a": 0.0, "b": 0.0}

assert LAYOUT.size == 376


def figure_eight(t_s: float, period_s: float, size_m: float, turn_rad: float) -> pose.Array:
    """Pose (7,) of a hand `t_s` into figures of eight with rotation, starting and resting at HOME for t_s <= 0.

    The eight stands upright across the operator's view, leans towards them, and the hand turns about a tilted axis;
    the first second swells from rest.
    """
    if t_s <= 0.0:
        return np.asarray(HOME)
    swell = min(t_s, 1.0) ** 2 * (3.0 - 2.0 * min(t_s, 1.0))
    phase = 2.0 * math.pi * t_s / period_s
    offset = swell * size_m * np.array([math.sin(phase), 0.5 * math.sin(2.0 * phase), 0.3 * math.sin(phase)])
    turn = pose.quat_from_rotvec(swell * turn_rad * math.sin(phase) * np.array([0.48, 0.6, 0.64]))
    return pose.make(np.asarray(HOME[:3]) + offset, pose.quat_multiply(turn, HOME[3:]))


def packet(left: dict[str, Any], right: dict[str, Any]) -> bytes:
    """The 376 bytes of one packet; a hand is {pose, active, linear, angular} and the CONTROLS."""
    head = (0.0, 0.0, 0.0, 1.0, 0.0, 1.6, 0.0)
    return LAYOUT.pack(HEADER, *VIEW, *VIEW, *head, True, True, True, True, *_controller(left), *_controller(right))


def _controller(hand: dict[str, Any]) -> list[float | bool]:
    x, y, z, qx, qy, qz, qw = hand["pose"]
    velocity = [*hand.get("linear", (0.0, 0.0, 0.0)), *hand.get("angular", (0.0, 0.0, 0.0))]
    squeeze, stick = hand["squeeze"], (hand["stick_x"], hand["stick_y"])
    analogue = [*[0.0] * 5, hand["trigger"], squeeze, squeeze, *stick, 0.0, 0.0, 0.0]
    a, b = hand["a"] > 0.5, hand["b"] > 0.5
    digital = [False, hand["active"], False, False, a, a, b, b, hand["trigger"] > 0.5, hand["trigger"] > 0.0]
    return [qx, qy, qz, qw, x, y, z, *velocity, *analogue, *digital, False, False, False, False, False, False]


class RemoteSender:
    """Steers the sending process. Every change returns (first packet with it, its send time in ns)."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [os.environ["MONADO_HOST_PYTHON"], __file__, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def set(self, **change: Any) -> tuple[int, int]:
        """Change what is sent: right={...}, left={...}, motion={period_s, size_m, turn_rad} | None, sending=bool.

        With sending=False the answer is the last packet that was sent.
        """
        answer = self._ask(change)
        return answer["seq"], answer["t_ns"]

    def sent(self, path: Path) -> np.ndarray:
        """Everything sent so far, (N, 9): packet number, send time ns, right hand's pose."""
        self._ask({"dump": str(path)})
        return np.load(path)

    def close(self) -> None:
        """Close the connection and end the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=5)

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the remote sender died; its error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> RemoteSender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Sending:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._noise = random.Random(1)
        self._hands = {hand: {"pose": HOME, "active": True, **CONTROLS, "squeeze": 0.0} for hand in ("left", "right")}
        self._motion: dict[str, float] | None = None
        self._motion_start_ns = 0
        self._is_sending = True
        self._log: list[list[float]] = []
        self._seq = 0

    def run(self) -> None:
        period = 1.0 / RATE_HZ
        due = time.monotonic()
        unanswered = False
        pending = ""
        while True:
            if self._is_sending:
                self._send()
            if unanswered:
                self._answer()
                unanswered = False
            due = max(due + period, time.monotonic())
            while (wait := due - time.monotonic()) > 0:
                if select.select([sys.stdin], [], [], wait)[0]:
                    data = os.read(sys.stdin.fileno(), 65536).decode()
                    if not data:
                        return
                    pending += data
                    while "\n" in pending:
                        line, pending = pending.split("\n", 1)
                        unanswered = self._apply(json.loads(line)) or unanswered

    def _apply(self, change: dict[str, Any]) -> bool:
        """Whether the answer waits for the first packet with the change."""
        for hand in ("left", "right"):
            self._hands[hand].update(change.get(hand, {}))
        if "motion" in change:
            self._motion = change["motion"]
            self._motion_start_ns = time.monotonic_ns()
        self._is_sending = change.get("sending", self._is_sending)
        if "dump" in change:
            np.save(change["dump"], np.asarray(self._log))
        if not self._is_sending or "dump" in change:
            self._answer()
            return False
        return True

    def _answer(self) -> None:
        seq, t_ns = (int(self._log[-1][0]), int(self._log[-1][1])) if self._log else (-1, 0)
        print(json.dumps({"seq": seq, "t_ns": t_ns}), flush=True)

    def _send(self) -> None:
        t_ns = time.monotonic_ns()
        right = dict(self._hands["right"])
        if self._motion is not None:
            right["pose"] = figure_eight((t_ns - self._motion_start_ns) / 1e9, **self._motion).tolist()
        right["pose"] = [
            p + self._noise.gauss(0.0, SENSOR_NOISE_M) if i < 3 else p for i, p in enumerate(right["pose"])
        ]
        left = {**self._hands["left"], "pose": (float(self._seq), *self._hands["left"]["pose"][1:])}
        self._connection.sendall(packet(left, right))
        self._log.append([self._seq, t_ns, *right["pose"]])
        self._seq += 1


def main() -> None:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _Sending(connection).run()


if __name__ == "__main__":
    main()
