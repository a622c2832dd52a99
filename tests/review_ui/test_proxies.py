"""Proxies show every recorded frame at its place and time, whatever the recording holds, and are whole or not there."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
import simplejpeg
from marked_episodes import (
    MARKED_CAMERAS,
    START_NS,
    control_streams,
    make_id,
    make_meta,
    marked_jpeg,
    read_mark,
    write_marked,
)

from review_ui.proxies import BackgroundEncoder, CameraProxy, ProxyStore, encode_missing
from review_ui.proxies.sidecar import sidecar_name
from review_ui.proxies.video import GOP, MAX_TICKS, TICKS_PER_S, encode_camera, presentation_ticks
from review_ui.proxies.worker import GiveWay, OvertakenError, Worker
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.streams import Stream, frames_to_stream
from teleloom.episode.writer import write_episode

MS = 1_000_000
DEADLINE_S = 240.0
FRAME_NS = 33_333_333


@dataclass(frozen=True)
class Wanted:
    id: str = "episode"
    content_hash: str = "ab" * 32


def encode(frames: list[bytes], folder: Path, t_ns: list[int] | None = None) -> CameraProxy:
    times = np.array(t_ns or [i * FRAME_NS for i in range(len(frames))], dtype=np.int64)
    proxy = encode_camera(frames, times, folder / "camera-0.mp4", lambda: None)
    assert proxy is not None
    return proxy


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def write_with(root: Path, number: int, cameras: dict[str, Stream]) -> Path:
    path = episode_path(root, make_id(number))
    path.parent.mkdir(parents=True, exist_ok=True)
    streams = control_streams(1.0, strays=False) | {f"cameras/{name}": camera for name, camera in cameras.items()}
    write_episode(path, make_meta(number, sorted(cameras), "stack", "success"), streams)
    return path


def raw_camera(frames: list[bytes], codec: str = "jpeg", size: tuple[int, int] = (64, 48)) -> Stream:
    count = len(frames)
    times = {"t_ns": [START_NS + i * 33 * MS for i in range(count)], "t_device_ns": [-1] * count, "seq": range(count)}
    return frames_to_stream(frames, times, codec, size, "rgb")


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_frame_is_there_at_its_place_and_recorded_time(number: int, marked_master: Path) -> None:
    with Catalog.open(marked_master) as catalog, EpisodeReader(episode_path(marked_master, make_id(number))) as reader:
        store = ProxyStore(marked_master)
        proxy = store.document(catalog.episode(reader.id))
        assert proxy is not None
        assert tuple(proxy.cameras) == MARKED_CAMERAS
        for name, camera in proxy.cameras.items():
            t_ns = reader.stream(f"cameras/{name}")["t_ns"]
            assert camera.t_ns == (t_ns - START_NS).tolist()
            with av.open(str(store.path(reader.id) / camera.file)) as container:
                frames = container.decode(video=0)
                shown = [(frame.pts, read_mark(frame.to_ndarray(format="rgb24"))) for frame in frames]
            assert [mark for _, mark in shown] == list(range(len(t_ns)))
            played_ns = np.array([pts for pts, _ in shown]) * 1e9 / TICKS_PER_S
            assert np.abs(played_ns - (t_ns - t_ns[0])).max() <= 6_000


def test_any_frame_decodes_from_the_bytes_of_its_group_alone(marked_master: Path) -> None:
    with Catalog.open(marked_master) as catalog:
        row = catalog.episode(make_id(1))
    store = ProxyStore(marked_master)
    proxy = store.document(row)
    assert proxy is not None
    camera = proxy.cameras["side"]
    data = (store.path(row.id) / camera.file).read_bytes()
    assert [i for i, (_, _, key) in enumerate(camera.samples) if key] == list(range(0, len(camera.samples), GOP))
    for wanted in (0, 14, 15, 47, len(camera.samples) - 1):
        decoder = av.VideoCodecContext.create("h264", "r")
        decoder.extradata = base64.b64decode(camera.description)
        group = camera.samples[wanted - wanted % GOP : wanted + 1]
        frames = [f for offset, size, _ in group for f in decoder.decode(av.Packet(data[offset : offset + size]))]
        frames += decoder.decode(None)
        assert [read_mark(frame.to_ndarray(format="rgb24")) for frame in frames][-1] == wanted
    assert camera.codec.startswith("avc1.64")


def test_a_proxy_has_the_colours_of_the_recorded_frames(tmp_path: Path) -> None:
    frames = [marked_jpeg(i, 1, 9) for i in range(20)]
    shown = pictures(tmp_path / encode(frames, tmp_path).file)
    for picture, frame in zip(shown, frames, strict=True):
        difference = picture.astype(int) - simplejpeg.decode_jpeg(frame)
        assert np.abs(difference).mean() < 2.0
        assert np.abs(difference.mean(axis=(0, 1))).max() < 1.5


def test_frames_that_are_no_pictures_are_marked_and_keep_their_place(tmp_path: Path) -> None:
    frames = [marked_jpeg(i, 0, 0) for i in range(20)]
    bomb = bytearray(frames[7])
    header = bomb.index(b"\xff\xc0")
    bomb[header + 5 : header + 9] = b"\xff\xff\xff\xff"
    spoiled: dict[int, bytes] = {0: b"", 1: b"no picture", 7: bytes(bomb), 8: b"\xff\xd8\xff\xd9", 19: bytes(3000)}
    proxy = encode([spoiled.get(i, frame) for i, frame in enumerate(frames)], tmp_path)
    assert proxy.damaged == sorted(spoiled)
    assert len(proxy.samples) == len(proxy.t_ns) == 20
    shown = pictures(tmp_path / proxy.file)
    assert np.ptp(shown[0]) == 0
    assert [read_mark(picture) for picture in shown[2:]] == [2, 3, 4, 5, 6, 6, 6, *range(9, 19), 18]


def test_equal_and_backward_times_and_endless_gaps_keep_every_frame(tmp_path: Path) -> None:
    times = [0, 0, 0, FRAME_NS, FRAME_NS - 5 * MS, 2 * FRAME_NS, 10**15, 10**15 + FRAME_NS]
    proxy = encode([marked_jpeg(i, 0, 0) for i in range(len(times))], tmp_path, times)
    assert [read_mark(picture) for picture in pictures(tmp_path / proxy.file)] == list(range(len(times)))
    assert proxy.t_ns == times
    ticks = presentation_ticks(np.array(times))
    assert ticks[:6] == [0, 1, 2, 3000, 3001, 6000]
    assert ticks[6] - ticks[5] == MAX_TICKS


@pytest.mark.parametrize("size", [(1, 1), (7, 2), (16, 15)])
def test_the_smallest_pictures_make_a_video(size: tuple[int, int], tmp_path: Path) -> None:
    frame = simplejpeg.encode_jpeg(np.full((size[1], size[0], 3), 200, dtype=np.uint8), 90)
    shown = pictures(tmp_path / encode([frame] * 3, tmp_path).file)
    assert [abs(float(picture[: size[1], : size[0]].mean()) - 200) < 3 for picture in shown] == [True] * 3


@pytest.mark.parametrize("size", [(321, 241), (320, 241), (18, 34)])
def test_odd_sizes_are_shown_whole(size: tuple[int, int], tmp_path: Path) -> None:
    frames = [marked_jpeg(i, 2, 0, size) for i in range(16)]
    proxy = encode(frames, tmp_path)
    assert (proxy.width, proxy.height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    last = pictures(tmp_path / proxy.file)[-1][: size[1], : size[0]]
    assert np.abs(last.astype(int) - simplejpeg.decode_jpeg(frames[-1])).mean() < 6.0


def test_frames_of_another_size_or_sampling_are_fitted_in(tmp_path: Path) -> None:
    rgb = simplejpeg.decode_jpeg(marked_jpeg(5, 0, 0))
    grey = simplejpeg.encode_jpeg(np.ascontiguousarray(rgb[:, :, :1]), 90, colorspace="GRAY")
    frames = [marked_jpeg(0, 0, 0), marked_jpeg(1, 0, 0, (320, 240)), marked_jpeg(2, 0, 0, (801, 601))]
    frames += [simplejpeg.encode_jpeg(rgb, 90, colorsubsampling=sampling) for sampling in ("444", "422")]
    proxy = encode([*frames, grey], tmp_path)
    assert proxy.damaged == []
    shown = pictures(tmp_path / proxy.file)
    assert {picture.shape for picture in shown} == {(480, 640, 3)}
    assert [read_mark(picture) for picture in shown] == [0, 1, 2, 5, 5, 5]


def test_cameras_with_one_frame_none_only_damage_or_depth(tmp_path: Path) -> None:
    cameras = {
        "one": raw_camera([marked_jpeg(0, 0, 0)]),
        "none": raw_camera([]),
        "broken": raw_camera([b"x" * 100] * 5),
        "depth": raw_camera([b"\x28\xb5\x2f\xfd" + bytes(20)] * 5, codec="zstd-u16"),
    }
    path = write_with(tmp_path, 1, cameras)
    with Catalog.open(tmp_path) as catalog:
        row = catalog.register(path)
        store = ProxyStore(tmp_path)
        assert encode_missing(catalog, store).failed == {}
    proxy = store.document(row)
    assert proxy is not None
    assert list(proxy.cameras) == ["one"]
    assert store.video(row, "one") is not None
    assert store.video(row, "broken") is None
    assert store.missing([row]) == []


def test_a_proxy_of_other_content_or_settings_is_never_shown_and_made_anew(tmp_path: Path) -> None:
    store = ProxyStore(tmp_path)
    with store.making("episode") as folder:
        (folder / sidecar_name("old")).write_text("{}")
    first = Wanted(content_hash="old")
    assert store.has(first)
    assert store.document(first) is None, "a sidecar that is none is not shown"
    assert store.missing([Wanted()]) == [Wanted()]
    with store.making("episode") as folder:
        (folder / sidecar_name(Wanted().content_hash)).write_text("{}")
    assert store.has(Wanted())
    assert not store.has(first)
    assert [entry.name for entry in store.folder.iterdir()] == ["episode"]


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    store = ProxyStore(tmp_path)

    def fail() -> None:
        with store.making("episode") as folder:
            (folder / "camera-0.mp4").write_bytes(b"half")
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert list(store.folder.iterdir()) == []
    with pytest.raises(ValueError, match="only letters"):
        store.path("../episodes")


def test_an_unreadable_episode_is_reported_and_the_others_are_encoded(tmp_path: Path) -> None:
    with Catalog.open(tmp_path) as catalog:
        paths = [write_marked(tmp_path, number, seconds=0.5, cameras=1) for number in range(3)]
        rows = [catalog.register(path) for path in paths]
        paths[1].write_bytes(paths[1].read_bytes()[:5000])
        turns: list[tuple[str, int, int]] = []
        report = encode_missing(catalog, ProxyStore(tmp_path), lambda row, done, of: turns.append((row.id, done, of)))
    assert report.encoded == [rows[0].id, rows[2].id]
    assert list(report.failed) == [rows[1].id]
    assert str(paths[1]) in report.failed[rows[1].id]
    assert turns == [(row.id, number, 3) for number, row in enumerate(rows)]


def test_of_two_encoders_of_one_episode_the_last_stays_and_nothing_else(tmp_path: Path) -> None:
    store = ProxyStore(tmp_path)
    names = [f"{number}.mp4" for number in range(8)]

    def make(name: str) -> None:
        with store.making("episode") as folder:
            (folder / name).write_bytes(b"whole")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, names))
    assert [entry.name for entry in store.folder.iterdir()] == ["episode"]
    assert len(list(store.path("episode").iterdir())) == 1


def test_an_episode_less_than_half_done_gives_way_to_one_that_is_waited_for() -> None:
    nobody, somebody = GiveWay(lambda: False), GiveWay(lambda: True)
    for done in range(1, 301):
        nobody(done, 300)
    for done in range(1, 30):
        somebody(done, 300)
    for done in (30, 31, 299):
        with pytest.raises(OvertakenError):
            somebody(done, 300)
    GiveWay(lambda: True)(150, 300)


KILLED = """
import sys
from pathlib import Path
from review_ui.proxies import ProxyStore, encode_episode
from teleloom.episode.reader import EpisodeReader
root, path = Path(sys.argv[1]), Path(sys.argv[2])
with EpisodeReader(path) as reader, ProxyStore(root).making(reader.id) as folder:
    encode_episode(reader, folder, "ab" * 32, lambda done, total: print(done, flush=True))
