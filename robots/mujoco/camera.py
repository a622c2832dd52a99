"""A simulated camera: frames of a station's scene at the camera's own rate, drawn in the render thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from robots.mujoco.render import RenderThread
from robots.mujoco.simulation import Snapshot
from teleloom.clock import NS_PER_S, Clock
from teleloom.messages import CameraFrame
from teleloom.specs import CameraSpec


class MujocoCamera:
    """One camera of a SimulatedStation. A frame shows the scene at the clock's time when it fell due.

    In lockstep (the default) `read` waits until the frame that is due has been drawn, so the same seed gives the same
    frames; otherwise it returns a frame once it is ready.
    """

    def __init__(
        self,
        spec: CameraSpec,
        clock: Clock,
        renderer: Callable[[], RenderThread],
        snapshot: Callable[[], Snapshot],
        lockstep: bool = True,
    ) -> None:
        self.spec = spec
        self._clock = clock
        self._renderer = renderer
        self._snapshot = snapshot
        self._lockstep = lockstep
        self._next_ns: int | None = None
        self._pending: Future[list[CameraFrame]] | None = None

    def open(self) -> None:
        """The first frame is due now."""
        self._next_ns = self._clock.now_ns()

    def read(self) -> CameraFrame | None:
        """The frame that fell due since the last one, or None. Raises CameraError where nothing can be drawn."""
        self._ask_if_due()
        if self._pending is None or not (self._lockstep or self._pending.done()):
            return None
        future, self._pending = self._pending, None
        return future.result()[0]

    def close(self) -> None:
        """No frame falls due any more."""
        self._next_ns = None
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None

    def _ask_if_due(self) -> None:
        now = self._clock.now_ns()
        if self._next_ns is None or self._pending is not None or now < self._next_ns:
            return
        period = round(NS_PER_S / self.spec.rate_hz)
        self._next_ns += period * ((now - self._next_ns) // period + 1)
        self._pending = self._renderer().submit(self._snapshot(), (self.spec.name,))
