"""The journal: every message of an episode in order of arrival, in an append-only MCAP file without chunks.

The file is not buffered: what `append` returned from has reached the kernel and outlives the process. Its first record
after the header is the episode's metadata, so a journal that was cut anywhere needs nothing else to be finalised. Any
MCAP reader can open it; the messages are msgpack (`teleloom.messages`).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import Channel, DataEnd, Footer, Header, Metadata

from recorder.errors import JournalError, RecorderError, UnusableJournalError
from teleloom.episode.meta import EpisodeMeta, Outcome
from teleloom.episode.streams import MAX_TIME_NS
from teleloom.files import dumps_json
from teleloom.messages import MAX_MESSAGE_BYTES, AnyMessage, encode

MAGIC = b"\x89MCAP0\r\n"
LIBRARY = "teleloom"
META_NOTE = "teleloom.meta"
COUNTS_NOTE = "teleloom.counts"
STOP_NOTE = "teleloom.stop"
NOTE_KEY = "json"
JOURNAL_FOLDER = "journal"
SUFFIX = ".mcap"
MAX_CHANNELS = 256
JOIN_BYTES = 4096
"""Below this, copying head and data together is faster than a gathering write."""

_RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")
_RECORD_AND_MESSAGE = struct.Struct("<BQHIQQ")
_UINT16 = struct.Struct("<H")
_UINT32 = struct.Struct("<I")
MAX_RECORD_BYTES = _MESSAGE.size + MAX_MESSAGE_BYTES
KNOWN_OPCODES = frozenset(Opcode)


class StreamCounts(msgspec.Struct):
    """What the recorder counted of a stream: messages given to it, and those not in the journal, by reason."""

    received: int = 0
    dropped: dict[str, int] = {}


class StopNote(msgspec.Struct):
    """What is known when an episode ends."""

    outcome: Outcome
    success_check: bool | None
    notes: str


def journal_path(root: Path, episode_id: str) -> Path:
    """Where the journal of an episode that is being recorded lies under a station's root."""
    return root / JOURNAL_FOLDER / f"{episode_id}{SUFFIX}"


