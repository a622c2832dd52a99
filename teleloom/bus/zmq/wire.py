"""What is on the wire: two frames, topic and message. Nothing that comes off it is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from teleloom.messages import MAX_MESSAGE_BYTES, AnyMessage, BadMessageError, decode, encode

MAX_TOPIC_BYTES = 256


@dataclass
class Faults:
    """What came in and could not be used: how often, and what was wrong with the last one."""

    count: int = 0
    last: str = ""

    def add(self, reason: str) -> None:
        """Count one more."""
        self.count += 1
        self.last = reason


def pack(topic: str, message: AnyMessage) -> list[bytes]:
    """The two frames of a message. Raises BadMessageError when the receiving side would refuse them for their size."""
    name, payload = topic.encode(), encode(message)
    if len(name) > MAX_TOPIC_BYTES:
        raise BadMessageError(f"topic of {len(name)} bytes; at most {MAX_TOPIC_BYTES} are accepted")
    if len(payload) > MAX_MESSAGE_BYTES:
        raise BadMessageError(f"{topic}: message of {len(payload)} bytes; at most {MAX_MESSAGE_BYTES} are accepted")
    return [name, payload]


def unpack(frames: Sequence[bytes]) -> tuple[str, AnyMessage]:
    """Topic and message from received frames. Raises BadMessageError for anything else than what `pack` makes."""
    if len(frames) != 2:
        raise BadMessageError(f"{len(frames)} frames instead of topic and message")
    name, payload = frames
    if len(name) > MAX_TOPIC_BYTES:
        raise BadMessageError(f"topic of {len(name)} bytes; at most {MAX_TOPIC_BYTES} are accepted")
    try:
        topic = name.decode()
    except UnicodeDecodeError:
        raise BadMessageError(f"topic {name!r} is not UTF-8") from None
    try:
        return topic, decode(payload)
    except BadMessageError as error:
        raise BadMessageError(f"{topic}: {error}") from None
