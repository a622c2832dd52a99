"""Run beside Monado: the simulated Panda, in real time at 200 Hz, driven through the runtime. Prints JSON."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from drive_session import packet_of, vibrations
from monado import PORT, Service, be_prompt
from remote_sender import RemoteSender

from robots.mujoco.station import SimulatedStation
from teleloom import pose
from teleloom.clock import MonotonicClock
from teleloom.messages import AnyMessage, ControlMode, ControlTick, Event, JointCommand, Pose, RobotState, XrFrame
from teleop.config import TeleopConfig
from teleop.loop import TeleopLoop
from teleop.sources.openxr.frames import Rebase
from teleop.sources.openxr.operator import OpenXrConfig, OpenXrOperator

EIGHT = {"period_s": 5.0, "size_m": 0.08, "turn_rad": 0.35}
# Half a period ends where it began, at full speed: faults come while the arm moves, and it stays about where it was.
SWING = {"period_s": 2.0, "size_m": 0.04, "turn_rad": 0.2}
RELEASED, SQUEEZED = {"squeeze": 0.0}, {"squeeze": 1.0}


class RealTimeArm:
    """The station's robot on the machine's clock.

    Physics goes one control period on at every reading: a machine that stalls, stalls the arm with the loop, and the
    figures are the loop's and not the machine's.
    """

    def __init__(self, station: SimulatedStation) -> None:
        self.spec = station.robot.spec
        self.commands: list[tuple[int, JointCommand]] = []
        self._station = station

    def connect(self) -> None:
        self._station.robot.connect()

    def read(self) -> RobotState:
        self._station.step()
        return msgspec.structs.replace(self._station.robot.read(), t_ns=time.monotonic_ns())

    def command(self, command: JointCommand) -> None:
        self._station.robot.command(command)
        self.commands.append((time.monotonic_ns(), command))

    def hold(self) -> None:
        self._station.robot.hold()

    def close(self) -> None:
        self._station.close()


@dataclass(frozen=True)
class Moment:
    """One tick with what it saw. frame: the XrFrame that was new in it, if any."""

    tick: ControlTick
    robot: RobotState
    frame: XrFrame | None
    busy_ns: int


class Rig:
    """Loop, arm and operator, ticked in real time; every tick is kept."""

    def __init__(self, arm: RealTimeArm, config: OpenXrConfig) -> None:
        self.arm = arm
        self.moments: list[Moment] = []
        self.events: list[Event] = []
        self.operator = OpenXrOperator(config, publish=self._keep)
        self.loop = TeleopLoop(arm, self.operator, TeleopConfig(), MonotonicClock(), self._keep)
        self._robot: RobotState | None = None
        self._frame: XrFrame | None = None

    def _keep(self, topic: str, message: AnyMessage) -> None:
        if isinstance(message, RobotState):
            self._robot = message
        elif isinstance(message, XrFrame):
            self._frame = message
        elif isinstance(message, Event):
            self.events.append(message)

    def step(self) -> Moment:
        """One paced tick."""
        self._frame = None
        start = time.perf_counter_ns()
        tick = self.loop.tick()
        busy_ns = time.perf_counter_ns() - start
        assert self._robot is not None
        self.moments.append(Moment(tick, self._robot, self._frame, busy_ns))
        self.loop.timer.wait()
        return self.moments[-1]

    def run(self, seconds: float) -> list[Moment]:
        """The ticks of the next `seconds`."""
        until, first = time.monotonic() + seconds, len(self.moments)
        while time.monotonic() < until:
            self.step()
        return self.moments[first:]

    def until(self, wanted: Callable[[Moment], bool], timeout_s: float = 15.0) -> int:
        """Index of the first new moment that is `wanted`."""
        give_up = time.monotonic() + timeout_s
        while not wanted(self.step()):
            if time.monotonic() > give_up:
                raise RuntimeError(f"did not happen in {timeout_s:g} s; the newest tick is {self.moments[-1]}")
        return len(self.moments) - 1

    def engage(self, sender: RemoteSender) -> int:
        """Release the clutch, squeeze it; the index of the first engaged tick. Again where a stall came between."""
        for _ in range(5):
            self.until_packet(sender.set(right=RELEASED)[0])
            self.run(0.05)
            first = len(self.moments)
            sender.set(right=SQUEEZED)
            self.run(0.15)
            engaged = [i for i in range(first, len(self.moments)) if is_engaged(self.moments[i])]
            if engaged and is_engaged(self.moments[-1]):
                return engaged[0]
        raise RuntimeError(f"the clutch does not engage; the newest tick is {self.moments[-1].tick}")

    def swing(self, sender: RemoteSender) -> int:
        """Engage at HOME and swing for half a period, when the hand is fast; the index of the first engaged tick."""
        for _ in range(5):
            self.until_packet(sender.set(motion=None)[0])
            start = self.engage(sender)
            sender.set(motion=SWING)
            self.run(SWING["period_s"] / 2)
            if is_engaged(self.moments[-1]):
                return start
        raise RuntimeError(f"the arm does not stay engaged; the newest tick is {self.moments[-1].tick}")

    def until_packet(self, seq: int) -> int:
        """Index of the first moment with a frame that shows this packet or a later one."""
        return self.until(lambda m: m.frame is not None and m.frame.left is not None and packet_of(m.frame) >= seq)


def is_engaged(moment: Moment) -> bool:
    return moment.tick.engaged and moment.tick.mode == ControlMode.HUMAN


def is_holding(moment: Moment) -> bool:
    return moment.tick.mode == ControlMode.HOLD


def follow(rig: Rig, service: Service, sender: RemoteSender) -> dict[str, Any]:
    """Figures of eight with rotation: how closely the measured tool follows, how late commands are, how large steps."""
    rig.run(0.5)
    before = rig.moments[-1].tick.q_command
    sender.set(motion=EIGHT)
    unsqueezed = rig.run(0.5)
    rig.until_packet(sender.set(motion=None)[0])
    start = rig.engage(sender)
    sender.set(motion=EIGHT)
    rig.run(2.5 * EIGHT["period_s"])
    moments = rig.moments[start:]
    sent = sender.sent(Path(os.environ["XDG_RUNTIME_DIR"]) / "sent.npy")
    return {
        "moved_without_clutch_rad": largest_move(before, unsqueezed),
        "engaged_throughout": all(map(is_engaged, moments)),
        "interventions": sorted({name for m in moments for name in m.tick.interventions}),
        "late_ms": rig.loop.timer.report().worst_late_ms,
        "path_m": float(np.ptp([m.robot.ee_pose[:3] for m in moments], axis=0).max()),
        "turn_deg": math.degrees(
            2.0 * max(pose.distance(moments[0].robot.ee_pose, m.robot.ee_pose)[1] for m in moments)
        ),
        **tracking(moments, sent),
        **latency(rig, moments, sent),
        **excess(rig),
    }


def tracking(moments: list[Moment], sent: np.ndarray) -> dict[str, float]:
    """RMS distance of the measured tool from where the clutch should take it, at the delay that fits best."""
    times, targets = expected(moments[0], sent)
    settled = moments[0].tick.t_ns + 1_500_000_000
    kept = [m for m in moments if m.tick.t_ns > settled]
    at = np.array([m.robot.t_ns for m in kept])
    reached = np.array([as_vector(moments[0].robot.ee_pose, m.robot.ee_pose) for m in kept])
    best = {"delay_ms": math.inf, "rms_mm": math.inf, "rms_deg": math.inf}
    for delay_ms in np.arange(0.0, 150.0, 1.0):
        wanted = np.stack([np.interp(at - delay_ms * 1e6, times, column) for column in targets.T], axis=1)
        error = np.sqrt(np.mean((reached - wanted) ** 2, axis=0))
        rms_mm, rms_deg = 1e3 * float(np.linalg.norm(error[:3])), math.degrees(float(np.linalg.norm(error[3:])))
        if rms_mm < best["rms_mm"]:
            best = {"delay_ms": float(delay_ms), "rms_mm": rms_mm, "rms_deg": rms_deg}
    return best


def expected(engaged: Moment, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Send times (N,) and what the tool should do (N, 6), as offset and rotation vector from where it engaged."""
    rebase = Rebase()
    hands = [rebase.pose(tuple(row[2:])) for row in sent]
    assert engaged.frame is not None
    origin = hands[packet_of(engaged.frame)]
    turns = np.array([pose.rotation_between(origin[3:], hand[3:]) for hand in hands])
    return sent[:, 1], np.hstack([np.array(hands)[:, :3] - origin[:3], turns])