"""


def test_an_encoder_killed_half_way_leaves_nothing_that_anyone_sees(tmp_path: Path) -> None:
    path = write_marked(tmp_path, 1, seconds=4.0)
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 60:
            pass
        process.send_signal(signal.SIGSTOP)
        store = ProxyStore(tmp_path)
        store.remove_left_overs(older_than_s=0.0)
        assert [entry.suffix for entry in store.folder.iterdir()] == [".tmp"], "what is being made stays"
        process.kill()
    assert not store.path(make_id(1)).exists()
    assert not store.has(Wanted(id=make_id(1)))
    store.remove_left_overs(older_than_s=0.0)
    assert list(store.folder.iterdir()) == []


def test_the_newest_wish_comes_first_and_survives_its_server(tmp_path: Path) -> None:
    store = ProxyStore(tmp_path)
    for number, episode_id in enumerate(("a", "b", "c")):
        store.want(episode_id)
        os.utime(store.folder / ".wanted" / episode_id, (number, number))
    assert ProxyStore(tmp_path).wanted() == ["c", "b", "a"]
    store.granted("c")
    store.granted("c")
    assert store.wanted() == ["b", "a"]
    (tmp_path / "file").touch()
    ProxyStore(tmp_path / "file").want("a")


@pytest.fixture
def unencoded(tmp_path: Path) -> Path:
    with Catalog.open(tmp_path) as catalog:
        for number in range(4):
            catalog.register(write_marked(tmp_path, number, seconds=3.0))
    return tmp_path


def encoded(root: Path) -> list[str]:
    """The episodes that have a proxy, in the order in which they got it."""
    folders = [folder for folder in (root / "proxies").glob("[!.]*") if folder.is_dir()]
    return [folder.name for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime_ns)]


def test_the_background_encoder_makes_what_is_waited_for_first_and_then_the_rest(unencoded: Path) -> None:
    last = make_id(0)
    store = ProxyStore(unencoded)
    with Catalog.open(unencoded) as catalog:
        catalog.set_risks({make_id(number): (number / 10, []) for number in range(4)})
        store.want("unknown")
        store.want(last)
        with BackgroundEncoder(unencoded) as encoder:
            until(lambda: encoder.pid and len(encoded(unencoded)) >= 2)
            assert encoder.pid is not None
            assert os.getpriority(os.PRIO_PROCESS, encoder.pid) >= 10
            assert encoded(unencoded)[:2] == [last, make_id(3)]
            pid = encoder.pid
            os.kill(pid, signal.SIGKILL)
            until(lambda: encoder.pid not in (None, pid))
            until(lambda: len(encoded(unencoded)) == 4)
            catalog.register(write_marked(unencoded, 5, seconds=0.5))
            until(lambda: make_id(5) in encoded(unencoded))
            rows = catalog.episodes()
            assert store.missing(rows) == []
            assert all(store.document(row) for row in rows)
            assert store.wanted() == []
            pid = encoder.pid
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_an_episode_that_killed_the_encoder_is_left_out_and_a_full_disk_makes_it_rest(
    unencoded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ProxyStore(unencoded)
    with Catalog.open(unencoded) as catalog:
        worker = Worker(catalog, store, skip=[make_id(number) for number in range(3)])
        store.want(make_id(0))
        monkeypatch.setattr("review_ui.proxies.store.KEEP_FREE_BYTES", 2**62)
        assert worker.step(now_s=0.0)
        assert "left to recordings" in capsys.readouterr().err
        assert not worker.step(now_s=30.0), "it rests"
        monkeypatch.undo()
        assert not worker.step(now_s=61.0), "what failed waits for the next look at all"
        assert worker.step(now_s=4000.0)
        assert encoded(unencoded) == [make_id(3)]
        assert not worker.step(now_s=4001.0)
        assert store.wanted() == []


SERVER = """
import sys, time
from pathlib import Path
from review_ui.proxies import BackgroundEncoder
with BackgroundEncoder(Path(sys.argv[1])) as encoder:
    while encoder.pid is None:
        time.sleep(0.05)
    print(encoder.pid, flush=True)
    time.sleep(600)
"""


def test_the_background_encoder_ends_when_its_server_is_killed(unencoded: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER, str(unencoded)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        until(lambda: encoded(unencoded))
        server.kill()
    until(lambda: not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text())
