"""What each stream of an episode keeps: its columns, and how messages become them.

A stream is a table of rows in time order; every column is an array with one row per message. What a message does not
say is NaN in a float column and -1 in an integer one. A camera's stream has the times alone, and its encoded frames
beside them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from teleloom.messages import (
    STAGES,
    CameraFrame,
    Controller,
    ControlTick,
    Event,
    JointCommand,
    Message,
    PolicyAction,
    RobotState,
    XrFrame,
)

Columns = dict[str, NDArray[Any]]
Frame = bytes | memoryview

CAMERA_PREFIX = "cameras/"
MESSAGE_TYPES: dict[str, type[Message]] = {
    "robot": RobotState,
    "command": JointCommand,
    "xr": XrFrame,
    "tick": ControlTick,
    "policy": PolicyAction,
}
MAX_TIME_NS = 2**62
"""Times and sequence numbers lie from 0 to here, so that differences of two fit int64."""

MAX_INTERVENTION_NAMES = 64
OTHER_INTERVENTIONS = "other"
JOINTS = -1
"""In a column's shape: as many as the robot has joints."""

Getter = Callable[[Any], Any]


@dataclass(frozen=True)
class Column:
    """One column: numpy dtype, shape of one row, and where a message keeps it (None: the message does not say)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    get: Getter

    def row_shape(self, joints: int) -> tuple[int, ...]:
        """The shape of one row for a robot with this many joints."""
        return tuple(joints if size == JOINTS else size for size in self.shape)

    def fill(self, messages: Sequence[Message], joints: int) -> NDArray[Any]:
        """The column (N, ...) of N messages."""
        dtype, shape = np.dtype(self.dtype), self.row_shape(joints)
        missing: Any = np.nan if dtype.kind == "f" else dtype.type(-1) if dtype.kind == "i" else 0
        values = map(self.get, messages)
        if not shape:
            return np.fromiter((missing if v is None else v for v in values), dtype, len(messages))
        width = shape[0]
        blank = (missing,) * width
        flat = chain.from_iterable(v or blank for v in values)
        return np.fromiter(flat, dtype, len(messages) * width).reshape(len(messages), width)


def _of(name: str, dtype: str, *shape: int, attribute: str = "") -> Column:
    return Column(name, dtype, shape, attrgetter(attribute or name))


def _target(attribute: str) -> Getter:
    get = attrgetter(attribute)

    def pose_and_gripper(message: Message) -> tuple[float, ...] | None:
        target = get(message)
        return None if target is None else (*target[0], target[1])

    return pose_and_gripper


NAN = float("nan")
NO_HAND = Controller(
    pose=(NAN, NAN, NAN, NAN, NAN, NAN, NAN),
    active=False,
    tracked=False,
    linear_velocity=(NAN, NAN, NAN),
    angular_velocity=(NAN, NAN, NAN),
    squeeze=NAN,
    trigger=NAN,
    stick=(NAN, NAN),
)


def _hand(side: str) -> Iterable[Column]:
    hand = attrgetter(side)
    fields: tuple[tuple[str, str, int], ...] = (
        ("pose", "f8", 7),
        ("active", "?", 0),
        ("tracked", "?", 0),
        ("linear_velocity", "f8", 3),
        ("angular_velocity", "f8", 3),
        ("squeeze", "f8", 0),
        ("trigger", "f8", 0),
        ("stick", "f8", 2),
        ("primary", "?", 0),
        ("secondary", "?", 0),
    )
    for name, dtype, width in fields:
        yield Column(f"{side}_{name}", dtype, (width,) if width else (), _hand_field(hand, attrgetter(name)))


def _hand_field(hand: Getter, value: Getter) -> Getter:
    return lambda message: value(hand(message) or NO_HAND)


TIME_COLUMNS = (_of("t_ns", "i8"), _of("t_device_ns", "i8"), _of("seq", "i8"))
LAYOUTS: dict[type[Message], tuple[Column, ...]] = {
    RobotState: (
        *TIME_COLUMNS,
        _of("q", "f8", JOINTS),
        _of("dq", "f8", JOINTS),
        _of("effort", "f8", JOINTS),
        _of("ee_pose", "f8", 7),
        _of("gripper", "f8"),
        _of("wrench", "f8", 6),
    ),
    JointCommand: (*TIME_COLUMNS, _of("q", "f8", JOINTS), _of("dq", "f8", JOINTS), _of("gripper", "f8")),
    XrFrame: (*TIME_COLUMNS, _of("head", "f8", 7), *_hand("left"), *_hand("right")),
    ControlTick: (
        *TIME_COLUMNS,
        _of("mode", "u1"),
        _of("engaged", "?"),
        _of("is_intervention", "?"),
        _of("target_raw", "f8", 7),
        _of("target_filtered", "f8", 7),
        _of("target_executed", "f8", 7),
        _of("gripper_command", "f8"),
        _of("q_command", "f8", JOINTS),
        _of("dq_command", "f8", JOINTS),
        Column("human_target", "f8", (8,), _target("human_target")),
        Column("policy_target", "f8", (8,), _target("policy_target")),
        _of("latency_ns", "i8", len(STAGES)),
    ),
    PolicyAction: (*TIME_COLUMNS, _of("latency_ns", "i8")),
    CameraFrame: TIME_COLUMNS,
}


@dataclass(frozen=True, eq=False)
class Stream:
    """One stream of an episode. columns: name to array (N, ...); attributes: what holds for all rows.

    frames: a camera's N encoded images, in the rows' order; empty for every other stream.
    """

    columns: Columns
    attributes: dict[str, str | int] = field(default_factory=dict)
    frames: Sequence[Frame] = ()

    def __len__(self) -> int:
        return len(self.columns["t_ns"])

    def rows(self, order: NDArray[np.int64]) -> Stream:
        """The stream made of the rows `order`, in that order."""
        if np.array_equal(order, np.arange(len(self))):
            return self
        frames = [self.frames[i] for i in order] if self.frames else ()
        return Stream({name: values[order] for name, values in self.columns.items()}, self.attributes, frames)


def message_type(stream: str) -> type[Message]:
    """The type of the messages of a stream. Raises ValueError for a name that is no stream's."""
    if stream.startswith(CAMERA_PREFIX) and stream.count("/") == 1 and len(stream) > len(CAMERA_PREFIX):
        return CameraFrame
    try:
        return MESSAGE_TYPES[stream]
    except KeyError:
        known = ", ".join(MESSAGE_TYPES)
        raise ValueError(f"no stream is called {stream!r}; there are {known} and {CAMERA_PREFIX}<name>") from None


