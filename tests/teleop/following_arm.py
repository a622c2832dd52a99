"""An arm without physics for tests of the operator: a clutch, and a tool that lags behind the hand a little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from robots.mujoco.tasks.waypoint import Look, View, Waypoint
from teleloom import pose
from teleloom.clock import NS_PER_S, VirtualClock
from teleloom.messages import XrFrame
from teleop.sources.scripted.habits import ScriptedOperatorConfig
from teleop.sources.scripted.operator import ScriptedOperator

HOME = np.array([0.45, 0.0, 0.30, 1.0, 0.0, 0.0, 0.0])
ENGAGE, RELEASE = 0.7, 0.3
LAG = 0.15
POLL_HZ = 180
"""Polls per second: twice the rate of frames, so that no frame is missed."""


@dataclass
class FollowingArm:
    """The tool goes where the hand has moved since the clutch closed, LAG of the way per frame."""

    tool: np.ndarray = field(default_factory=HOME.copy)
    gripper: float = 1.0
    success: bool = True
    anchor: tuple[np.ndarray, np.ndarray] | None = None

    def look(self) -> View:
        return View(self.tool.copy(), self.gripper, {}, self.success)

    def follow(self, frame: XrFrame) -> None:
        hand = frame.right
        assert hand is not None
        if self.anchor is None and hand.squeeze > ENGAGE:
            self.anchor = (np.array(hand.pose), self.tool.copy())
        elif hand.squeeze < RELEASE:
            self.anchor = None
        if self.anchor is not None:
            origin, home = self.anchor
            turn = pose.rotation_between(origin[3:], hand.pose[3:])
            moved = np.array(hand.pose[:3]) - origin[:3]
            target = pose.make(home[:3] + moved, pose.quat_multiply(pose.quat_from_rotvec(turn), home[3:]))
            self.tool = pose.interpolate(self.tool, target, LAG)
            self.gripper = 1.0 - hand.trigger


@dataclass
class Sitting:
    """One episode with a FollowingArm: the frames, and the tool and label of the operator at each."""

    operator: ScriptedOperator
    frames: list[XrFrame] = field(default_factory=list)
    tools: list[np.ndarray] = field(default_factory=list)
    doing: list[str] = field(default_factory=list)

    def hand(self, name: str) -> np.ndarray:
        return np.array([getattr(frame.right, name) for frame in self.frames])


def sit(
    waypoints: list[Waypoint],
    seed: int = 0,
    arm: FollowingArm | None = None,
    meddle: Callable[[int, ScriptedOperator], None] = lambda index, operator: None,
    **habits: float,
) -> Sitting:
    """Let an operator work through the waypoints until done. meddle: called after each frame with its index."""
    arm = arm or FollowingArm()
    clock = VirtualClock(start_ns=5 * NS_PER_S)

    def plan(look: Look) -> Iterator[Waypoint]:
        yield from waypoints

    operator = ScriptedOperator(plan, arm.look, clock, seed, ScriptedOperatorConfig(**habits))
    sitting = Sitting(operator)
    operator.open()
    for poll in range(90 * POLL_HZ):
        clock.sleep_until(5 * NS_PER_S + poll * NS_PER_S // POLL_HZ)
        frame = operator.poll()
        if frame is not None:
            arm.follow(frame)
            sitting.frames.append(frame)
            sitting.tools.append(arm.tool.copy())
            sitting.doing.append(operator.doing)
            meddle(len(sitting.frames) - 1, operator)
        if operator.done:
            return sitting
    raise AssertionError("the operator did not come to an end within 90 s")
