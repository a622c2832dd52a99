from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teleloom.messages import (
    MAX_MESSAGE_BYTES,
    AnyMessage,
    BadMessageError,
    CameraFrame,
    Controller,
    ControlMode,
    ControlTick,
    Event,
    JointCommand,
    Message,
    PolicyAction,
    RobotState,
    XrFrame,
    decode,
    encode,
)

times = st.integers(0, 2**62)
reals = st.floats(allow_nan=False)
poses = st.tuples(*[reals] * 7)
vectors = st.lists(reals, max_size=8).map(tuple)
head = {"t_ns": times, "seq": times, "t_device_ns": st.none() | times}
controllers = st.builds(
    Controller,
    pose=poses,
    active=st.booleans(),
    tracked=st.booleans(),
    linear_velocity=st.tuples(reals, reals, reals),
    angular_velocity=st.tuples(reals, reals, reals),
    squeeze=reals,
    trigger=reals,
    stick=st.tuples(reals, reals),
    primary=st.booleans(),
    secondary=st.booleans(),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | reals | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
targets = st.none() | st.tuples(poses, reals)
messages: st.SearchStrategy[AnyMessage] = st.one_of(
    st.builds(XrFrame, **head, head=st.none() | poses, left=st.none() | controllers, right=st.none() | controllers),
    st.builds(
        RobotState,
        **head,
        q=vectors,
        dq=vectors,
        effort=vectors,
        ee_pose=poses,
        gripper=reals,
        wrench=st.none() | st.tuples(*[reals] * 6),
    ),
    st.builds(JointCommand, **head, q=vectors, dq=vectors, gripper=reals),
    st.builds(CameraFrame, **head, camera=st.text(), codec=st.text(), width=times, height=times, data=st.binary()),
    st.builds(
        ControlTick,
        **head,
        mode=st.sampled_from(ControlMode),
        engaged=st.booleans(),
        is_intervention=st.booleans(),
        target_raw=st.none() | poses,
        target_filtered=st.none() | poses,
        target_executed=poses,
        gripper_command=reals,
        q_command=vectors,
        dq_command=vectors,
        human_target=targets,
        policy_target=targets,
        interventions=st.lists(st.text()).map(tuple),
        latency_ns=st.lists(times).map(tuple),
    ),
    st.builds(
        PolicyAction, **head, policy_version=st.text(), chunk=st.lists(vectors, max_size=3).map(tuple), latency_ns=times
    ),
    st.builds(
        Event, **head, kind=st.text(), reason=st.text(), data=st.dictionaries(st.text(), json_values, max_size=3)
    ),
)


@given(messages)
def test_every_message_survives_the_wire(message: AnyMessage) -> None:
    assert decode(encode(message)) == message
    assert decode(memoryview(encode(message))) == message


@given(st.binary(max_size=300))
@settings(max_examples=500)
def test_of_any_bytes_only_a_bad_message_error_comes(data: bytes) -> None:
    try:
        message = decode(data)
    except BadMessageError:
        return
    assert isinstance(message, Message)


@given(messages, st.data())
@settings(max_examples=300)
def test_a_damaged_message_is_refused_or_still_a_message(message: AnyMessage, data: st.DataObject) -> None:
    damaged = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    for hostile in (damaged, damaged[:cut]):
        try:
            assert isinstance(decode(bytes(hostile)), AnyMessage)
        except BadMessageError:
            continue


@given(messages)
def test_a_message_cut_short_is_refused(message: AnyMessage) -> None:
    with pytest.raises(BadMessageError):
        decode(encode(message)[:-1])


@pytest.mark.parametrize(
    "hostile",
    [
        {"type": "Nonsense", "t_ns": 0, "seq": 0},
        {"t_ns": 0, "seq": 0, "kind": "x"},
        {"type": "Event", "t_ns": "0", "seq": 0, "kind": "x"},
        {"type": "Event", "t_ns": 0.5, "seq": 0, "kind": "x"},
        {"type": "JointCommand", "t_ns": 0, "seq": 0, "q": [0.0], "dq": ["x"], "gripper": 0.0},
        {"type": "ControlTick", "t_ns": 0, "seq": 0, "mode": 9},
        {"type": "XrFrame", "t_ns": 0, "seq": 0, "head": [0.0] * 6},
        [],
        None,
    ],
)
def test_a_wrong_field_is_refused_by_name(hostile: object) -> None:
    with pytest.raises(BadMessageError, match="not a station message"):
        decode(msgspec.msgpack.encode(hostile))


def test_nesting_without_end_is_refused() -> None:
    start = msgspec.msgpack.encode({"type": "Event", "t_ns": 0, "seq": 0, "kind": "x", "data": {"a": []}})[:-1]
    with pytest.raises(BadMessageError):
        decode(start + b"\x91" * 1_000_000 + b"\xc0")


def test_what_is_larger_than_the_limit_is_not_even_decoded() -> None:
    with pytest.raises(BadMessageError, match="at most 16777216 are accepted"):
        decode(bytes(MAX_MESSAGE_BYTES + 1))


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Event(t_ns=0, seq=0, kind="x").kind = "y"  # type: ignore[misc]