def as_vector(home: Pose, reached: Pose) -> np.ndarray:
    return np.concatenate([np.subtract(reached[:3], home[:3]), pose.rotation_between(home[3:], reached[3:])])


def latency(rig: Rig, moments: list[Moment], sent: np.ndarray) -> dict[str, float]:
    """From a packet's sending, and from its locating, to the end of the first `robot.command` that knows it; ms."""
    sent_ns = dict(zip(sent[:, 0].astype(int), sent[:, 1].astype(int), strict=True))
    commanded = {command.seq: t_ns for t_ns, command in rig.arm.commands}
    from_send, from_locate, seen = [], [], -1
    for moment in moments:
        t_ns = commanded.get(moment.tick.seq)
        if moment.frame is None or t_ns is None or packet_of(moment.frame) <= seen:
            continue
        seen = packet_of(moment.frame)
        from_send.append((t_ns - sent_ns[seen]) / 1e6)
        from_locate.append((t_ns - moment.frame.t_ns) / 1e6)
    busy = [m.busy_ns / 1e6 for m in moments]
    ticks = np.diff([m.tick.t_ns for m in moments]) / 1e6
    figures = {"send_to_command": from_send, "locate_to_command": from_locate, "tick": busy, "period": ticks}
    return {f"{name}_p{p}_ms": float(np.percentile(v, p)) for name, v in figures.items() for p in (50, 99)}


