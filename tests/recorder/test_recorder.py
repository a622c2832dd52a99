"""Recording an episode: everything taken is in the file or counted, in lockstep and in real time."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from recording import (
    CAMERAS,
    LOCKSTEP,
    MS,
    assert_balanced,
    assert_nothing_shifted,
    camera_frame,
    control_tick,
    make_meta,
    record,
    recorder_at,
    robot_state,
)

from recorder.config import RecorderConfig
from recorder.disk import minutes_left
from recorder.errors import DiskFullError, RecorderError
from recorder.journal import JournalReader, JournalWriter, journal_path
from recorder.recorder import Recorder
from recorder.recovery import recover
from recorder.sinks import QueuedSink, Tally
from teleloom.clock import MonotonicClock, VirtualClock
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader
from teleloom.messages import AnyMessage, CameraFrame, Event, decode
from teleloom.quality import QualityReport

REAL_TIME = RecorderConfig(min_free_bytes=0, quality=False)


@pytest.mark.parametrize("config", [LOCKSTEP, REAL_TIME], ids=["lockstep", "real time"])
def test_an_episode_holds_every_message_and_the_journal_is_gone(config: RecorderConfig, tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path, config)
    recorder.start(make_meta())
    record(recorder)
    pending = recorder.stop("success", success_check=True, notes="neat")
    path = pending.result(120)
    recorder.close()
    assert path == episode_path(tmp_path, "episode-1")
    assert list((tmp_path / "journal").iterdir()) == []
    with EpisodeReader(path) as reader:
        reader.verify()
        assert_nothing_shifted(reader)
        assert_balanced(reader)
        assert (reader.meta.outcome, reader.meta.success_check, reader.meta.notes) == ("success", True, "neat")
        assert len(reader.stream("robot")["t_ns"]) == len(reader.stream("tick")["t_ns"]) == 200
        assert [len(reader.stream(f"cameras/{name}")["t_ns"]) for name in CAMERAS] == [10, 10]
        assert [event.reason for event in reader.events()] == ["primary"]
        assert reader.ledger["journal"] == {
            "records": 421,
            "lost_records": 0,
            "cut_bytes": 0,
            "damaged": False,
            "ended": True,
        }
        assert reader.ledger["streams"]["events"]["received"] == 1


def test_lockstep_repeats_byte_for_byte(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        recorder = recorder_at(tmp_path / name)
        recorder.start(make_meta())
        record(recorder)
        contents.append(recorder.stop("success").result().read_bytes())
    assert contents[0] == contents[1]


def test_the_next_episode_starts_while_the_last_is_finalised(tmp_path: Path) -> None:
    finished: list[str] = []
    recorder = Recorder(tmp_path, REAL_TIME, MonotonicClock(), lambda path, quality: finished.append(path.stem))
    pending = []
    for number in range(3):
        recorder.start(make_meta(f"episode-{number}"))
        record(recorder)
        pending.append(recorder.stop("success"))
    assert recorder.status().finalising > 0
    assert [item.result(120).stem for item in pending] == finished == [f"episode-{i}" for i in range(3)]
    recorder.close()
    assert recorder.status().finalising == 0


def test_the_verdict_comes_with_the_file(tmp_path: Path) -> None:
    told: list[tuple[Path, QualityReport | None]] = []
    for lockstep in (True, False):
        config = RecorderConfig(lockstep=lockstep, min_free_bytes=0)
        recorder = Recorder(tmp_path, config, VirtualClock(), lambda path, quality: told.append((path, quality)))
        recorder.start(make_meta(f"episode-{lockstep}"))
        for i in range(100):
            recorder.take("robot", robot_state(i * 5 * MS, 0))
        pending = recorder.stop("success")
        quality = pending.quality(120)
        recorder.close()
        assert quality is not None
        assert quality.verdict == "bad"
        assert told[-1] == (pending.result(), quality)
    assert told[0][1] == told[1][1]


def test_damaged_repeated_and_foreign_messages_leave_holes_that_are_counted(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path)
    recorder.start(make_meta())
    record(recorder)
    cut = camera_frame("front", 1000 * MS, 10)
    recorder.take("cameras/front", CameraFrame(**{**fields(cut), "data": cut.data[:-1]}))
    recorder.take("cameras/front", CameraFrame(**{**fields(cut), "seq": 11, "width": 32}))
    recorder.take("cameras/front", camera_frame("front", 1100 * MS, 12))
    recorder.take("cameras/front", camera_frame("front", 1100 * MS, 12))
    recorder.take("robot", robot_state(3 * MS - 1, 1000))
    recorder.take("tick", control_tick(-5, 1001))
    recorder.take("events", Event(t_ns=1, seq=1, kind="odd", data={"no": object()}))
    with EpisodeReader(recorder.stop().result()) as reader:
        assert_nothing_shifted_but_late(reader)
        assert_balanced(reader)
        streams = reader.ledger["streams"]
        assert streams["cameras/front"]["dropped"] == {"bad_frame": 1, "duplicate": 1, "other_format": 1}
        assert streams["cameras/front"]["missing_seq"] == 2
        assert streams["tick"]["dropped"] == {"bad_time": 1}
        assert streams["events"]["dropped"] == {"not_encodable": 1}
        assert reader.stream("robot")["seq"][:3].tolist() == [0, 1000, 1]


def fields(frame: CameraFrame) -> dict[str, object]:
    return {name: getattr(frame, name) for name in frame.__struct_fields__}


def assert_nothing_shifted_but_late(reader: EpisodeReader) -> None:
    assert_nothing_shifted(reader)
    assert len(reader.stream("robot")["seq"]) == 201


class HangingJournal(JournalWriter):
    """On a disk that takes nothing until released."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, make_meta())
        self.asked, self.released = threading.Event(), threading.Event()

    def append(self, stream: str, message: AnyMessage) -> None:
        self.asked.set()
        self.released.wait()
        super().append(stream, message)