def has_sound_times(message: Message) -> bool:
    """Whether times and sequence number lie from 0 to MAX_TIME_NS."""
    times = (message.t_ns, message.seq, message.t_device_ns or 0)
    return min(times) >= 0 and max(times) <= MAX_TIME_NS


def fault_of(message: Message, joints: int) -> str:
    """Why a message cannot become a row ("" if it can): the reason under which the ledger counts it.

    A robot that does not measure a joint vector leaves it empty; any other length than `joints` is wrong.
    """
    if not has_sound_times(message):
        return "bad_time"
    if isinstance(message, Event):
        return "" if _is_json(message.data) else "not_json"
    for column in LAYOUTS[type(message)]:
        if column.shape == (JOINTS,) and len(column.get(message)) not in (0, joints):
            return "wrong_joint_count"
    if isinstance(message, ControlTick):
        stages = message.latency_ns
        if stages and (len(stages) != len(STAGES) or min(stages) < 0 or max(stages) > MAX_TIME_NS):
            return "bad_latency"
    if isinstance(message, PolicyAction) and len({len(action) for action in message.chunk}) > 1:
        return "ragged_chunk"
    return ""


class StreamBuilder:
    """Collects the messages of one stream other than a camera's into columns, a block at a time."""

    BLOCK = 4096

    def __init__(self, kind: type[Message], joints: int) -> None:
        self.dropped: Counter[str] = Counter()
        self._kind = kind
        self._joints = joints
        self._pending: list[Any] = []
        self._blocks: list[Columns] = []
        self._names: dict[str, int] = {}

    def add(self, message: Message) -> None:
        """Take one message; one that cannot become a row is counted in `dropped` by its reason."""
        reason = fault_of(message, self._joints) if type(message) is self._kind else "wrong_type"
        if reason:
            self.dropped[reason] += 1
            return
        self._pending.append(message)
        if len(self._pending) == self.BLOCK:
            self._flush()

    def build(self) -> Stream:
        """The stream of everything added, in order of arrival."""
        self._flush()
        blocks = [_padded(block, self._blocks) for block in self._blocks]
        columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        attributes: dict[str, str | int] = {}
        names = json.dumps(list(self._names))
        if self._kind is ControlTick:
            attributes = {"intervention_names": names, "stages": json.dumps(list(STAGES))}
        elif self._kind is PolicyAction:
            attributes = {"policy_versions": names}
        return Stream(columns, attributes)

    def _flush(self) -> None:
        if not self._pending and self._blocks:
            return
        messages, self._pending = self._pending, []
        columns = {column.name: column.fill(messages, self._joints) for column in LAYOUTS[self._kind]}
        if self._kind is ControlTick:
            masks = (self._mask(message.interventions) for message in messages)
            columns["interventions"] = np.fromiter(masks, np.uint64, len(messages))
        elif self._kind is PolicyAction:
            versions = (self._names.setdefault(m.policy_version, len(self._names)) for m in messages)
            columns["policy_version"] = np.fromiter(versions, np.int64, len(messages))
            columns["chunk"] = _chunks([m.chunk for m in messages])
        self._blocks.append(columns)

    def _mask(self, names: tuple[str, ...]) -> int:
        mask = 0
        for name in names:
            mask |= 1 << self._bit(name)
        return mask

    def _bit(self, name: str) -> int:
        if name not in self._names and len(self._names) >= MAX_INTERVENTION_NAMES - 1:
            name = OTHER_INTERVENTIONS
        return self._names.setdefault(name, len(self._names))


