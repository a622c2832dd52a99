"""A scripted operator: eyes and a trembling hand that work through a task's plan, one episode long.

It produces controller poses and buttons alone. Where the arm goes is decided by the same path that a headset drives:
mapping, filter, supervisor, inverse kinematics. The operator looks at the tool and the things a few times a second,
understands what it saw a reaction time later, reaches, sees how far off the tool came to rest and corrects, as people
do (Woodworth 1899, "The accuracy of voluntary movement"). Its reach is short: when the hand would leave its own
workspace it releases the clutch, moves back and squeezes again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from teleloom.clock import NS_PER_S, Clock
from teleloom.messages import Controller, XrFrame
from teleop.config import MappingConfig
from teleop.operator import HapticPattern, Hud
from teleop.sources.scripted.habits import ScriptedOperatorConfig
from teleop.sources.scripted.mistakes import spoiled
from teleop.sources.scripted.reaching import Doing, Worker

if TYPE_CHECKING:
    from robots.mujoco.tasks.waypoint import Look, Plan

Outcome = Literal["success", "failure"]


class ScriptedOperator:
    """An Operator that does one episode: presses primary, works through the plan, presses primary or secondary.

    plan: the task's aims, drawn lazily from looks, as `Task.plan`. look: what is there now, as `SimulatedStation.look`.
    mapping: the scales that the operator is used to. The same seed, config and scene give the same frames. The last
    press is primary (keep) when the task was seen to be done, secondary (discard) when not; then `done` turns true.
    """

    def __init__(
        self,
        plan: Callable[[Look], Plan],
        look: Look,
        clock: Clock,
        seed: int,
        config: ScriptedOperatorConfig | None = None,
        mapping: MappingConfig | None = None,
    ) -> None:
        self.config = config or ScriptedOperatorConfig()
        self.done = False
        self.outcome: Outcome | None = None
        """How the operator saw it end; None until then."""
        self.doing = ""
        """What the operator would say they are doing."""
        rng = np.random.default_rng(seed)
        self._clock = clock
        self._worker = Worker(look, rng, self.config, mapping or MappingConfig())
        plan_now = spoiled(plan(look), rng, self.config.mistake_rate, self.config.give_up_rate)
        self._episode = self._do_episode(plan_now)
        self._start_ns = clock.now_ns()
        self._frames = 0

    def open(self) -> None:
        """Pick the controller up: the first frame is due now."""
        self._start_ns = self._clock.now_ns()

    def poll(self) -> XrFrame | None:
        """The newest frame that is due, or None if there is none since the last call."""
        frame = None
        while (t_ns := self._start_ns + round(self._frames * NS_PER_S / self.config.rate_hz)) <= self._clock.now_ns():
            frame = self._live_until(t_ns)
        return frame

    def feedback(self, haptics: HapticPattern, hud: Hud) -> None:
        """Feel what the station does: when the arm lets go by itself, the operator releases and squeezes again."""
        let_go = haptics is HapticPattern.RELEASED and self._worker.fingers.squeeze_goal > 0.0
        self._worker.faulted |= let_go or haptics is HapticPattern.FAULT

    def close(self) -> None:
        """Put the controller down."""
        self._episode.close()

    def _live_until(self, t_ns: int) -> XrFrame:
        self._worker.live((t_ns - self._start_ns) / NS_PER_S)
        next(self._episode, None)
        frame = self._frame(t_ns)
        self._frames += 1
        return frame

    def _do_episode(self, plan: Plan) -> Doing:
        worker, config = self._worker, self.config
        yield from worker.pause(config.reaction_s)
        yield from self._tap("primary")
        for waypoint in plan:
            self.doing = waypoint.label
            yield from worker.bring_to(waypoint)
            if worker.now_s > config.patience_s:
                break
        self.doing = "look at the result"
        yield from worker.let_go()
        yield from worker.pause(config.rest_s)
        self.outcome = "success" if worker.sight.known[-1].view.success else "failure"
        yield from self._tap("primary" if self.outcome == "success" else "secondary")
        self.done = True

    def _tap(self, button: Literal["primary", "secondary"]) -> Doing:
        fingers = self._worker.fingers
        fingers.pressed = button
        yield from self._worker.pause(self.config.tap_s)
        fingers.pressed = None
        yield

    def _frame(self, t_ns: int) -> XrFrame:
        motion, fingers = self._worker.hand(), self._worker.fingers
        x, y, z, qx, qy, qz, qw = motion.pose.tolist()
        vx, vy, vz, wx, wy, wz = motion.velocity.tolist()
        controller = Controller(
            pose=(x, y, z, qx, qy, qz, qw),
            linear_velocity=(vx, vy, vz),
            angular_velocity=(wx, wy, wz),
            squeeze=fingers.squeeze,
            trigger=fingers.trigger,
            primary=fingers.pressed == "primary",
            secondary=fingers.pressed == "secondary",
        )
        right = self.config.hand == "right"
        return XrFrame(
            t_ns=t_ns,
            seq=self._frames,
            head=self.config.head,
            left=None if right else controller,
            right=controller if right else None,
        )
