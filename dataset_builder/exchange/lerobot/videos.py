"""The MP4 files of a camera: many episodes one after another in a file, frame i of a file at i / fps.

Settings follow lerobot's (`encode_video_frames`): AV1 by SVT, quality 30, a key frame at every other frame, so that a
training run that draws frames at random decodes two for one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import simplejpeg

from dataset_builder.exchange.lerobot import layout
from dataset_builder.exchange.lerobot.layout import Place
from teleloom.extras import require

GROUP_OF_PICTURES = 2
ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "av1": ("libsvtav1", {"crf": "30", "preset": "10", "svtav1-params": "lp=2"}),
    "h264": ("libx264", {"crf": "23", "preset": "veryfast", "threads": "1"}),
    "hevc": ("libx265", {"crf": "28", "preset": "veryfast", "x265-params": "log-level=error:pools=1:frame-threads=1"}),
}
"""By name as `meta/info.json` has it. Threads are fixed, as x264 and x265 give other bytes with another number."""

PIXELS = "yuv420p"


def pyav() -> ModuleType:
    """PyAV. SVT talks on standard error unless its own variable says otherwise."""
    os.environ.setdefault("SVT_LOG", "1")
    return require("av", "exchange")


class VideoWriter:
    """Writes the videos of one camera below `root`, a new file where the last one is full."""

    def __init__(self, root: Path, key: str, codec: str, fps: int) -> None:
        self._root, self._key, self._fps = root, key, fps
        self._encoder, self._options = ENCODERS[codec]
        self._codec = codec
        self._place = Place()
        self._container: Any = None
        self._stream: Any = None
        self._frames = 0
        self._bytes = 0

    def write(self, images: Sequence[bytes]) -> tuple[Place, float, float]:
        """Append the JPEGs of an episode. Returns the file, and from when to when in it they are, in seconds."""
        if self._frames and self._bytes * (1 + len(images) / self._frames) >= layout.VIDEO_FILE_MB * layout.MB:
            self.close()
            self._place = self._place.following()
        first = self._frames
        for data in images:
            self._encode(data)
        return self._place, first / self._fps, self._frames / self._fps

    def info(self, height: int, width: int) -> dict[str, Any]:
        """What `meta/info.json` says of the videos."""
        return {
            "video.height": height,
            "video.width": width,
            "video.codec": self._codec,
            "video.pix_fmt": PIXELS,
            "video.is_depth_map": False,
            "video.fps": self._fps,
            "video.channels": 3,
            "has_audio": False,
        }

    def close(self) -> None:
        """Finish the file at work, if there is one."""
        if self._container is not None:
            self._mux(self._stream.encode(None))
            self._container.close()
        self._container, self._frames, self._bytes = None, 0, 0

    def _encode(self, data: bytes) -> None:
        av = pyav()
        pixels = simplejpeg.decode_jpeg(data)
        if self._container is None:
            self._open(av, *pixels.shape[:2])
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = self._frames, Fraction(1, self._fps)
        self._mux(self._stream.encode(frame))
        self._frames += 1

    def _open(self, av: ModuleType, height: int, width: int) -> None:
        path = self._root / self._place.of(layout.VIDEO, video_key=self._key)
        path.parent.mkdir(parents=True, exist_ok=True)
        # The index goes in front, as lerobot has it, so that a file on a server opens without being read to its end.
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        options = {**self._options, "g": str(GROUP_OF_PICTURES)}
        self._stream = self._container.add_stream(self._encoder, rate=self._fps, options=options)
        self._stream.height, self._stream.width, self._stream.pix_fmt = height, width, PIXELS
        self._stream.time_base = Fraction(1, self._fps)

    def _mux(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            self._bytes += packet.size
            self._container.mux(packet)


def read_frames(path: Path, times_s: Sequence[float], tolerance_s: float) -> Iterator[Any]:
    """The frames (H, W, 3) of a video at these rising times, each within the tolerance.

    Raises ValueError naming the first time at which there is none, or for a file that is no video.
    """
    av = pyav()
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            container.seek(max(0, int((times_s[0] - tolerance_s) / stream.time_base)), stream=stream)
            wanted = iter(times_s)
            time_s = next(wanted)
            for frame in container.decode(stream):
                if frame.time is None or frame.time < time_s - tolerance_s:
                    continue
                if frame.time > time_s + tolerance_s:
                    break
                yield frame.to_ndarray(format="rgb24")
                time_s = next(wanted, -1.0)
                if time_s < 0:
                    return
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"{path.name} cannot be read as a video ({error})") from None
    raise ValueError(f"{path.name} has no frame at {time_s:g} s")
