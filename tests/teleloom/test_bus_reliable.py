from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from teleloom.bus.zmq import (
    ControlRefusedError,
    Curve,
    KeyPair,
    NotDeliveredError,
    QueueFullError,
    ReliableReceiver,
    ReliableSender,
)
from teleloom.bus.zmq.protocol import Reply, Request, open_envelope, seal
from teleloom.clock import NS_PER_S, VirtualClock
from teleloom.messages import BadMessageError, Event, JointCommand, encode

PATIENCE_S = 10.0


def command(seq: int) -> JointCommand:
    return JointCommand(t_ns=seq, seq=seq, q=(0.0,), dq=(0.0,), gripper=1.0)


class Robot(threading.Thread):
    """Receives until told to stop, as a robot's control loop does."""

    def __init__(self, receiver: ReliableReceiver) -> None:
        super().__init__()
        self.receiver = receiver
        self.got: list[int] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            received = self.receiver.receive(0.02)
            if received:
                self.got.append(received[1].seq)

    def first(self, count: int) -> list[int]:
        """What was received, once it is at least `count`: a message is confirmed just before it is handed over."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.got

    def __enter__(self) -> Robot:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()
        self.receiver.close()


class LossyLink(threading.Thread):
    """Carries messages between a sender and a receiver and loses a random share of them, either way."""

    def __init__(self, address: str, share: float) -> None:
        super().__init__()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._near, self._far = self._context.socket(zmq.ROUTER), self._context.socket(zmq.DEALER)
        self._share, self._random = share, random.Random(7)
        self._stopping = threading.Event()
        self._far.connect(address)
        self.address = f"tcp://127.0.0.1:{self._near.bind_to_random_port('tcp://127.0.0.1')}"
        self.lost = 0

    def run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._near, zmq.POLLIN)
        poller.register(self._far, zmq.POLLIN)
        peer = b""
        while not self._stopping.is_set():
            ready = dict(poller.poll(20))
            if self._near in ready:
                peer, *frames = self._near.recv_multipart()
                self._carry(self._far, frames)
            if self._far in ready:
                self._carry(self._near, [peer, *self._far.recv_multipart()])
        self._context.destroy(linger=0)

    def _carry(self, to: zmq.Socket[bytes], frames: list[bytes]) -> None:
        if self._random.random() < self._share:
            self.lost += 1
        else:
            to.send_multipart(frames)

    def __enter__(self) -> LossyLink:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()


def test_messages_arrive_once_in_order_and_are_confirmed() -> None:
    with Robot(ReliableReceiver()) as robot, ReliableSender(robot.receiver.address, "anna") as sender:
        sender.claim(PATIENCE_S)
        for seq in range(200):
            sender.send("command", command(seq))
        sender.flush(PATIENCE_S)
        assert sender.open_count == 0
        assert robot.first(200) == list(range(200))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_what_the_network_loses_is_sent_again_and_given_out_once(share: float) -> None:
    with (
        Robot(ReliableReceiver(lease_s=60.0)) as robot,
        LossyLink(robot.receiver.address, share) as link,
        ReliableSender(link.address, "anna", resend_s=0.01) as sender,
    ):
        sender.claim(PATIENCE_S)
        for seq in range(60):
            sender.send("command", command(seq))
        sender.flush(PATIENCE_S)
        assert robot.first(60) == list(range(60))
        assert link.lost > 0
        assert sender.resent > 0
        assert robot.receiver.duplicates + robot.receiver.out_of_order > 0


def test_nothing_is_sent_twice_without_need() -> None:
    clock = VirtualClock()
    with (
        Robot(ReliableReceiver(lease_s=60.0)) as robot,
        ReliableSender(robot.receiver.address, "anna", resend_s=0.5, clock=clock) as sender,
    ):
        sender.claim(PATIENCE_S)
        clock.sleep_until(10 * NS_PER_S)
        sender.send("command", command(0))
        sender.poll()
        sender.flush(PATIENCE_S)
        assert sender.resent == 0
        assert robot.first(1) == [0]


def test_the_queue_is_bounded_while_nobody_confirms() -> None:
    with ReliableReceiver() as receiver, ReliableSender(receiver.address, "anna", capacity=4) as sender:
        _claim(receiver, sender)
        for seq in range(4):
            sender.send("command", command(seq))
        with pytest.raises(QueueFullError, match="'anna': 4 messages wait"):
            sender.send("command", command(4))
        with pytest.raises(NotDeliveredError, match="4 messages not confirmed"):
            sender.flush(0.05)


def _claim(receiver: ReliableReceiver, sender: ReliableSender) -> None:
    """Claim control while this very thread serves the receiver."""
    claiming = threading.Thread(target=sender.claim, args=(PATIENCE_S,))
    claiming.start()
    while claiming.is_alive():
        receiver.receive(0.01)
    claiming.join()


def test_one_client_controls_and_others_are_told_who() -> None:
    with (
        Robot(ReliableReceiver(lease_s=60.0)) as robot,
        ReliableSender(robot.receiver.address, "anna") as anna,
        ReliableSender(robot.receiver.address, "ben") as ben,
    ):
        anna.claim(PATIENCE_S)
        with pytest.raises(ControlRefusedError, match="'anna' is in control: 'ben' can only watch"):
            ben.claim(PATIENCE_S)
        with pytest.raises(ControlRefusedError, match="'anna' is in control"):
            ben.send("command", command(666))
        anna.send("command", command(0))
        anna.flush(PATIENCE_S)
        assert robot.receiver.controller == "anna"
        anna.release()
        _retry(lambda: ben.claim(PATIENCE_S))
        ben.send("command", command(1))
        ben.flush(PATIENCE_S)
        assert robot.first(2) == [0, 1]
        with pytest.raises(ControlRefusedError, match="released"):
            anna.send("command", command(2))


def _retry(claim: Callable[[], None]) -> None:
    """The release travels on another connection than the claim, so the claim may come first."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return claim()
        except ControlRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_closing_gives_control_back() -> None:
    with Robot(ReliableReceiver(lease_s=3600.0)) as robot:
        with ReliableSender(robot.receiver.address, "anna") as anna:
            anna.claim(PATIENCE_S)
        with ReliableSender(robot.receiver.address, "ben") as ben:
            _retry(lambda: ben.claim(PATIENCE_S))
            assert robot.receiver.controller == "ben"


