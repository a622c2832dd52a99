"""A recording process is killed at random moments: every file opens, little is lost, nothing shifts, all is counted."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import struct
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from recording import (
    CAMERAS,
    MS,
    assert_balanced,
    assert_nothing_shifted,
    camera_frame,
    make_meta,
    record,
    recorder_at,
    robot_state,
)

from recorder.config import RecorderConfig
from recorder.recorder import Recorder
from recorder.recovery import recover
from teleloom.clock import MonotonicClock
from teleloom.episode.reader import EpisodeReader

KILLS = 30
AT_A_TIME = 2
FRAME_BYTES = 75_000
MAX_LOST_MS = 100.0
TAKEN = struct.Struct("<BQq")
STREAMS = ("robot", *(f"cameras/{name}" for name in CAMERAS))

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["recorder.recorder"])


def station(root: Path, episode_id: str, taken: Connection) -> None:
    """Record a robot at 200 Hz and two cameras at 30 Hz in real time until killed, saying what was taken."""
    clock = MonotonicClock()
    recorder = Recorder(root, RecorderConfig(min_free_bytes=0), clock)
    recorder.start(make_meta(episode_id))

    def produce(number: int, period_ns: int) -> None:
        stream = STREAMS[number]
        begin = clock.now_ns()
        seq = 0
        while True:
            clock.sleep_until(begin + seq * period_ns)
            t_ns = clock.now_ns()
            if number == 0:
                recorder.take(stream, robot_state(t_ns, seq))
            else:
                recorder.take(stream, camera_frame(stream.removeprefix("cameras/"), t_ns, seq, FRAME_BYTES))
            taken.send_bytes(TAKEN.pack(number, seq, t_ns))
            seq += 1

    for number, rate_hz in enumerate((200, 30, 30)):
        threading.Thread(target=produce, args=(number, 1_000_000_000 // rate_hz), daemon=True).start()
    time.sleep(3600)


def killed_recording(root: Path, episode_id: str, delay_s: float) -> dict[str, list[int]]:
    """Run a station, kill it `delay_s` after its first message, and return the times it had taken by stream."""
    told, taken_end = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=station, args=(root, episode_id, taken_end))
    process.start()
    taken_end.close()
    assert told.poll(60)
    time.sleep(delay_s)
    process.kill()
    process.join()
    taken = defaultdict(list)
    with told, suppress(EOFError):
        while True:
            number, seq, t_ns = TAKEN.unpack(told.recv_bytes())
            assert seq == len(taken[STREAMS[number]])
            taken[STREAMS[number]].append(t_ns)
    return taken


def test_a_kill_at_any_moment_loses_at_most_100_ms_shifts_nothing_and_counts_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(20260601)
    kills = [(tmp_path, f"killed-{number:02}", rng.uniform(0.1, 1.0)) for number in range(KILLS)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        taken = dict(
            zip([name for _, name, _ in kills], pool.map(lambda kill: killed_recording(*kill), kills), strict=True)
        )
    recovered = recover(tmp_path)
    assert [(item.state, item.message) for item in recovered] == [("finalised", "")] * KILLS
    lost_ns, lost_messages, cut = [], 0, 0
    for item in recovered:
        assert item.episode is not None
        with EpisodeReader(item.episode) as reader:
            reader.verify()
            assert_nothing_shifted(reader)
            assert_balanced(reader)
            cut += reader.ledger["journal"]["cut_bytes"] > 0
            for stream, times in taken[item.episode.stem].items():
                kept = reader.stream(stream)["t_ns"].tolist() if stream in reader.stream_names else []
                assert reader.ledger["streams"].get(stream, {"missing_seq": 0})["missing_seq"] == 0
                assert kept[: len(times)] == times[: len(kept)]
                lost_messages += max(0, len(times) - len(kept))
                lost_ns.append(times[-1] - kept[-1] if kept else times[-1] - times[0])
    worst_ms = max(lost_ns) / MS
    with capsys.disabled():
        print(
            f"\n{KILLS} kills: {worst_ms:.1f} ms lost at worst, {lost_messages} messages in all, {cut} cut in a record"
        )
    assert worst_ms <= MAX_LOST_MS
    assert recover(tmp_path) == []


def station_of_short_episodes(root: Path, made: Connection) -> None:
    """Record and finalise one short episode after the other in lockstep until killed, naming each that is finished."""
    recorder = recorder_at(root)
    for number in itertools.count():
        recorder.start(make_meta(f"short-{number:03}"))
        record(recorder, seconds=0.5)
        made.send(recorder.stop("success").result().stem)


def test_a_kill_while_finalising_leaves_each_episode_once_and_whole(tmp_path: Path) -> None:
    rng = random.Random(20260602)
    for number in range(8):
        root = tmp_path / str(number)
        told, made_end = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=station_of_short_episodes, args=(root, made_end))
        process.start()
        made_end.close()
        assert told.poll(60)
        time.sleep(rng.uniform(0.0, 0.2))
        process.kill()
        process.join()
        made = []
        with told, suppress(EOFError):
            while True:
                made.append(told.recv())
        recover(root)
        found = sorted(path.stem for path in (root / "episodes").iterdir())
        assert found[: len(made)] == made
        assert len(found) <= len(made) + 1
        for unborn in (root / "journal").glob(".*.tmp"):  # Killed before its metadata: it goes once it is old.
            os.utime(unborn, (0, 0))
        assert recover(root) == []
        assert list((root / "journal").iterdir()) == []
        for name in found:
            with EpisodeReader(root / "episodes" / f"{name}.h5") as reader:
                reader.verify()
                assert_nothing_shifted(reader)
                assert name not in made or len(reader.stream("robot")["t_ns"]) == 100
