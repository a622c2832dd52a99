"""How ReliableSender and ReliableReceiver talk: every message arrives, once and in order, from the one in control.

The sender numbers its messages, keeps each until the receiver says it was taken, and sends all that are open again
when no answer came in time (go-back-N: Bertsekas & Gallager, Data Networks, 2.4). The receiver takes only the number
that is next; what comes twice or out of order it drops and counts. Control is a lease: it lasts while the sender is
heard, others are refused meanwhile, and after it ended the sender must claim it anew, which forgets what was still
open: an old command must not move an arm later. Neither end has a thread; both work when they are called.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from teleloom.messages import BadMessageError

MAX_ENVELOPE_BYTES = 4096

RequestKind = Literal["claim", "message", "renew", "release"]
ReplyKind = Literal["granted", "taken", "refused"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Session = Annotated[str, msgspec.Meta(min_length=32, max_length=32)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sender says; with kind "message" topic and message follow as two more frames.

    session: one grant of control, a random number in hex. number: of the message, from 0, without a gap.
    """

    kind: RequestKind
    sender: Name
    session: Session
    number: Number = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the receiver answers. number: messages of the session taken so far; lease_ns: how long control lasts."""

    kind: ReplyKind
    session: Session
    number: Number = 0
    lease_ns: Number = 0
    reason: str = ""


EnvelopeT = TypeVar("EnvelopeT", Request, Reply)


def open_envelope(frame: bytes, kind: type[EnvelopeT]) -> EnvelopeT:
    """The envelope in `frame`. Raises BadMessageError when it is none."""
    if len(frame) > MAX_ENVELOPE_BYTES:
        raise BadMessageError(f"envelope of {len(frame)} bytes; at most {MAX_ENVELOPE_BYTES} are accepted")
    try:
        return msgspec.msgpack.decode(frame, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessageError(f"not a {kind.__name__.lower()}: {error}") from None


def seal(envelope: Request | Reply) -> bytes:
    """The frame of an envelope."""
    return msgspec.msgpack.encode(envelope)