def test_a_lease_ends_in_silence_and_its_open_messages_are_never_given_out() -> None:
    clock = VirtualClock()
    with ReliableReceiver(lease_s=1.0, clock=clock) as receiver, ReliableSender(receiver.address, "anna") as anna:
        _claim(receiver, anna)
        assert receiver.controller == "anna"
        clock.sleep_until(NS_PER_S)
        assert receiver.controller == "anna"
        clock.sleep_until(NS_PER_S + 1)
        assert receiver.controller is None
        anna.send("command", command(0))
        assert receiver.receive(0.5) is None
        with pytest.raises(ControlRefusedError, match="the lease of 'anna' has ended"):
            anna.flush(PATIENCE_S)
        assert anna.abandoned == 1
        _claim(receiver, anna)
        anna.send("command", command(1))
        assert receiver.receive(PATIENCE_S) == ("command", command(1))


def test_polling_keeps_the_lease_without_messages() -> None:
    clock = VirtualClock()
    with (
        ReliableReceiver(lease_s=1.0, clock=clock) as receiver,
        ReliableSender(receiver.address, "anna", clock=clock) as anna,
    ):
        _claim(receiver, anna)
        for step in range(1, 20):
            clock.sleep_until(step * NS_PER_S // 2)
            anna.poll()
            assert receiver.receive(0.1) is None
        assert receiver.controller == "anna"


def test_a_claim_that_nobody_answers_ends_with_a_name() -> None:
    with ReliableReceiver() as receiver, ReliableSender(receiver.address, "anna") as sender:
        with pytest.raises(NotDeliveredError, match="'anna': no answer to the claim"):
            sender.claim(0.3)
        with pytest.raises(ControlRefusedError, match="the claim was not answered"):
            sender.send("command", command(0))
        while receiver.receive(0.1) or receiver.controller:
            continue
        _claim(receiver, sender)
        assert receiver.controller == "anna"


def test_without_a_claim_nothing_can_be_sent() -> None:
    with (
        ReliableSender("tcp://127.0.0.1:9", "anna") as sender,
        pytest.raises(ControlRefusedError, match="claim control first"),
    ):
        sender.send("command", command(0))


def test_a_message_that_cannot_be_read_is_named_at_both_ends_and_does_not_stop_the_next() -> None:
    with ReliableReceiver() as receiver, _stranger(receiver.address) as socket:
        session = "0" * 32
        socket.send(seal(Request(kind="claim", sender="old", session=session)))
        for number, payload in enumerate([b"\xc1", encode(command(1))]):
            request = Request(kind="message", sender="old", session=session, number=number)
            socket.send_multipart([seal(request), b"command", payload])
        assert receiver.receive(PATIENCE_S) == ("command", command(1))
        assert receiver.faults.count == 1
        assert receiver.faults.last.startswith("'old': command: not a station message")
        granted, bad, good = (open_envelope(socket.recv(), Reply) for _ in range(3))
        assert (granted.kind, bad.kind, good.kind) == ("granted", "taken", "taken")
        assert (bad.number, good.number) == (1, 2)
        assert "not a station message" in bad.reason


class _stranger:
    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> zmq.Socket[bytes]:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = self._context.socket(zmq.DEALER)
        socket.rcvtimeo = round(PATIENCE_S * 1000)
        socket.connect(self._address)
        return socket

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


def test_hostile_frames_are_counted_and_the_controller_is_served() -> None:
    hostile: list[list[bytes]] = [
        [b""],
        [b"\xc1"],
        [b"x" * 5000],
        [seal(Request(kind="renew", sender="x", session="short" * 6 + "xx")), b"more"],
        [encode(Event(t_ns=0, seq=0, kind="x"))],
    ]
    with ReliableReceiver() as receiver, ReliableSender(receiver.address, "anna") as anna:
        _claim(receiver, anna)
        with _stranger(receiver.address) as socket:
            for frames in hostile:
                socket.send_multipart(frames)
            deadline = time.monotonic() + PATIENCE_S
            while receiver.faults.count + receiver.refusals < len(hostile):
                assert receiver.receive(0.05) is None
                assert time.monotonic() < deadline
        anna.send("command", command(0))
        assert receiver.receive(PATIENCE_S) == ("command", command(0))
        assert (receiver.faults.count, receiver.refusals) == (4, 1)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_envelopes_of_any_bytes_are_opened_or_refused_by_name(data: bytes) -> None:
    for kind in (Request, Reply):
        try:
            assert isinstance(open_envelope(data, kind), kind)
        except BadMessageError:
            continue


@pytest.fixture
def keys() -> tuple[KeyPair, KeyPair, KeyPair]:
    return KeyPair.generate(), KeyPair.generate(), KeyPair.generate()


def test_beyond_this_machine_only_a_known_key_gets_control(keys: tuple[KeyPair, KeyPair, KeyPair]) -> None:
    station, friend, stranger = keys
    trusts_station = frozenset({station.public})
    with Robot(ReliableReceiver("tcp://0.0.0.0:*", Curve(station, frozenset({friend.public})))) as robot:
        address = robot.receiver.address.replace("0.0.0.0", "127.0.0.1")
        with (
            ReliableSender(address, "stranger", Curve(stranger, trusts_station)) as unknown,
            pytest.raises(NotDeliveredError),
        ):
            unknown.claim(0.3)
        with ReliableSender(address, "no keys") as plain, pytest.raises(NotDeliveredError):
            plain.claim(0.3)
        with ReliableSender(address, "friend", Curve(friend, trusts_station)) as known:
            known.claim(PATIENCE_S)
            known.send("command", command(0))
            known.flush(PATIENCE_S)
        assert robot.first(1) == [0]
        assert robot.receiver.refused_peers >= 1
