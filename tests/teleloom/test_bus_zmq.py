from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from teleloom.bus.zmq import (
    Curve,
    InsecureAddressError,
    KeyPair,
    LatestPublisher,
    LatestSubscriber,
    ReliableReceiver,
    StreamPublisher,
    StreamSubscriber,
)
from teleloom.bus.zmq.security import is_local
from teleloom.messages import MAX_MESSAGE_BYTES, BadMessageError, CameraFrame, Event, encode

PATIENCE_S = 10.0


def event(seq: int) -> Event:
    return Event(t_ns=seq, seq=seq, kind="test")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.002)


@pytest.fixture
def raw() -> Iterator[Callable[[int], zmq.Socket[bytes]]]:
    """Plain sockets, as a stranger would open them."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def open_socket(kind: int) -> zmq.Socket[bytes]:
        socket = context.socket(kind)
        socket.linger = 0
        return socket

    yield open_socket
    context.destroy(linger=0)


def test_a_stream_arrives_whole_and_in_order() -> None:
    with StreamPublisher() as publisher, StreamSubscriber(publisher.address, ["robot", "cameras/"]) as subscriber:
        assert publisher.wait_for_subscriptions(2, PATIENCE_S)
        for seq in range(1000):
            publisher.publish("robot", event(seq))
            publisher.publish("xr", event(seq))
        publisher.publish("cameras/wrist", event(0))
        received = [subscriber.receive(PATIENCE_S) for _ in range(1001)]
        assert received[:-1] == [("robot", event(seq)) for seq in range(1000)]
        assert received[-1] == ("cameras/wrist", event(0))
        assert subscriber.receive() is None
        assert subscriber.lost.total() == 0


def test_what_was_published_before_closing_still_arrives() -> None:
    publisher = StreamPublisher()
    with StreamSubscriber(publisher.address) as subscriber:
        assert publisher.wait_for_subscriptions(1, PATIENCE_S)
        for seq in range(1000):
            publisher.publish("robot", event(seq))
        publisher.close()
        assert [subscriber.receive(PATIENCE_S) for _ in range(1000)] == [("robot", event(seq)) for seq in range(1000)]


def test_a_publisher_knows_how_many_listen() -> None:
    with StreamPublisher() as publisher:
        with StreamSubscriber(publisher.address, ["robot", "xr"]):
            assert publisher.wait_for_subscriptions(2, PATIENCE_S)
            assert not publisher.wait_for_subscriptions(3, 0.05)
        with StreamSubscriber(publisher.address, ["robot"]), StreamSubscriber(publisher.address, ["robot"]):
            until(lambda: publisher.wait_for_subscriptions(2, 0.0) and not publisher.wait_for_subscriptions(3, 0.01))


def test_missing_numbers_are_counted_per_topic_and_a_restart_is_no_loss() -> None:
    with StreamPublisher() as publisher, StreamSubscriber(publisher.address) as subscriber:
        assert publisher.wait_for_subscriptions(1, PATIENCE_S)
        for topic, seq in [("a", 5), ("a", 6), ("b", 0), ("a", 9), ("b", 2), ("a", 0), ("a", 1)]:
            publisher.publish(topic, event(seq))
        for _ in range(7):
            assert subscriber.receive(PATIENCE_S)
        assert (subscriber.lost["a"], subscriber.lost["b"]) == (2, 1)
        assert (subscriber.restarts["a"], subscriber.restarts["b"]) == (1, 0)


def test_a_slow_subscriber_never_blocks_the_publisher_and_knows_what_it_lost() -> None:
    frame = CameraFrame(t_ns=0, seq=0, camera="wrist", codec="jpeg", width=640, height=480, data=bytes(100_000))
    with StreamPublisher(queue=5) as publisher, StreamSubscriber(publisher.address, queue=5) as subscriber:
        assert publisher.wait_for_subscriptions(1, PATIENCE_S)
        for seq in range(400):
            publisher.publish("cameras/wrist", msgspec.structs.replace(frame, seq=seq))
        seen = 0
        while subscriber.receive(0.5):
            seen += 1
        publisher.publish("cameras/wrist", event(400))
        assert subscriber.receive(PATIENCE_S) == ("cameras/wrist", event(400))
        assert 0 < seen < 400
        assert seen + subscriber.lost["cameras/wrist"] == 400


def test_of_poses_only_the_newest_of_each_topic_is_given_and_the_rest_counted() -> None:
    with LatestPublisher() as publisher, LatestSubscriber(publisher.address) as subscriber:
        assert publisher.wait_for_subscriptions(1, PATIENCE_S)
        for seq in range(20):
            publisher.publish("xr", event(seq))
        publisher.publish("robot", event(3))
        newest: dict[str, int] = {}

        def drained() -> bool:
            newest.update({topic: message.seq for topic, message in subscriber.poll(0.05).items()})
            return newest == {"xr": 19, "robot": 3}

        until(drained)
        assert subscriber.superseded["robot"] == 0
        assert subscriber.poll() == {}


def test_one_subscriber_listens_to_several_publishers() -> None:
    with (
        StreamPublisher() as arm,
        StreamPublisher() as camera,
        StreamSubscriber(arm.address) as subscriber,
    ):
        subscriber.connect(camera.address)
        assert arm.wait_for_subscriptions(1, PATIENCE_S)
        assert camera.wait_for_subscriptions(1, PATIENCE_S)
        arm.publish("robot", event(0))
        camera.publish("cameras/wrist", event(0))
        received = dict(filter(None, [subscriber.receive(PATIENCE_S), subscriber.receive(PATIENCE_S)]))
        assert received == {"robot": event(0), "cameras/wrist": event(0)}


def test_bad_messages_are_counted_and_named_and_the_good_ones_still_arrive(
    raw: Callable[[int], zmq.Socket[bytes]],
) -> None:
    stranger = raw(zmq.XPUB)
    port = stranger.bind_to_random_port("tcp://127.0.0.1")
    with StreamSubscriber(f"tcp://127.0.0.1:{port}") as subscriber:
        assert stranger.poll(PATIENCE_S * 1000)
        stranger.send_multipart([b"robot", b"\xc1garbage"])
        stranger.send_multipart([b"robot"])
        stranger.send_multipart([b"robot", encode(event(1)), b"more"])
        stranger.send_multipart([b"\xff\xfe", encode(event(1))])
        stranger.send_multipart([b"t" * 257, encode(event(1))])
        stranger.send_multipart([b"robot", encode(event(1))])
        assert subscriber.receive(PATIENCE_S) == ("robot", event(1))
        assert subscriber.faults.count == 5
        assert subscriber.faults.last == "topic of 257 bytes; at most 256 are accepted"


def test_what_is_too_large_is_refused_where_it_is_sent() -> None:
    frame = CameraFrame(
        t_ns=0, seq=0, camera="wrist", codec="jpeg", width=1, height=1, data=bytes(MAX_MESSAGE_BYTES + 1)
    )
    with StreamPublisher() as publisher:
        with pytest.raises(BadMessageError, match="cameras/wrist: message of"):
            publisher.publish("cameras/wrist", frame)
        with pytest.raises(BadMessageError, match="topic of 300 bytes"):
            publisher.publish("t" * 300, event(0))


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("tcp://127.0.0.1:5555", True),
        ("tcp://127.8.8.8:*", True),
        ("tcp://localhost:5555", True),
        ("tcp://[::1]:5555", True),
        ("ipc:///run/teleloom/robot", True),
        ("tcp://*:5555", False),
        ("tcp://0.0.0.0:5555", False),
        ("tcp://192.168.1.5:5555", False),
        ("tcp://robot.example:5555", False),
        ("tcp://127.0.0.1;192.168.1.5:5555", False),
        ("tcp://localhost.example:5555", False),
        ("tcp://[::]:5555", False),
        ("tcp://eth0:5555", False),
    ],
)
def test_only_addresses_of_this_machine_are_local(address: str, local: bool) -> None:
    assert is_local(address) is local


@pytest.mark.parametrize("address", ["udp://127.0.0.1:5", "ws://127.0.0.1:5", "inproc://x", "127.0.0.1:5555", ""])
def test_other_transports_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="must begin with tcp:// or ipc://"):
        StreamPublisher(address)


@pytest.mark.parametrize("kind", [StreamPublisher, LatestPublisher, ReliableReceiver])
def test_beyond_this_machine_nothing_binds_without_keys(kind: type) -> None:
    with pytest.raises(InsecureAddressError, match="give CURVE keys"):
        kind("tcp://0.0.0.0:*")


def test_beyond_this_machine_nothing_connects_without_keys() -> None:
    with pytest.raises(InsecureAddressError, match="give CURVE keys"):
        StreamSubscriber("tcp://192.0.2.1:5555")


def test_connecting_needs_exactly_one_key_of_the_other_end() -> None:
    curve = Curve(own=KeyPair.generate(), peers=frozenset())
    with pytest.raises(InsecureAddressError, match="one public key"):
        StreamSubscriber("tcp://127.0.0.1:5555", curve=curve)


def test_a_secret_key_is_not_printed() -> None:
    pair = KeyPair.generate()
    assert pair.secret.decode() not in repr(Curve(own=pair, peers=frozenset()))


def test_with_keys_a_known_peer_is_served_and_strangers_hear_nothing(raw: Callable[[int], zmq.Socket[bytes]]) -> None:
    station, friend, stranger = KeyPair.generate(), KeyPair.generate(), KeyPair.generate()
    to_station = frozenset({station.public})
    with StreamPublisher("tcp://0.0.0.0:*", Curve(station, frozenset({friend.public}))) as publisher:
        address = publisher.address.replace("0.0.0.0", "127.0.0.1")
        plain = raw(zmq.SUB)
        plain.subscribe("")
        plain.connect(address)
        with (
            StreamSubscriber(address, curve=Curve(stranger, to_station)) as unknown,
            StreamSubscriber(address, curve=Curve(friend, to_station)) as known,
        ):
            assert publisher.wait_for_subscriptions(1, PATIENCE_S)
            until(lambda: publisher.refused_peers >= 1)
            for seq in range(50):
                publisher.publish("robot", event(seq))
            assert [known.receive(PATIENCE_S) for _ in range(50)] == [("robot", event(seq)) for seq in range(50)]
            assert unknown.receive(0.1) is None
            assert plain.poll(0) == 0


def test_ipc_sockets_work(tmp_path: Path) -> None:
    with StreamPublisher(f"ipc://{tmp_path}/bus") as publisher, StreamSubscriber(publisher.address) as subscriber:
        assert publisher.wait_for_subscriptions(1, PATIENCE_S)
        publisher.publish("robot", event(0))
        assert subscriber.receive(PATIENCE_S) == ("robot", event(0))
