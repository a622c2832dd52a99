"""The client's end of the reliable channel (see protocol)."""

from __future__ import annotations

import secrets
import time
from collections import deque
from typing import Self

import zmq

from teleloom.bus.zmq.protocol import Reply, Request, RequestKind, open_envelope, seal
from teleloom.bus.zmq.security import Curve, Endpoint
from teleloom.bus.zmq.wire import Faults, pack
from teleloom.clock import NS_PER_S, Clock, MonotonicClock
from teleloom.messages import AnyMessage, BadMessageError

CLOSING_S = 0.2


class ControlRefusedError(RuntimeError):
    """The receiver does not take messages from this sender: somebody else is in control, or the lease has ended."""


class QueueFullError(RuntimeError):
    """As many messages are open as the sender may hold: the receiver does not answer fast enough or at all."""


class NotDeliveredError(TimeoutError):
    """The receiver did not answer in time."""


class ReliableSender:
    """The client's end: `claim`, then `send`, and `poll` a few times per lease while there is nothing to send.

    capacity: messages that may be open. resend_s: silence after which they are sent again. `resent` counts those,
    `abandoned` the messages that were never confirmed because control was lost, released or claimed anew.
    """

    def __init__(
        self,
        address: str,
        name: str,
        curve: Curve | None = None,
        capacity: int = 256,
        resend_s: float = 0.1,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.faults = Faults()
        self.resent = 0
        self.abandoned = 0
        self._clock = clock or MonotonicClock()
        self._capacity = capacity
        self._resend_ns = round(resend_s * NS_PER_S)
        self._endpoint = Endpoint(zmq.DEALER, curve, linger_s=CLOSING_S)
        self._socket = self._endpoint.socket
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._open: deque[list[bytes]] = deque()
        self._session = ""
        self._refusal = "claim control first"
        self._taken = 0
        self._lease_ns = 0
        self._sent_ns = self._progress_ns = self._clock.now_ns()
        try:
            self._endpoint.connect(address)
        except (zmq.ZMQError, ValueError):
            self._endpoint.close()
            raise

    @property
    def in_control(self) -> bool:
        """Whether control was granted and not lost, as far as has been heard."""
        return self._lease_ns > 0

    @property
    def open_count(self) -> int:
        """Messages sent and not yet confirmed."""
        return len(self._open)

    def claim(self, timeout_s: float = 2.0) -> None:
        """Take control; messages still open from before are abandoned.

        Raises ControlRefusedError when another client has it, NotDeliveredError when nobody answers in time.
        """
        self._end_session("")
        self._session = secrets.token_hex(16)
        deadline = time.monotonic() + timeout_s
        while not self.in_control:
            if time.monotonic() >= deadline:
                self._transmit([self._envelope("release")])
                self._end_session("the claim was not answered; claim control again")
                raise NotDeliveredError(f"'{self.name}': no answer to the claim for {timeout_s} s; is the robot up?")
            self._transmit([self._envelope("claim")])
            self._wait(self._resend_ns)
            self.poll()

    def send(self, topic: str, message: AnyMessage) -> None:
        """Send without waiting. Raises QueueFullError when `capacity` messages are open, and as `poll` does."""
        self.poll()
        if len(self._open) >= self._capacity:
            raise QueueFullError(f"'{self.name}': {len(self._open)} messages wait for the receiver to confirm them")
        if not self._open:
            self._progress_ns = self._clock.now_ns()
        frames = [self._envelope("message", self._taken + len(self._open)), *pack(topic, message)]
        self._open.append(frames)
        self._transmit(frames)

    def poll(self) -> None:
        """Hear the answers, send again what is overdue, keep the lease.

        Raises ControlRefusedError when not in control.
        """
        self._hear()
        if self._refusal:
            raise ControlRefusedError(self._refusal)
        now = self._clock.now_ns()
        if self._open and now - self._progress_ns >= self._resend_ns:
            self._progress_ns = now
            self.resent += len(self._open)
            for frames in self._open:
                self._transmit(frames)
        elif self.in_control and now - self._sent_ns >= self._lease_ns // 4:
            self._transmit([self._envelope("renew")])

    def flush(self, timeout_s: float = 2.0) -> None:
        """Wait until everything sent is confirmed.

        Raises NotDeliveredError when it is not in time, ControlRefusedError when control is lost meanwhile.
        """
        deadline = time.monotonic() + timeout_s
        self.poll()
        while self._open:
            if time.monotonic() >= deadline:
                raise NotDeliveredError(f"'{self.name}': {len(self._open)} messages not confirmed in {timeout_s} s")
            self._wait(self._resend_ns // 2)
            self.poll()

    def release(self) -> None:
        """Give control back."""
        if self.in_control:
            self._transmit([self._envelope("release")])
        self._end_session("control was released; claim it again")

    def close(self) -> None:
        """Give control back and close; if that message is lost the lease still ends by itself."""
        if not self._socket.closed:
            self.release()
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end_session(self, refusal: str) -> None:
        self.abandoned += len(self._open)
        self._open.clear()
        self._session = ""
        self._taken = 0
        self._lease_ns = 0
        self._progress_ns = self._sent_ns = self._clock.now_ns()
        self._refusal = refusal

    def _envelope(self, kind: RequestKind, number: int = 0) -> bytes:
        return seal(Request(kind=kind, sender=self.name, session=self._session, number=number))

    def _transmit(self, frames: list[bytes]) -> None:
        self._sent_ns = self._clock.now_ns()
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return  # Not connected or too much under way: it is still open and will be sent again.

    def _wait(self, timeout_ns: int) -> None:
        self._socket.poll(max(1, timeout_ns // 1_000_000))

    def _hear(self) -> None:
        while True:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
                self._take(open_envelope(frames[0], Reply))
            except zmq.Again:
                return
            except BadMessageError as error:
                self.faults.add(str(error))

    def _take(self, reply: Reply) -> None:
        if reply.session != self._session:
            return
        if reply.kind == "refused":
            self._end_session(reply.reason or "refused")
            return
        if reply.reason:
            self.faults.add(reply.reason)
        if reply.kind == "granted":
            self._lease_ns = reply.lease_ns
        for _ in range(min(reply.number - self._taken, len(self._open))):
            self._open.popleft()
            self._taken += 1
            self._progress_ns = self._clock.now_ns()