@pytest.mark.parametrize(("max_messages", "max_bytes"), [(50, 10**9), (10**9, 50 * 600)])
def test_a_disk_that_hangs_makes_holes_that_are_counted_and_no_producer_wait(
    max_messages: int, max_bytes: int, tmp_path: Path
) -> None:
    journal, tally = HangingJournal(tmp_path / "j.mcap"), Tally()
    sink = QueuedSink(journal, tally, max_messages, max_bytes, sync_interval_s=0)
    sink.put("cameras/front", camera_frame("front", 0, 0, size=600))
    assert journal.asked.wait(60)
    for i in range(1, 200):
        sink.put("cameras/front", camera_frame("front", i, i, size=600))
    assert tally.dropped == {"cameras/front": {"queue_full": 149}}
    journal.released.set()
    sink.finish()
    journal.close()
    reader = JournalReader(tmp_path / "j.mcap")
    frames = [decode(data) for _, data in reader.messages()]
    assert [frame.seq for frame in frames] == list(range(51))
    assert reader.counts["cameras/front"].dropped == {"queue_full": 149}


def test_many_producers_lose_nothing(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path, REAL_TIME.model_copy(update={"queue_messages": 100_000}))
    recorder.start(make_meta())

    def produce(camera: str) -> None:
        for i in range(500):
            recorder.take(f"cameras/{camera}", camera_frame(camera, i * MS, i))

    threads = [threading.Thread(target=produce, args=(camera,)) for camera in CAMERAS]
    for thread in threads:
        thread.start()
    for i in range(500):
        recorder.take("robot", robot_state(i * MS, i))
    for thread in threads:
        thread.join()
    with EpisodeReader(recorder.stop().result(120)) as reader:
        assert_nothing_shifted(reader)
        assert {name: len(reader.stream(name)["t_ns"]) for name in reader.stream_names} == {
            "cameras/front": 500,
            "cameras/wrist": 500,
            "robot": 500,
        }
    recorder.close()


