"""The robot's end of the reliable channel (see protocol)."""

from __future__ import annotations

import math
import time
from typing import Self

import zmq

from teleloom.bus.zmq.protocol import Reply, ReplyKind, Request, open_envelope, seal
from teleloom.bus.zmq.security import Curve, Endpoint
from teleloom.bus.zmq.streams import DEFAULT_ADDRESS
from teleloom.bus.zmq.wire import Faults, unpack
from teleloom.clock import NS_PER_S, Clock, MonotonicClock
from teleloom.messages import AnyMessage, BadMessageError

# A flood of requests that give no message must not keep a control loop in one call.
MAX_REQUESTS_PER_CALL = 100


class ReliableReceiver:
    """The robot's end: gives out every message of the client in control once and in order.

    A client has control from its claim until it releases it or is not heard for `lease_s`. `duplicates` counts
    messages that came again, `out_of_order` those that came before one that was lost, `refusals` what others sent.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        curve: Curve | None = None,
        lease_s: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        self.faults = Faults()
        self.duplicates = 0
        self.out_of_order = 0
        self.refusals = 0
        self._clock = clock or MonotonicClock()
        self._lease_ns = round(lease_s * NS_PER_S)
        self._holder: Request | None = None
        self._heard_ns = 0
        self._next_number = 0
        self._endpoint = Endpoint(zmq.ROUTER, curve)
        self._socket = self._endpoint.socket
        try:
            self.address = self._endpoint.bind(address)
        except (zmq.ZMQError, ValueError):
            self._endpoint.close()
            raise

    @property
    def controller(self) -> str | None:
        """The name of the client in control, None when nobody is."""
        if self._holder and self._clock.now_ns() - self._heard_ns > self._lease_ns:
            self._holder = None
        return self._holder.sender if self._holder else None

    @property
    def refused_peers(self) -> int:
        """How often a peer with an unknown key was turned away."""
        return self._endpoint.guard.refused

    def receive(self, timeout_s: float = 0.0) -> tuple[str, AnyMessage] | None:
        """The next topic and message from the client in control; None when there was none for `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        for _ in range(MAX_REQUESTS_PER_CALL):
            remaining_ms = math.ceil(max(0.0, deadline - time.monotonic()) * 1000)
            if not self._socket.poll(remaining_ms):
                break
            received = self._handle(self._socket.recv_multipart())
            if received is not None:
                return received
        return None

    def close(self) -> None:
        """Stop listening."""
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _handle(self, frames: list[bytes]) -> tuple[str, AnyMessage] | None:
        try:
            if len(frames) < 2:
                raise BadMessageError("no envelope")
            request = open_envelope(frames[1], Request)
        except BadMessageError as error:
            self.faults.add(str(error))
            return None
        controller = self.controller
        if request.kind == "claim" and controller is None:
            self._holder, self._next_number = request, 0
        if self._holder is None or request.session != self._holder.session:
            self._refuse(frames[0], request, controller)
            return None
        self._heard_ns = self._clock.now_ns()
        if request.kind == "release":
            self._holder = None
        elif request.kind == "message":
            return self._take(frames[0], request, frames[2:])
        else:
            self._reply(frames[0], request, "granted")
        return None

    def _take(self, peer: bytes, request: Request, frames: list[bytes]) -> tuple[str, AnyMessage] | None:
        received, fault = None, ""
        if request.number == self._next_number:
            self._next_number += 1
            try:
                received = unpack(frames)
            except BadMessageError as error:
                fault = str(error)
                self.faults.add(f"'{request.sender}': {fault}")
        elif request.number < self._next_number:
            self.duplicates += 1
        else:
            self.out_of_order += 1
        self._reply(peer, request, "taken", fault)
        return received

    def _refuse(self, peer: bytes, request: Request, controller: str | None) -> None:
        self.refusals += 1
        if request.kind == "release":
            return
        reason = (
            f"'{controller}' is in control: '{request.sender}' can only watch until it is released"
            if controller
            else f"the lease of '{request.sender}' has ended; claim control again"
        )
        self._reply(peer, request, "refused", reason)

    def _reply(self, peer: bytes, request: Request, kind: ReplyKind, reason: str = "") -> None:
        reply = Reply(
            kind=kind, session=request.session, number=self._next_number, lease_ns=self._lease_ns, reason=reason
        )
        try:
            self._socket.send_multipart([peer, seal(reply)], zmq.NOBLOCK)
        except zmq.Again:
            return  # That peer does not read its answers; it will ask again.