def excess(rig: Rig) -> dict[str, float]:
    """The largest share of each joint limit that any command used."""
    spec, rate = rig.arm.spec, TeleopConfig().rate_hz
    q = np.array([command.q for _, command in rig.arm.commands])
    dq = np.array([command.dq for _, command in rig.arm.commands])
    # Where ticks lie between two commands the robot was told to hold, and stood by itself.
    follows = np.diff([command.seq for _, command in rig.arm.commands]) == 1
    return {
        "step_share": float(np.max(np.abs(np.diff(q, axis=0))[follows] * rate / spec.dq_max)),
        "velocity_share": float(np.max(np.abs(dq) / spec.dq_max)),
        "acceleration_share": float(np.max(np.abs(np.diff(dq, axis=0))[follows] * rate / spec.ddq_max)),
        "inside": bool((q >= spec.q_min).all() and (q <= spec.q_max).all()),
    }


def largest_move(q: tuple[float, ...], moments: list[Moment]) -> float:
    """How far any joint's command went from `q` in these ticks, rad."""
    return float(max(np.max(np.abs(np.subtract(m.tick.q_command, q))) for m in moments))


def hold_and_refuse(rig: Rig, sender: RemoteSender, says_so: int) -> dict[str, Any]:
    """After a fault that tick `says_so` was told of: how soon the hold, and what a clutch kept squeezed does then."""
    holds = next(i for i in range(says_so, len(rig.moments) + 1) if i == len(rig.moments) or is_holding(rig.moments[i]))
    rig.run(0.5)
    stopped = rig.moments[-1].tick.q_command
    sender.set(right={"active": True}, sending=True, motion=SWING)
    refused = rig.run(1.0)
    moved = largest_move(stopped, refused)
    again = rig.swing(sender)
    return {
        "ticks_to_hold": holds - says_so,
        "refused_throughout": all(map(is_holding, refused)),
        "interventions": sorted({name for m in refused for name in m.tick.interventions}),
        "moved_while_refused_rad": moved,
        "moved_after_squeeze_rad": largest_move(rig.moments[again].tick.q_command, rig.moments[again:]),
        "jump_at_squeeze_rad": largest_move(stopped, rig.moments[again : again + 1]),
    }


def faults(rig: Rig, service: Service, sender: RemoteSender) -> dict[str, Any]:
    """In full motion: the controller goes inactive; the sender freezes, three times; the runtime is killed."""
    result: dict[str, Any] = {}
    rig.swing(sender)
    sender.set(right={"active": False})
    says_so = rig.until(lambda m: m.frame is not None and m.frame.right is not None and not m.frame.right.active)
    rig.run(0.05)
    result["inactive"] = hold_and_refuse(rig, sender, says_so)

    result["freeze_to_hold_ms"] = []
    for _ in range(3):
        rig.swing(sender)
        _, last_ns = sender.set(sending=False)
        says_so = rig.until(is_holding)
        result["freeze_to_hold_ms"].append((rig.moments[says_so].tick.t_ns - last_ns) / 1e6)
        result["frozen"] = hold_and_refuse(rig, sender, says_so)

    rig.swing(sender)
    killed_ns = time.monotonic_ns()
    service.kill()
    says_so = rig.until(is_holding)
    result["kill_to_hold_ms"] = (rig.moments[says_so].tick.t_ns - killed_ns) / 1e6
    rig.run(0.5)
    service.start()
    with RemoteSender(PORT) as again:
        again.set(right=SQUEEZED)
        result["killed"] = hold_and_refuse(rig, again, says_so)
    result["vibrations"] = vibrations()
    result["events"] = [event.reason for event in rig.events if event.kind == "operator"]
    return {**result, **excess(rig)}


def main() -> None:
    be_prompt()
    scenario = {"follow": follow, "faults": faults}[sys.argv[1]]
    station = SimulatedStation("panda", cameras=())
    arm = RealTimeArm(station)
    config = OpenXrConfig.model_validate_json(sys.argv[2] if len(sys.argv) > 2 else '{"reconnect_s": 0.2}')
    with Service() as service, RemoteSender(PORT) as sender:
        sender.set()
        rig = Rig(arm, config)
        rig.arm.connect()
        rig.operator.open()
        try:
            result = scenario(rig, service, sender)
        finally:
            rig.operator.close()
            rig.arm.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