def test_status_tells_rates_counts_and_how_long_the_disk_lasts(tmp_path: Path) -> None:
    clock = VirtualClock()
    recorder = recorder_at(tmp_path, clock=clock)
    idle = recorder.status()
    assert (idle.episode_id, idle.streams, idle.minutes_left) == (None, {}, float("inf"))
    recorder.start(make_meta())
    record(recorder, seconds=2.0)
    clock.sleep_until(2000 * MS)
    status = recorder.status()
    assert status.episode_id == "episode-1"
    assert status.duration_s == 2.0
    assert status.streams["robot"].rate_hz == pytest.approx(200.0, rel=0.05)
    assert status.streams["cameras/front"].rate_hz == pytest.approx(10.0, rel=0.05)
    assert (status.streams["robot"].received, status.streams["robot"].dropped) == (400, 0)
    assert status.journal_bytes > 100_000
    expected = minutes_left(status.free_bytes, 0, status.journal_bytes / 2.0)
    assert status.minutes_left == pytest.approx(expected)
    clock.sleep_until(12_000 * MS)
    assert recorder.status().streams["robot"].rate_hz < 10.0
    recorder.discard("only a test")


def test_a_discarded_episode_is_set_aside_with_its_reason_and_can_be_brought_back(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path)
    recorder.start(make_meta())
    record(recorder)
    kept = recorder.discard("the lemon fell")
    assert kept == tmp_path / "discarded" / "episode-1.mcap"
    note = json.loads((tmp_path / "discarded" / "episode-1.mcap.json").read_text())
    assert note == {"file": "episode-1.mcap", "reason": "the lemon fell"}
    assert recorder.status().discarded == 1
    assert recover(tmp_path) == []
    kept.rename(journal_path(tmp_path, "episode-1"))
    assert [item.state for item in recover(tmp_path)] == ["finalised"]


def test_closing_keeps_the_running_episode(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path, REAL_TIME)
    recorder.start(make_meta())
    record(recorder)
    recorder.close()
    with EpisodeReader(episode_path(tmp_path, "episode-1")) as reader:
        assert reader.meta.outcome == "unknown"
        assert len(reader.stream("robot")["t_ns"]) == 200


def test_between_episodes_messages_are_ignored(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path)
    record(recorder)
    assert recorder.status().streams == {}


def test_misuse_is_named(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path)
    with pytest.raises(RecorderError, match="no episode"):
        recorder.stop()
    recorder.start(make_meta())
    with pytest.raises(RecorderError, match="episode-1 is being recorded"):
        recorder.start(make_meta("episode-2"))
    with pytest.raises(ValueError, match="keeps RobotState, not ControlTick"):
        recorder.take("robot", control_tick(0, 0))
    with pytest.raises(ValueError, match="no stream is called 'hud'"):
        recorder.take("hud", control_tick(0, 0))
    with pytest.raises(ValueError, match="frame of camera 'wrist'"):
        recorder.take("cameras/front", camera_frame("wrist", 0, 0))
    record(recorder)
    recorder.stop().result()
    with pytest.raises(RecorderError, match="there already"):
        recorder.start(make_meta())


def test_metadata_that_json_cannot_hold_is_refused_before_the_first_message(tmp_path: Path) -> None:
    meta = make_meta()
    endless = meta.robot.model_copy(update={"q_max": (float("inf"),) * 7})
    recorder = recorder_at(tmp_path)
    with pytest.raises(RecorderError, match="must be finite"):
        recorder.start(meta.model_copy(update={"robot": endless}))
    assert recorder.status().episode_id is None
    recorder.start(meta)
    recorder.discard("a test")


def test_an_episode_without_a_sample_is_an_error_and_its_journal_stays_until_recovery(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path)
    recorder.start(make_meta())
    pending = recorder.stop()
    with pytest.raises(RecorderError, match="holds no message"):
        pending.result()
    assert [item.state for item in recover(tmp_path)] == ["discarded"]


def test_recording_refuses_to_start_below_the_reserve(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path, RecorderConfig(min_free_bytes=10**18))
    with pytest.raises(DiskFullError, match=r"disk mounted at /.*below the reserve.*hold .* more minutes; free some"):
        recorder.start(make_meta())
    assert recorder.status().episode_id is None
    recorder.close()