def lock(descriptor: int) -> bool:
    """Claim a journal for this process; False when another one has it. The claim ends when the file is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class JournalWriter:
    """Appends one episode's messages.

    Raises FileExistsError when the journal is there already, RecorderError for metadata that JSON cannot hold.

    After an OSError from `append` (a full disk) the file ends after its last whole record, and can still be closed.
    """

    def __init__(self, path: Path, meta: EpisodeMeta) -> None:
        try:
            text = dumps_json(meta.model_dump(mode="json"))
        except ValueError as error:
            raise RecorderError(
                f"metadata of episode {meta.episode_id}: {error}; every number must be finite"
            ) from None
        self.path = path
        self.bytes_written = 0
        self._channels: dict[str, int] = {}
        self._sequence = 0
        if path.exists():
            raise FileExistsError(f"{path} is there already; every episode needs an id of its own")
        # Under its own name only when claimed and complete with its metadata: recovery never sees less.
        hidden = path.with_name(f".{path.name}.tmp")
        self._fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not lock(self._fd):
            # The file is the other process's: it must not be cleared away here.
            self.close()
            raise RecorderError(f"{path} is being recorded by another process; stop one of the two")
        try:
            os.ftruncate(self._fd, 0)
            self._write(MAGIC + _record(Header(profile="", library=LIBRARY)))
            self._write(_record(Metadata(META_NOTE, {NOTE_KEY: text})))
            hidden.rename(path)
        except BaseException:
            self.close()
            hidden.unlink(missing_ok=True)
            raise

    @property
    def descriptor(self) -> int:
        """The open file, which carries the claim on the journal."""
        return self._fd

    def append(self, stream: str, message: AnyMessage) -> None:
        """Write one message.

        Raises OSError when the disk refuses it, and TypeError or ValueError when it could not be read back.
        """
        data = encode(message)
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"message of {len(data)} bytes on {stream}; at most {MAX_MESSAGE_BYTES} can be kept")
        channel = self._channels.get(stream) or self._add_channel(stream)
        t_ns = min(max(0, message.t_ns), MAX_TIME_NS)
        self._sequence += 1
        head = _RECORD_AND_MESSAGE.pack(
            Opcode.MESSAGE, _MESSAGE.size + len(data), channel, self._sequence & 0xFFFFFFFF, t_ns, t_ns
        )
        if len(data) < JOIN_BYTES:
            self._write(head + data)
        else:
            self._write(head, data)

    def note_counts(self, counts: dict[str, StreamCounts]) -> None:
        """Write the counts so far. Raises OSError as `append` does."""
        self._write(_note(COUNTS_NOTE, counts))

    def note_stop(self, stop: StopNote) -> None:
        """Write how the episode ended. Raises OSError as `append` does."""
        self._write(_note(STOP_NOTE, stop))

    def end(self) -> None:
        """Mark the journal as whole. The file stays open, and claimed, until `close`."""
        self._write(_record(DataEnd(0)) + _record(Footer(0, 0, 0)) + MAGIC)

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Give up the file and the claim. Safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _add_channel(self, stream: str) -> int:
        channel = len(self._channels) + 1
        self._write(_record(Channel(channel, stream, "msgpack", {}, 0)))
        self._channels[stream] = channel
        return channel

    def _write(self, head: bytes, data: bytes = b"") -> None:
        size = len(head) + len(data)
        try:
            written = os.writev(self._fd, (head, data)) if data else os.write(self._fd, head)
            if written < size:
                self._write_rest((head + data)[written:])
        except OSError:
            os.ftruncate(self._fd, self.bytes_written)
            os.lseek(self._fd, self.bytes_written, os.SEEK_SET)
            raise
        self.bytes_written += size

    def _write_rest(self, rest: bytes) -> None:
        while rest:
            rest = rest[os.write(self._fd, rest) :]


@dataclass
class JournalReader:
    """A journal, whole or cut anywhere: its metadata, its notes, and its messages as far as they go.

    `messages` must be run through before the other fields say anything. counts: as last noted. stop: None unless the
    episode was ended. records: whole message records. lost_records: numbers of the journal's own count that are
    missing. cut_bytes: what lies behind the last whole record. cut_stream: the stream of the record that was cut, ""
    where unknown. damaged: what lies behind is more than one record that was cut. ended: it was closed well.
    """

    path: Path
    meta: EpisodeMeta | None = None
    counts: dict[str, StreamCounts] = field(default_factory=dict)
    stop: StopNote | None = None
    records: int = 0
    lost_records: int = 0
    cut_bytes: int = 0
    cut_stream: str = ""
    damaged: bool = False
    ended: bool = False

    def messages(self) -> Iterator[tuple[str, memoryview]]:
        """Stream and msgpack bytes of each message, in order of arrival. The bytes are views into the mapped file.

        Raises UnusableJournalError when the file is no MCAP file, and JournalError for notes that cannot be understood;
        a cut or a damaged record ends the iteration.
        """
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < len(MAGIC):
                self.cut_bytes = os.fstat(file.fileno()).st_size
                return
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        if view[: len(MAGIC)] != MAGIC:
            raise UnusableJournalError(f"{self.path} is no MCAP file")
        channels: dict[int, str] = {}
        position, last = len(MAGIC), 0
        while not self.ended and position + _RECORD.size <= len(view):
            opcode, length = _RECORD.unpack_from(view, position)
            body = view[position + _RECORD.size : position + _RECORD.size + length]
            if len(body) < length or not _is_sound(opcode, body):
                self.cut_stream = _stream_of(opcode, body, channels)
                self.damaged = opcode not in KNOWN_OPCODES or length == len(body) or length > MAX_RECORD_BYTES
                break
            position += _RECORD.size + length
            if opcode == Opcode.MESSAGE:
                channel, sequence, _, _ = _MESSAGE.unpack_from(body)
                if channel not in channels:
                    self.lost_records += 1
                    continue
                self.records += 1
                self.lost_records += (sequence - last - 1) & 0xFFFFFFFF
                last = sequence
                yield channels[channel], body[_MESSAGE.size :]
            elif opcode == Opcode.CHANNEL and len(channels) < MAX_CHANNELS:
                channels[_UINT16.unpack_from(body)[0]] = _string(body, 4)[0]
            elif opcode == Opcode.METADATA:
                self._take_note(body)
            elif opcode == Opcode.FOOTER:
                self.ended = True
                position += len(MAGIC)
        self.cut_bytes = max(0, len(view) - position)

    def _take_note(self, body: memoryview) -> None:
        name, position = _string(body, 0)
        key_size = _UINT32.size + len(NOTE_KEY)
        text = bytes(body[position + _UINT32.size + key_size + _UINT32.size :])
        try:
            if name == META_NOTE and self.meta is None:
                self.meta = EpisodeMeta.model_validate_json(text)
            elif name == COUNTS_NOTE:
                self.counts = msgspec.json.decode(text, type=dict[str, StreamCounts])
            elif name == STOP_NOTE:
                self.stop = msgspec.json.decode(text, type=StopNote)
        except ValueError as error:
            raise JournalError(f"{self.path} has a note {name!r} that cannot be used: {error}") from None


def _record(content: Header | Channel | Metadata | DataEnd | Footer) -> bytes:
    builder = RecordBuilder()
    content.write(builder)
    data: bytes = builder.end()
    return data


def _note(name: str, value: Any) -> bytes:
    return _record(Metadata(name=name, metadata={NOTE_KEY: msgspec.json.encode(value).decode()}))


def _string(body: memoryview, position: int) -> tuple[str, int]:
    (length,) = _UINT32.unpack_from(body, position)
    start = position + _UINT32.size
    return bytes(body[start : start + length]).decode(), start + length


def _is_sound(opcode: int, body: memoryview) -> bool:
    if opcode == Opcode.MESSAGE:
        return _MESSAGE.size <= len(body) <= MAX_RECORD_BYTES
    if opcode in (Opcode.CHANNEL, Opcode.METADATA):
        return _is_named(body, 4 if opcode == Opcode.CHANNEL else 0)
    return opcode in KNOWN_OPCODES


def _is_named(body: memoryview, position: int) -> bool:
    if len(body) < position + 2 * _UINT32.size:
        return False
    try:
        _, end = _string(body, position)
    except UnicodeDecodeError:
        return False
    return end + _UINT32.size <= len(body) <= MAX_RECORD_BYTES


def _stream_of(opcode: int, body: memoryview, channels: dict[int, str]) -> str:
    if opcode != Opcode.MESSAGE or len(body) < _UINT16.size:
        return ""
    return channels.get(_UINT16.unpack_from(body)[0], "")
