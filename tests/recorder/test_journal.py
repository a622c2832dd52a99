"""The journal is an MCAP file that any reader opens, whole or cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mcap.reader import make_reader
from mcap.records import Channel, Message, Metadata
from mcap.stream_reader import StreamReader
from recording import make_meta, robot_state, station_messages

from recorder.journal import META_NOTE, JournalReader, JournalWriter, StopNote, StreamCounts
from teleloom.messages import MAX_MESSAGE_BYTES, Event, decode


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.mcap"
    writer = JournalWriter(path, make_meta())
    for stream, message in station_messages(0.5):
        writer.append(stream, message)
    writer.note_counts({"robot": StreamCounts(100, {"queue_full": 2})})
    writer.note_stop(StopNote("success", True, "neat"))
    writer.end()
    assert path.stat().st_size == writer.bytes_written
    writer.close()
    return path


def test_every_message_comes_back_in_order_of_arrival(journal: Path) -> None:
    reader = JournalReader(journal)
    found = [(stream, decode(data)) for stream, data in reader.messages()]
    assert found == list(station_messages(0.5))
    assert reader.meta == make_meta()
    assert reader.counts == {"robot": StreamCounts(100, {"queue_full": 2})}
    assert reader.stop == StopNote("success", True, "neat")
    assert (reader.records, reader.lost_records, reader.cut_bytes, reader.ended) == (len(found), 0, 0, True)


def test_the_mcap_library_reads_it(journal: Path) -> None:
    with journal.open("rb") as file:
        records = list(StreamReader(file).records)
    messages = [decode(record.data) for record in records if isinstance(record, Message)]
    assert messages == [message for _, message in station_messages(0.5)]
    assert {record.topic for record in records if isinstance(record, Channel)} == {
        stream for stream, _ in station_messages(0.5)
    }
    meta = next(record for record in records if isinstance(record, Metadata))
    assert records.index(meta) == 1
    assert meta.name == META_NOTE
    assert json.loads(meta.metadata["json"])["episode_id"] == "episode-1"
    with journal.open("rb") as file:
        times = [message.log_time for _, _, message in make_reader(file).iter_messages(topics=["robot"])]
    assert times == [message.t_ns for stream, message in station_messages(0.5) if stream == "robot"]


def test_a_cut_is_seen_and_says_which_stream_it_hit(journal: Path) -> None:
    reader = JournalReader(journal)
    list(reader.messages())
    data = journal.read_bytes()
    last_robot = data.rindex(robot_bytes := b"RobotState")
    journal.write_bytes(data[: last_robot + len(robot_bytes)])
    cut = JournalReader(journal)
    kept = list(cut.messages())
    assert len(kept) < reader.records
    assert cut.cut_stream == "robot"
    assert cut.cut_bytes > 0
    assert not cut.ended


def test_a_journal_is_never_written_over(journal: Path) -> None:
    before = journal.read_bytes()
    with pytest.raises(FileExistsError):
        JournalWriter(journal, make_meta())
    assert journal.read_bytes() == before


def test_a_message_too_large_to_be_read_back_is_refused(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j.mcap", make_meta())
    with pytest.raises(ValueError, match="can be kept"):
        writer.append("events", Event(t_ns=0, seq=0, kind="x", reason="y" * MAX_MESSAGE_BYTES))
    writer.append("robot", robot_state(0, 0))
    writer.close()
    reader = JournalReader(tmp_path / "j.mcap")
    assert [stream for stream, _ in reader.messages()] == ["robot"]
    assert reader.lost_records == 0
