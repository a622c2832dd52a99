"""TFRecord files: each record is its length and its bytes, both followed by a masked CRC32C.

Format: tensorflow/core/lib/io/record_writer.h: uint64 length, uint32 crc(length), data, uint32 crc(data), all little
endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import google_crc32c

_HEADER = struct.Struct("<QI")
_CRC = struct.Struct("<I")
FRAMING_BYTES = _HEADER.size + _CRC.size
_BLOCK_BYTES = 256 * 1024
_MASK_DELTA = 0xA282EAD8

See = Callable[[bytes], object]
"""Called with all bytes of a file in their order, e.g. to hash them."""


class BadRecordError(ValueError):
    """A TFRecord file that is damaged. The message names the file, the record's number and what is wrong."""


def masked_crc(data: bytes) -> int:
    """CRC32C of `data`, rotated and offset as TFRecord wants, so that a CRC of data holding CRCs stays sound."""
    return _masked(int(google_crc32c.value(data)))


def write_record(file: BinaryIO, *parts: bytes) -> None:
    """Append one record, the `parts` joined, to `file`."""
    file.writelines(framed(parts))


def framed(parts: Sequence[bytes]) -> Iterator[bytes]:
    """All that one record of these parts puts into the file, in blocks that are neither small nor a whole record."""
    length = sum(map(len, parts)).to_bytes(8, "little")
    yield length + _CRC.pack(masked_crc(length))
    crc = 0
    for block in _blocks(parts):
        crc = google_crc32c.extend(crc, block)
        yield block
    yield _CRC.pack(_masked(crc))


def _blocks(parts: Sequence[bytes]) -> Iterator[bytes]:
    """The parts joined to blocks that a processor's cache holds: what is done with one is done with it at hand."""
    pending: list[bytes] = []
    size = 0
    for part in parts:
        pending.append(part)
        size += len(part)
        if size >= _BLOCK_BYTES:
            yield b"".join(pending)
            pending, size = [], 0
    if pending:
        yield b"".join(pending)


def read_records(path: Path, see: See | None = None) -> Iterator[bytes]:
    """The records of `path`, one at a time, each checked. Raises BadRecordError at the first damage."""
    remaining = path.stat().st_size
    with path.open("rb") as file:
        number = 0
        while header := file.read(_HEADER.size):
            length, length_crc = _HEADER.unpack(header) if len(header) == _HEADER.size else (0, None)
            if length_crc != masked_crc(header[:8]):
                raise BadRecordError(f"{path}: record {number}: damaged length field; build the dataset again")
            remaining -= length + FRAMING_BYTES
            if remaining < 0:
                raise BadRecordError(f"{path}: record {number}: the file is cut short; build the dataset again")
            data, footer = file.read(length), file.read(_CRC.size)
            if _CRC.unpack(footer)[0] != masked_crc(data):
                raise BadRecordError(f"{path}: record {number}: checksum differs; build the dataset again")
            if see is not None:
                for piece in (header, data, footer):
                    see(piece)
            yield data
            number += 1


def _masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF
