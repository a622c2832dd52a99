"""The control loop: one tick from the operator's newest frame to a safe joint command, in the supervisor's order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from robots.contract import Robot
from teleloom.clock import NS_PER_S, Clock, VirtualClock
from teleloom.messages import (
    STAGES,
    AnyMessage,
    ControlMode,
    ControlTick,
    Event,
    JointCommand,
    Pose,
    RobotState,
    XrFrame,
)
from teleop import supervisor
from teleop.announcer import Announced, announce, feedback
from teleop.clutched_hand import ClutchedHand
from teleop.config import MappingConfig, TeleopConfig
from teleop.motion import Motion, Step
from teleop.operator import Operator
from teleop.pilot import ZERO, Choice, HumanPilot, Pilot, Target
from teleop.supervisor import Admission
from teleop.timing import CycleTimer, TimingReport
from teleop.workspace import check_workspace

Publish = Callable[[str, AnyMessage], None]
Stopwatch = Callable[[], int]

NO_INPUT = -1
HOLDING = Choice(ControlMode.HOLD, None)
# After these the standing command says nothing about the arm any more: the robot itself holds, at once.
DISTRUST = {supervisor.EMERGENCY_STOP, supervisor.ROBOT_STATE, supervisor.EFFORT_LIMIT, supervisor.TRACKING_ERROR}


def no_time() -> int:
    """The stopwatch of a lockstep run: code takes no time there, so the same seed gives the same bytes."""
    return 0


class TeleopLoop:
    """Drives one arm from one operator. `tick` is one step; `run` paces it.

    `stop_now` and `clear_stop` may be called from any thread; everything else belongs to the loop's thread.
    recording: what the operator's display says about the recording; the station sets it.
    warnings: what the configuration asks for that this arm cannot do.
    """

    def __init__(
        self,
        robot: Robot,
        operator: Operator,
        config: TeleopConfig,
        clock: Clock,
        publish: Publish,
        *,
        pilot: Pilot | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self.robot = robot
        self.operator = operator
        self.config = config
        self.recording = ""
        self.timer = CycleTimer(clock, config.rate_hz, STAGES)
        self._clock = clock
        self._publish = publish
        self._pilot = pilot or HumanPilot()
        self._stopwatch = stopwatch or (no_time if isinstance(clock, VirtualClock) else time.perf_counter_ns)
        self._motion = Motion(robot.spec, config)
        self.warnings = check_workspace(config.workspace, self._motion.kinematics)
        self._hand = ClutchedHand(config.mapping, config.filter)
        self._admission = Admission()
        self._stop = threading.Event()
        self._holding = True
        self._trusted = False
        self._overload_since_ns: int | None = None
        self._gripper: float | None = None
        self._buttons = (False, False)
        self._announced = Announced()
        self._shown = ""
        self._tick_seq = self._event_seq = 0

    def run(self, stop: threading.Event) -> TimingReport:
        """Tick at `config.rate_hz` until `stop` is set, then leave the robot holding."""
        for warning in self.warnings:
            self._event(self._clock.now_ns(), "warning", warning)
        try:
            while not stop.is_set():
                self.tick()
                self.timer.wait()
        finally:
            self.robot.hold()
        return self.timer.report()

    def stop_now(self) -> None:
        """Latch the emergency stop: the robot holds at once, and stays so until `clear_stop` and a new squeeze."""
        self._stop.set()
        self.robot.hold()

    def clear_stop(self) -> None:
        """Release the emergency stop. The arm moves again only after the clutch was released and squeezed."""
        self._stop.clear()

    def rescale(self, mapping: MappingConfig) -> None:
        """Change scales or axis locks now, without a jump, engaged or not."""
        self._hand.rescale(mapping)

    def tick(self) -> ControlTick:
        """One step of control at the clock's present time. Publishes robot, xr (when new), tick and events.

        Raises RobotError when the robot cannot be read; the caller holds the robot then, as `run` does.
        """
        now, watch = self._clock.now_ns(), self._stopwatch
        times = [watch()]
        state = self.robot.read()
        frame = self.operator.poll()
        self._publish("robot", state)
        times.append(watch())
        self._admit(now, frame, state)
        self._hand.map(self._admission, self._home(state))
        times.append(watch())
        human = self._hand.smooth(now, self._admission)
        times.append(watch())
        choice = self._pilot.choose(now, human, state) if self._admission.engaged else HOLDING
        target, names = self._confine(choice.target)
        times.append(watch())
        step = None if self._holding else self._motion.plan(target)
        times.append(watch())
        if step is not None:
            names += step.interventions
            self._send(step, target)
        times.append(watch())
        newest = self._admission.frame
        delay = NO_INPUT if newest is None else self._clock.now_ns() - newest.t_ns
        latency = (*(after - before for before, after in pairwise(times)), delay)
        tick = self._record(now, choice, names, latency)
        self.timer.record(latency)
        return tick

    def _admit(self, now: int, frame: XrFrame | None, state: RobotState) -> None:
        """Decide, before anything is computed from the input, whether the operator may drive the arm."""
        before = self._admission
        if before.stopped != self._stop.is_set():
            before = before._replace(stopped=not before.stopped)
        admission = supervisor.admit(now, frame, before, self.config)
        if admission.frame is not before.frame and frame is not None:
            self._publish("xr", frame)
            self._press(now, frame)
        fault = supervisor.robot_fault(now, state, self.robot.spec, self.config.safety) or self._overload(now, state)
        if fault is not None:
            admission = supervisor.refuse(admission, fault)
        elif self._holding and not self._trusted:
            self._motion.reset(state.q)
        if self._gripper is None and fault is None:
            self._gripper = min(max(state.gripper, 0.0), 1.0)
        if not DISTRUST.isdisjoint(admission.interventions):
            self._hold(trusted=False)
        elif admission.engaged and not before.engaged:
            admission = self._begin(admission, state)
        self._admission = admission

    def _overload(self, now: int, state: RobotState) -> str | None:
        """Effort or tracking error that has been beyond its limit for longer than the supervisor's patience."""
        name = None
        if not self._holding:
            name = supervisor.load_fault(state, self._motion.q, self.robot.spec, self.config.safety)
        if name is None:
            self._overload_since_ns = None
            return None
        if self._overload_since_ns is None:
            self._overload_since_ns = now
        return name if now - self._overload_since_ns >= self.config.safety.patience_s * NS_PER_S else None

    def _begin(self, admission: Admission, state: RobotState) -> Admission:
        """Engage: from the standing command, or from the measured posture where the resting arm is elsewhere."""
        motion = self._motion
        apart = max(abs(a - b) for a, b in zip(state.q, motion.q, strict=True))
        if motion.at_rest and apart > self.config.safety.resynchronise_rad:
            motion.reset(state.q)
        if not supervisor.inside(motion.tool[:3], self.config.workspace, self.config.workspace.tolerance_m):
            return supervisor.refuse(admission, supervisor.OUTSIDE_WORKSPACE)
        self._holding, self._trusted = False, True
        return admission

    def _home(self, state: RobotState) -> Pose:
        """Where a new engagement latches: the tool as measured."""
        if self._admission.engaged and not self._hand.anchored:
            return self._motion.kinematics.pose_at(state.q)
        return self._motion.tool

    def _confine(self, target: Target | None) -> tuple[Target | None, tuple[str, ...]]:
        if target is None:
            return None, ()
        pose, names = supervisor.confine(target.pose, self.config.workspace)
        if not names:
            return target, names
        # What the bounds took from the target must not come back through its velocity.
        vx, vy, vz = (
            speed if confined == asked else 0.0
            for speed, confined, asked in zip(target.velocity, pose, target.pose, strict=False)
        )
        spin = ZERO if supervisor.ORIENTATION in names else target.spin
        return replace(target, pose=pose, velocity=(vx, vy, vz), spin=spin), names

    def _send(self, step: Step, target: Target | None) -> None:
        """Command `step` if the output guard lets it through; hold once the arm has come to rest without a target."""
        motion = self._motion
        fault = supervisor.output_fault(
            step.q, step.dq, (motion.q, motion.dq), (motion.tool[:3], step.tool[:3]), self.robot.spec, self.config
        )
        if fault is not None:
            self._admission = supervisor.refuse(self._admission, fault)
            self._hold(trusted=False)
            return
        if target is not None:
            self._gripper = target.gripper
        if self._stop.is_set():
            self._hold(trusted=False)
            return
        self.robot.command(
            JointCommand(t_ns=self._clock.now_ns(), seq=self._tick_seq, q=step.q, dq=step.dq, gripper=self._opening)
        )
        if self._stop.is_set():
            # The stop came between the question above and the command: its hold may have come first.
            self.robot.hold()
        motion.accept(step)
        if supervisor.IK_FAILED in step.interventions:
            self._admission = supervisor.refuse(self._admission, supervisor.IK_FAILED)
        if target is None and motion.at_rest:
            self._hold(trusted=True)

    def _hold(self, trusted: bool) -> None:
        """Let the robot hold. trusted: whether the standing command still describes the arm."""
        if not self._holding:
            self.robot.hold()
        self._holding, self._trusted = True, trusted

    @property
    def _opening(self) -> float:
        return 1.0 if self._gripper is None else self._gripper

    def _record(self, now: int, choice: Choice, names: tuple[str, ...], latency: tuple[int, ...]) -> ControlTick:
        """Publish the tick, then what changed in it."""
        admission, motion = self._admission, self._motion
        mode = choice.mode if admission.engaged else ControlMode.HOLD
        human, policy = choice.human, choice.policy
        tick = ControlTick(
            t_ns=now,
            seq=self._tick_seq,
            mode=mode,
            engaged=admission.engaged,
            is_intervention=choice.is_intervention and admission.engaged,
            target_raw=self._hand.raw,
            target_filtered=None if human is None else human.pose,
            target_executed=motion.tool,
            gripper_command=self._opening,
            q_command=motion.q,
            dq_command=motion.dq,
            human_target=None if human is None else (human.pose, human.gripper),
            policy_target=None if policy is None else (policy.pose, policy.gripper),
            interventions=(*admission.interventions, *names),
            latency_ns=latency,
        )
        self._tick_seq += 1
        self._publish("tick", tick)
        self._announce(tick)
        return tick

    def _announce(self, tick: ControlTick) -> None:
        notices, self._announced = announce(tick.t_ns, tick.mode, tick.engaged, tick.interventions, self._announced)
        for notice in notices:
            self._event(tick.t_ns, notice.kind, notice.reason, explanation=notice.explanation)
        if notices or self.recording != self._shown:
            self._shown = self.recording
            self.operator.feedback(*feedback(notices, self._announced, self.recording))

    def _press(self, now: int, frame: XrFrame) -> None:
        """An event for each button of the controlling hand that went down in this frame."""
        hand = frame.right if self.config.hand == "right" else frame.left
        pressed = (False, False) if hand is None else (hand.primary, hand.secondary)
        for name, is_down, was_down in zip(("primary", "secondary"), pressed, self._buttons, strict=True):
            if is_down and not was_down:
                self._event(now, "button", name)
        self._buttons = pressed

    def _event(self, now: int, kind: str, reason: str, **data: Any) -> None:
        self._publish("events", Event(t_ns=now, seq=self._event_seq, kind=kind, reason=reason, data=data))
        self._event_seq += 1
