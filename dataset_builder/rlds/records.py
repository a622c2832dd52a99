"""`tf.train.Example` in protocol-buffer wire format, written and read without TensorFlow or protobuf.

Schema: tensorflow/core/example/{example,feature}.proto. An Example holds one map from key to a list of bytes, of
float32 or of int64; numbers are packed. A whole episode is one Example: a step feature of shape S over T steps is a
list of T·S values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Values = Sequence[bytes] | NDArray[np.float32] | NDArray[np.int64] | NDArray[np.bool_]
Decoded = list[bytes] | NDArray[np.float32] | NDArray[np.int64]

# Field 1, length-delimited, is the only tag of Example, Features, BytesList and packed lists; a map entry adds field 2.
_FIELD_1 = b"\x0a"
_FIELD_2 = b"\x12"
_BYTES, _FLOATS, _INTS = b"\x0a", b"\x12", b"\x1a"


class BadExampleError(ValueError):
    """Bytes that are not a tf.train.Example."""


def encode_example(features: Mapping[str, Values]) -> bytes:
    """Serialise an Example; see example_parts."""
    return b"".join(example_parts(features))


def example_parts(features: Mapping[str, Values]) -> list[bytes]:
    """A serialised Example in parts to be joined, so that images need not be copied into a record of their own.

    Keys are sorted, so equal features give equal bytes. Lists of bytes become bytes_list, float32 arrays float_list,
    bool and integer arrays int64_list, flattened. Raises TypeError for float64, which the format cannot hold.
    """
    parts: list[bytes] = []
    for key in sorted(features):
        feature = _feature(features[key])
        size = _size(feature)
        name = key.encode()
        head = _FIELD_1 + varint(len(name)) + name + _FIELD_2 + varint(size)
        parts += [_FIELD_1 + varint(len(head) + size) + head, *feature]
    return [_FIELD_1 + varint(_size(parts)), *parts]


def decode_example(data: bytes) -> dict[str, Decoded]:
    """The features of a serialised Example, flat. Raises BadExampleError for anything else."""
    try:
        features: dict[str, Decoded] = {}
        for _, body in _fields(memoryview(data)):
            for _, entry in _fields(body):
                (_, key), (_, feature) = _fields(entry)
                features[bytes(key).decode()] = decode_feature(feature)
        return features
    except (ValueError, IndexError) as error:
        raise BadExampleError(f"not a tf.train.Example: {error}") from None


def decode_feature(feature: memoryview) -> Decoded:
    """The values of one serialised Feature. Raises ValueError or IndexError for anything else."""
    ((kind, body),) = _fields(feature)
    values = [value for _, value in _fields(body)]
    if kind == _BYTES[0]:
        return [bytes(value) for value in values]
    packed = b"".join(values)
    return np.frombuffer(packed, dtype="<f4") if kind == _FLOATS[0] else _decode_varints(packed)


def varint(value: int) -> bytes:
    """A non-negative integer as a protocol-buffer varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def varints(values: NDArray[np.int64]) -> bytes:
    """Many int64 as varints in a row; negative ones take ten bytes, in two's complement."""
    unsigned = values.ravel().astype(np.int64).view(np.uint64)
    if unsigned.size == 0 or unsigned.max() < 0x80:
        return unsigned.astype(np.uint8).tobytes()
    groups = unsigned[:, None] >> (np.uint64(7) * np.arange(10, dtype=np.uint64))
    more = groups[:, 1:] > 0
    encoded = (groups & np.uint64(0x7F)).astype(np.uint8)
    encoded[:, :-1] |= more.astype(np.uint8) << 7
    used = np.concatenate([np.ones((len(unsigned), 1), dtype=bool), more], axis=1)
    return bytes(encoded[used])


def _size(parts: Sequence[bytes]) -> int:
    return sum(map(len, parts))


def _feature(values: Values) -> list[bytes]:
    """A Feature message, in parts."""
    if not isinstance(values, np.ndarray):
        kind = _BYTES
        body = [part for value in values for part in (_FIELD_1 + varint(len(value)), value)]
    else:
        if values.dtype == np.float32:
            kind, packed = _FLOATS, values.astype("<f4").tobytes()
        elif values.dtype.kind in "bi":
            kind, packed = _INTS, varints(values.astype(np.int64))
        else:
            raise TypeError(f"a record holds float32, bool or integers, not {values.dtype}")
        body = [_FIELD_1 + varint(len(packed)), packed]
    return [kind + varint(_size(body)), *body]


def _decode_varints(packed: bytes) -> NDArray[np.int64]:
    raw = np.frombuffer(packed, dtype=np.uint8)
    last = np.flatnonzero(raw < 0x80)
    if raw.size and (last.size == 0 or last[-1] != raw.size - 1):
        raise ValueError("cut in the middle of an integer")
    starts = np.concatenate([[0], last[:-1] + 1]) if last.size else last
    shift = np.arange(raw.size) - np.repeat(starts, np.diff(np.append(starts, raw.size)))
    groups = (raw & 0x7F).astype(np.uint64) << (np.uint64(7) * shift.astype(np.uint64))
    return np.add.reduceat(groups, starts).view(np.int64) if last.size else np.empty(0, dtype=np.int64)


def field_spans(data: memoryview, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int, int]]:
    """The length-delimited fields of a message in `data[start:stop]`: tag byte, start and end of the content.

    Raises ValueError or IndexError for anything else.
    """
    end = len(data) if stop is None else stop
    position = start
    while position < end:
        tag = data[position]
        if tag & 7 != 2:
            raise ValueError(f"unexpected wire type {tag & 7}")
        size, begin = _read_varint(data, position + 1)
        position = begin + size
        if position > end:
            raise ValueError("a field reaches beyond the end")
        yield tag, begin, position


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    return ((tag, data[start:end]) for tag, start, end in field_spans(data))


def _read_varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
