"""A robot that does at once what it is told, and an operator that plays given frames: real parts without dynamics."""

from __future__ import annotations

from pathlib import Path

import robots.mujoco
from teleloom.clock import NS_PER_S, VirtualClock
from teleloom.messages import AnyMessage, Controller, JointCommand, Pose, RobotState, XrFrame
from teleloom.specs import RobotSpec
from teleop.config import TeleopConfig
from teleop.kinematics import Kinematics
from teleop.loop import TeleopLoop
from teleop.operator import HapticPattern, Hud

PANDA = RobotSpec(
    name="panda",
    joint_names=tuple(f"joint{i}" for i in range(1, 8)),
    q_min=(-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973),
    q_max=(2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973),
    dq_max=(2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61),
    ddq_max=(15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0),
    effort_max=(87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0),
    home_q=(0.0, -0.5, 0.0, -2.2, 0.0, 1.7, 0.785398),
    rate_hz=200.0,
    model=(Path(robots.mujoco.__file__).parent / "models" / "panda.xml").read_text(encoding="utf-8"),
)


class IdealRobot:
    """Follows every command exactly and remembers all of them.

    holds: how often it was told to hold; hard_stops: how often of these it was still moving.
    """

    def __init__(self, clock: VirtualClock, spec: RobotSpec = PANDA) -> None:
        self.spec = spec
        self.commands: list[JointCommand] = []
        self.holds = 0
        self.hard_stops = 0
        self.effort = (0.0,) * len(spec.home_q)
        self.offset = 0.0
        self._clock = clock
        self._kinematics = Kinematics(spec)
        self._q = spec.home_q
        self._dq = (0.0,) * len(spec.home_q)
        self._gripper = 1.0
        self._seq = 0

    def connect(self) -> None: ...

    def read(self) -> RobotState:
        self._seq += 1
        return RobotState(
            t_ns=self._clock.now_ns(),
            seq=self._seq,
            q=tuple(value + self.offset for value in self._q),
            dq=self._dq,
            effort=self.effort,
            ee_pose=self._kinematics.pose_at(self._q),
            gripper=self._gripper,
        )

    def command(self, command: JointCommand) -> None:
        self.commands.append(command)
        self._q, self._dq, self._gripper = command.q, command.dq, command.gripper

    def hold(self) -> None:
        self.holds += 1
        self.hard_stops += any(self._dq)
        self._dq = (0.0,) * len(self._q)

    def close(self) -> None: ...


class FramePlayer:
    """An operator whose next frame is put in by the test. felt, seen: the feedback that came back."""

    def __init__(self) -> None:
        self.next: XrFrame | None = None
        self.felt: list[HapticPattern] = []
        self.seen: list[Hud] = []

    def open(self) -> None: ...

    def poll(self) -> XrFrame | None:
        frame, self.next = self.next, None
        return frame

    def feedback(self, haptics: HapticPattern, hud: Hud) -> None:
        self.felt.append(haptics)
        self.seen.append(hud)

    def close(self) -> None: ...


class Bench:
    """The real loop on an ideal robot and a virtual clock. messages: what it published, in order."""

    def __init__(self, config: TeleopConfig | None = None, spec: RobotSpec = PANDA) -> None:
        self.config = config or TeleopConfig()
        self.clock = VirtualClock(start_ns=NS_PER_S)
        self.robot = IdealRobot(self.clock, spec)
        self.operator = FramePlayer()
        self.messages: list[tuple[str, AnyMessage]] = []
        self.loop = TeleopLoop(
            self.robot, self.operator, self.config, self.clock, lambda topic, m: self.messages.append((topic, m))
        )
        self._seq = 0

    def frame(self, pose: Pose | None, squeeze: float, age_s: float = 0.0, **hand: object) -> XrFrame:
        """A frame of the right hand, true `age_s` ago."""
        self._seq += 1
        right = None if pose is None else Controller(pose=pose, squeeze=squeeze, **hand)  # type: ignore[arg-type]
        return XrFrame(t_ns=self.clock.now_ns() - round(age_s * NS_PER_S), seq=self._seq, right=right)

    def tick(self, frame: XrFrame | None = None):
        """One tick, then one period of time."""
        self.operator.next = frame
        tick = self.loop.tick()
        self.clock.sleep_until(self.clock.now_ns() + round(NS_PER_S / self.config.rate_hz))
        return tick

    def show(self, pose: Pose, squeeze: float, ticks: int = 1):
        """Several ticks with a fresh frame of this hand in each; the last tick."""
        return [self.tick(self.frame(pose, squeeze)) for _ in range(ticks)][-1]

    def engage(self, pose: Pose) -> None:
        """Release, then squeeze."""
        self.show(pose, 0.0)
        assert self.show(pose, 1.0).engaged

    def events(self, kind: str) -> list[str]:
        """The reasons of the events of this kind so far."""
        return [m.reason for topic, m in self.messages if topic == "events" and m.kind == kind]  # type: ignore[union-attr]
