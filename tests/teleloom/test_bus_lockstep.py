from __future__ import annotations

import pytest

from teleloom.bus.lockstep import LockstepBus
from teleloom.messages import AnyMessage, Event


def event(seq: int) -> Event:
    return Event(t_ns=seq, seq=seq, kind="test")


class Log(list[tuple[str, int]]):
    def __call__(self, topic: str, message: AnyMessage) -> None:
        self.append((topic, message.seq))


def test_a_subscriber_gets_the_topics_under_its_prefix_before_publish_returns() -> None:
    bus, cameras, everything = LockstepBus(), Log(), Log()
    bus.subscribe("cameras/", cameras)
    bus.subscribe("", everything)
    bus.publish("robot", event(0))
    bus.publish("cameras/wrist", event(1))
    assert cameras == [("cameras/wrist", 1)]
    assert everything == [("robot", 0), ("cameras/wrist", 1)]


def test_messages_published_by_a_callback_reach_everyone_after_the_one_under_way() -> None:
    bus, first, second = LockstepBus(), Log(), Log()

    def answer(topic: str, message: AnyMessage) -> None:
        first(topic, message)
        if topic == "tick":
            bus.publish("events", event(message.seq))

    bus.subscribe("", answer)
    bus.subscribe("", second)
    bus.publish("tick", event(0))
    bus.publish("tick", event(1))
    assert first == second == [("tick", 0), ("events", 0), ("tick", 1), ("events", 1)]


def test_after_unsubscribing_nothing_arrives_even_within_the_delivery_under_way() -> None:
    bus, log = LockstepBus(), Log()
    ends = []
    bus.subscribe("", lambda topic, message: ends[0]())
    ends.append(bus.subscribe("", log))
    bus.publish("robot", event(0))
    ends[0]()
    assert log == []


def test_an_error_in_a_callback_reaches_the_publisher_and_the_bus_goes_on() -> None:
    bus, log = LockstepBus(), Log()

    def fail_once(topic: str, message: AnyMessage) -> None:
        if message.seq == 0:
            bus.publish("events", event(7))
            raise RuntimeError("driver lost")

    bus.subscribe("", fail_once)
    bus.subscribe("events", log)
    with pytest.raises(RuntimeError, match="driver lost"):
        bus.publish("robot", event(0))
    bus.publish("robot", event(1))
    assert log == [("events", 7)]
