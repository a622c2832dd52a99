"""TFRecord files: each record is its length and its bytes, both followed by a masked CRC32C.

Format: tensorflow/core/lib/io/record_writer.h: uint64 length, uint32 crc(length), data, uint32 crc(data), all little
endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import google_crc32c

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
FRAMING_BYTES = _HEADER.size + _FOOTER.size
_MASK_DELTA = 0xA282EAD8


class BadRecordError(ValueError):
    """A TFRecord file that is damaged. The message names the file, the record's number and what is wrong."""


def masked_crc(data: bytes) -> int:
    """CRC32C of `data`, rotated and offset as TFRecord wants, so that a CRC of data holding CRCs stays sound."""
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def write_record(file: BinaryIO, data: bytes) -> None:
    """Append one record to `file`."""
    length = len(data).to_bytes(8, "little")
    file.writelines((_HEADER.pack(len(data), masked_crc(length)), data, _FOOTER.pack(masked_crc(data))))


def read_records(path: Path) -> Iterator[bytes]:
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
            data, footer = file.read(length), file.read(_FOOTER.size)
            if _FOOTER.unpack(footer)[0] != masked_crc(data):
                raise BadRecordError(f"{path}: record {number}: checksum differs; build the dataset again")
            yield data
            number += 1
