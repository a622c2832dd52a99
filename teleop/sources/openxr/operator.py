"""The operator in a VR headset, through whatever OpenXR runtime the machine has."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from teleloom.clock import NS_PER_S, Clock, MonotonicClock
from teleloom.config import Config
from teleloom.messages import AnyMessage, Event, XrFrame
from teleop.operator import HapticPattern, Hud, OperatorError
from teleop.sources.newest import carry_faults
from teleop.sources.openxr.frames import BASE_FROM_XR, FrameAssembler, Rebase, XrSample
from teleop.sources.openxr.haptics import HapticSchedule
from teleop.sources.openxr.session import OpenXrSession

log = logging.getLogger(__name__)

Row = tuple[float, float, float]


class OpenXrConfig(Config):
    """How the headset is read.

    rate_hz: how often poses are located. base_from_xr, yaw_rad: see `Rebase`; yaw_rad = pi for an operator who faces
    the robot. reference_space: 'local' lets the operator set "forward" by recentring, 'stage' is fixed to the room.
    freeze_timeout_s: a hand whose pose repeats bit for bit for this long is untracked; it must be longer than the
    headset's own frame time, and short enough that the arm holds within 100 ms of a dead link.
    haptic_hands: the controllers that vibrate.
    """

    rate_hz: float = Field(default=90.0, gt=0, le=1000)
    base_from_xr: tuple[Row, Row, Row] = BASE_FROM_XR
    yaw_rad: float = 0.0
    reference_space: Literal["local", "stage"] = "local"
    freeze_timeout_s: float = Field(default=0.06, gt=0)
    open_timeout_s: float = Field(default=10.0, gt=0)
    reconnect_s: float = Field(default=1.0, gt=0)
    haptic_hands: tuple[Literal["left", "right"], ...] = ("left", "right")

    @model_validator(mode="after")
    def _is_a_rotation(self) -> Self:
        Rebase(self.base_from_xr, self.yaw_rad)
        return self


class OpenXrOperator:
    """An Operator read from an OpenXR runtime by a thread of its own; the newest frame wins.

    The runtime may end and come back at any time: the operator reports every hand inactive, looks for the runtime
    every `reconnect_s`, and goes on. What happened (connected, lost, recentred, frozen, moving) is published as an
    Event of kind 'operator' on the topic 'events', from within `poll`, so in the caller's thread. A headless session
    draws nothing: the HUD is the station's to show elsewhere.
    """

    def __init__(
        self,
        config: OpenXrConfig | None = None,
        clock: Clock | None = None,
        publish: Callable[[str, AnyMessage], None] | None = None,
    ) -> None:
        self._config = config or OpenXrConfig()
        self._clock = clock or MonotonicClock()
        self._publish = publish
        self._assembler = FrameAssembler(
            Rebase(self._config.base_from_xr, self._config.yaw_rad), round(self._config.freeze_timeout_s * NS_PER_S)
        )
        self._lock = threading.Lock()
        self._newest: XrFrame | None = None
        self._events: deque[Event] = deque(maxlen=1000)
        self._event_seq = 0
        self._asked: queue.SimpleQueue[HapticPattern] = queue.SimpleQueue()
        self._haptics = HapticSchedule()
        self._frozen: tuple[str, ...] = ()
        self._stop = threading.Event()
        self._settled = threading.Event()
        self._refusal: OperatorError | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Connect to the runtime. Raises OperatorError, naming the remedy, when that cannot be done now."""
        if self._thread is not None:
            raise OperatorError("this OpenXR operator is open already")
        self._stop.clear()
        self._settled.clear()
        self._refusal = None
        self._thread = threading.Thread(target=self._run, name="openxr", daemon=True)
        self._thread.start()
        settled = self._settled.wait(self._config.open_timeout_s)
        if not settled or self._refusal is not None:
            self.close()
            raise self._refusal or OperatorError(
                f"the OpenXR runtime did not open a session within {self._config.open_timeout_s:g} s; restart it"
            )

    def poll(self) -> XrFrame | None:
        """The newest frame not read before, or None."""
        while self._publish is not None and self._events:
            self._publish("events", self._events.popleft())
        with self._lock:
            frame, self._newest = self._newest, None
        return frame

    def feedback(self, haptics: HapticPattern, hud: Hud) -> None:
        """Vibrate. The pattern that is playing already goes on; another takes its place."""
        if haptics is not HapticPattern.NONE:
            self._asked.put(haptics)

    def close(self) -> None:
        """End the session and the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(self._config.open_timeout_s)
            if self._thread.is_alive():
                log.warning("the OpenXR runtime does not answer; its session is left behind")
            self._thread = None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with OpenXrSession(self._clock, self._config.reference_space) as session:
                    self._say("connected", runtime=session.runtime_name)
                    self._follow(session)
            except OperatorError as error:
                if not self._settled.is_set():
                    self._refusal = error
                    self._settled.set()
                    return
                log.debug("no OpenXR session yet: %s", error)
            self._stop.wait(self._config.reconnect_s)

    def _follow(self, session: OpenXrSession) -> None:
        """Read the session until it is lost or the operator is closed."""
        period_ns = round(NS_PER_S / self._config.rate_hz)
        due_ns = self._clock.now_ns()
        try:
            while not self._stop.is_set():
                self._take(session.sample())
                self._settled.set()
                self._vibrate(session)
                due_ns = max(due_ns + period_ns, self._clock.now_ns())
                self._stop.wait((due_ns - self._clock.now_ns()) / NS_PER_S)
        except OperatorError as error:
            if not self._settled.is_set():
                raise
            # Told before the session is torn down, which takes as long as a dying runtime likes.
            self._take(XrSample.nothing(self._clock.now_ns()))
            self._say("lost", why=str(error))

    def _take(self, sample: XrSample) -> None:
        frame = self._assembler.frame(sample)
        if frame is not None:
            with self._lock:
                self._newest = carry_faults(self._newest, frame)
        if sample.recentred:
            self._say("recentred")
        frozen = self._assembler.frozen_hands
        if frozen != self._frozen:
            self._frozen = frozen
            self._say("frozen" if frozen else "moving", hands=list(frozen))

    def _vibrate(self, session: OpenXrSession) -> None:
        now_ns = self._clock.now_ns()
        while not self._asked.empty():
            self._haptics.ask(self._asked.get(), now_ns)
        for pulse in self._haptics.due(now_ns):
            for hand in self._config.haptic_hands:
                session.vibrate(hand, pulse.duration_ns, pulse.amplitude)

    def _say(self, reason: str, **data: Any) -> None:
        log.info("OpenXR: %s %s", reason, data)
        self._events.append(
            Event(t_ns=self._clock.now_ns(), seq=self._event_seq, kind="operator", reason=reason, data=data)
        )
        self._event_seq += 1
