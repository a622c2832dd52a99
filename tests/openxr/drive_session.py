"""Run beside Monado: what OpenXrOperator makes of a real runtime's poses, controls, faults and end. Prints JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monado import PORT, Service, be_prompt
from remote_sender import RemoteSender

from teleloom.messages import AnyMessage, Event, XrFrame
from teleop.operator import HapticPattern, Hud, OperatorError
from teleop.sources.openxr.operator import OpenXrConfig, OpenXrOperator

HAND = {
    "pose": [0.1, 1.8, -0.3, 0.0, 0.7071067811865476, 0.0, 0.7071067811865476],
    "linear": [0.1, 0.2, 0.3],
    "angular": [0.4, 0.5, 0.6],
    "squeeze": 0.5,
    "trigger": 0.25,
    "stick_x": 0.3,
    "stick_y": -0.4,
    "a": 1,
}


class Watcher:
    """Polls an operator as a control loop does and keeps what came."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.operator = OpenXrOperator(OpenXrConfig(reconnect_s=0.2), publish=self._keep)
        self.frames: list[XrFrame] = []

    def until(self, wanted: Callable[[XrFrame], bool], timeout_s: float = 10.0) -> XrFrame:
        """The first frame that is `wanted`."""
        give_up = time.monotonic() + timeout_s
        while time.monotonic() < give_up:
            frame = self.operator.poll()
            if frame is not None:
                self.frames.append(frame)
                if wanted(frame):
                    return frame
            time.sleep(0.001)
        raise RuntimeError(f"no such frame in {timeout_s:g} s; the newest is {self.frames[-1:]}")

    def until_packet(self, seq: int) -> XrFrame:
        """The first frame that shows this packet of the sender's or a later one."""
        return self.until(lambda frame: frame.left is not None and packet_of(frame) >= seq and frame.left.active)

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events]

    def _keep(self, topic: str, message: AnyMessage) -> None:
        if topic == "events" and isinstance(message, Event):
            self.events.append(message)


def packet_of(frame: XrFrame) -> int:
    """Which packet the sender's left hand counted."""
    assert frame.left is not None
    return round(-frame.left.pose[1])


def hand(frame: XrFrame) -> dict[str, Any]:
    """The right hand of a frame, as plain values."""
    assert frame.right is not None
    return {name: getattr(frame.right, name) for name in frame.right.__struct_fields__}


def is_tracked(frame: XrFrame) -> bool:
    return frame.right is not None and frame.right.active and frame.right.tracked


def controls(watcher: Watcher, service: Service, sender: RemoteSender) -> dict[str, Any]:
    """Poses and controls; a controller that is switched off; recentring; a sender that freezes, three times."""
    home = watcher.until_packet(sender.set()[0])
    watcher.until_packet(sender.set(right=HAND)[0])
    # A frame may have the pose of a packet, and the next one its buttons.
    moved = watcher.until(lambda frame: is_tracked(frame) and hand(frame)["trigger"] > 0.0)
    sender.set(right={"active": False})
    inactive = watcher.until(lambda frame: frame.right is not None and not frame.right.active)
    watcher.until_packet(sender.set(right={"active": True})[0])

    watcher.frames.clear()
    service.control("-c")
    recentred = watcher.until(lambda frame: not is_tracked(frame))
    after = watcher.until(is_tracked)

    frozen_ms = []
    for _ in range(3):
        _, last_ns = sender.set(sending=False)
        frozen = watcher.until(lambda frame: not is_tracked(frame))
        frozen_ms.append((frozen.t_ns - last_ns) / 1e6)
        watcher.until_packet(sender.set(sending=True)[0])
        watcher.until(is_tracked)
    gaps = [after.t_ns - before.t_ns for before, after in zip(watcher.frames, watcher.frames[1:], strict=False)]
    return {
        "home": hand(home),
        "moved": hand(moved),
        "inactive": hand(inactive),
        "recentred": hand(recentred),
        "frames_to_recover": after.seq - recentred.seq,
        "frozen_ms": frozen_ms,
        "median_gap_ms": sorted(gaps)[len(gaps) // 2] / 1e6,
        "events": watcher.reasons(),
    }


def lifecycle(watcher: Watcher, service: Service, sender: RemoteSender) -> dict[str, Any]:
    """Haptics seen by the runtime; a second session refused; the service killed and back; closed and opened again."""
    watcher.until(is_tracked)
    watcher.operator.feedback(HapticPattern.FAULT, Hud())
    for _ in range(50):
        watcher.operator.feedback(HapticPattern.RECORDING, Hud())
        time.sleep(0.01)
    try:
        OpenXrOperator().open()
        second = ""
    except OperatorError as error:
        second = str(error)

    service.kill()
    lost = watcher.until(lambda frame: not is_tracked(frame))
    while "lost" not in watcher.reasons():
        lost = watcher.operator.poll() or lost
        time.sleep(0.001)
    silent_from = time.monotonic()
    while time.monotonic() - silent_from < 0.5:
        assert watcher.operator.poll() is None, "frames from a runtime that is dead"
        time.sleep(0.01)
    service.start()
    with RemoteSender(PORT):
        back = watcher.until(is_tracked)
    reasons = watcher.reasons()
    watcher.operator.close()
    watcher.operator.close()
    watcher.operator.open()
    return {
        "second": second,
        "lost": hand(lost),
        "back": hand(back),
        "seq_goes_on": back.seq > lost.seq,
        "events": reasons,
        "vibrations": vibrations(),
    }


def vibrations() -> dict[str, int]:
    """How often each vibration, as "hand's path: duration ms at amplitude", went to the runtime by its API dump."""
    counted: Counter[str] = Counter()
    dump = Path(os.environ["XR_API_DUMP_FILE_NAME"]).read_text(errors="replace")
    for call in dump.split("XrResult ")[1:]:
        if call.startswith("xrApplyHapticFeedback"):
            fields = dict(line.split("->")[-1].split(" = ") for line in call.splitlines() if "->" in line)
            ms = int(fields["duration"]) // 1_000_000
            counted[f"{fields['subactionPath']}: {ms} ms at {float(fields['amplitude']):.1f}"] += 1
    return counted


def main() -> None:
    be_prompt()
    scenario = {"controls": controls, "lifecycle": lifecycle}[sys.argv[1]]
    watcher = Watcher()
    with Service() as service, RemoteSender(PORT) as sender:
        sender.set()
        watcher.operator.open()
        try:
            result = scenario(watcher, service, sender)
        finally:
            watcher.operator.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