def columns_of(messages: Sequence[Message]) -> Columns:
    """The columns of messages of one type, in their order. Raises ValueError when one cannot become a row."""
    kind = type(messages[0])
    vectors = [column.get for column in LAYOUTS[kind] if column.shape == (JOINTS,)]
    builder = StreamBuilder(kind, max((len(get(message)) for get in vectors for message in messages), default=0))
    for message in messages:
        builder.add(message)
    if builder.dropped:
        raise ValueError(f"messages that cannot become rows of one stream: {dict(builder.dropped)}")
    return builder.build().columns


def time_order(t_ns: NDArray[np.int64], seq: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows in order of (t_ns, seq), each once: rows equal in both are one sample sent twice: the first stays."""
    order = np.lexsort((seq, t_ns))
    t, s = t_ns[order], seq[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (t[1:] != t[:-1]) | (s[1:] != s[:-1])
    return order[first]


def frame_is_whole(frame: Frame, codec: str) -> bool:
    """Whether the bytes begin and end as a frame of that codec does: JPEG's markers, or zstd's magic number."""
    if codec == "jpeg":
        return len(frame) > 4 and bytes(frame[:3]) == b"\xff\xd8\xff" and bytes(frame[-2:]) == b"\xff\xd9"
    return codec == "zstd-u16" and len(frame) > 4 and bytes(frame[:4]) == b"\x28\xb5\x2f\xfd"


def _is_json(data: dict[str, Any]) -> bool:
    try:
        msgspec.json.encode(data)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _chunks(chunks: Sequence[tuple[tuple[float, ...], ...]]) -> NDArray[np.float64]:
    horizon = max((len(chunk) for chunk in chunks), default=0)
    width = max((len(action) for chunk in chunks for action in chunk), default=0)
    table = np.full((len(chunks), horizon, width), np.nan)
    for row, chunk in zip(table, chunks, strict=True):
        if chunk:
            row[: len(chunk), : len(chunk[0])] = chunk
    return table


def _padded(block: Columns, blocks: Sequence[Columns]) -> Columns:
    if "chunk" not in block:
        return block
    shape = np.max([other["chunk"].shape[1:] for other in blocks], axis=0)
    chunk = np.full((len(block["chunk"]), *shape), np.nan)
    chunk[:, : block["chunk"].shape[1], : block["chunk"].shape[2]] = block["chunk"]
    return {**block, "chunk": chunk}


def frames_to_stream(
    frames: Sequence[Frame], times: Mapping[str, Sequence[int]], codec: str, size: tuple[int, int], color_order: str
) -> Stream:
    """A camera's stream. times: `t_ns`, `t_device_ns` and `seq` of each frame; size: width and height in pixels."""
    columns = {column.name: np.array(times[column.name], dtype=column.dtype) for column in TIME_COLUMNS}
    attributes: dict[str, str | int] = {
        "codec": codec,
        "width": size[0],
        "height": size[1],
        "color_order": color_order,
    }
    return Stream(columns, attributes, frames)
