"""All cameras of one episode: their videos and the sidecar, in one folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from review_ui.proxies.sidecar import ENCODER_VERSION, CameraProxy, EpisodeProxy, sidecar_name, write_sidecar
from review_ui.proxies.video import SETTINGS, Times, encode_camera
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import span_ns
from teleloom.episode.streams import CAMERA_PREFIX

OnProgress = Callable[[int, int], None]


def encode_episode(
    reader: EpisodeReader, folder: Path, content_hash: str, on_progress: OnProgress = lambda done, total: None
) -> EpisodeProxy:
    """Encode every colour camera of an episode into `folder`, which is there and empty, the sidecar last.

    on_progress: is told how many frames are done, of how many. A camera without any picture, and depth, gets no
    video. Raises BadEpisodeError, ProxyError, and OSError when the disk refuses.
    """
    streams = {name: reader.stream(name) for name in reader.stream_names}
    start_ns, _ = span_ns(streams)
    times: dict[str, Times] = {
        name: streams[f"{CAMERA_PREFIX}{name}"]["t_ns"] - start_ns
        for name in reader.cameras
        if reader.attributes(f"{CAMERA_PREFIX}{name}").get("codec") == "jpeg"
    }
    count = _Count(sum(map(len, times.values())), on_progress)

    def encode(place: int, name: str) -> CameraProxy | None:
        path = folder / f"camera-{place}.mp4"  # by place: what a camera is called need be no file's name
        return encode_camera(reader.frames(name, range(len(times[name]))), times[name], path, count.add)

    with ThreadPoolExecutor(max(1, min(len(times), os.cpu_count() or 1))) as pool:
        cameras = dict(zip(times, pool.map(encode, range(len(times)), times), strict=True))
    proxy = EpisodeProxy(
        content_hash=content_hash,
        version=ENCODER_VERSION,
        settings=SETTINGS,
        cameras={name: camera for name, camera in cameras.items() if camera is not None},
    )
    write_sidecar(folder / sidecar_name(content_hash), proxy)
    return proxy


class _Count:
    """Frames done, counted from several threads."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._done, self._total, self._on_progress, self._lock = 0, total, on_progress, Lock()

    def add(self) -> None:
        with self._lock:
            self._done += 1
            self._on_progress(self._done, self._total)
