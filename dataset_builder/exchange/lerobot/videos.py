"""The MP4 files of a camera: many episodes one after another in a file, frame i of a file at i / fps.

Settings follow lerobot's (`encode_video_frames`): AV1 by SVT, quality 30, a key frame at every other frame, so that a
training run that draws frames at random decodes two for one.
"""

from __future__ import annotations

import io
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
    "h264": ("libx264", {"crf": "23", "preset": "veryfast", "threads": "1", "bf": "0"}),
    "hevc": (
        "libx265",
        {"crf": "28", "preset": "veryfast", "x265-params": "log-level=error:bframes=0:pools=1:frame-threads=1"},
    ),
}
"""By name as `meta/info.json` has it. Threads are fixed, as x264 and x265 give other bytes with another number."""

PIXELS = "yuv420p"


def pyav() -> ModuleType:
    """PyAV. SVT talks on standard error unless its own variable says otherwise."""
    os.environ.setdefault("SVT_LOG", "1")
    return require("av", "exchange")


class VideoWriter:
    """Writes the videos of one camera below `root`, a new file where the last one is full.

    Each episode is encoded by itself and its packets are appended, as lerobot does it: so it begins with a key frame,
    and the same episodes give the same files however the encoder's threads run.
    """

    def __init__(self, root: Path, key: str, codec: str, fps: int) -> None:
        self._root, self._key, self._codec, self._fps = root, key, codec, fps
        self._place = Place()
        self._container: Any = None
        self._stream: Any = None
        self._frames = 0
        self._bytes = 0

    def write(self, images: Sequence[bytes]) -> tuple[Place, float, float]:
        """Append the JPEGs of an episode. Returns the file, and from when to when in it they are, in seconds."""
        episode = self._encoded(images)
        size = episode.getbuffer().nbytes
        if self._container is not None and self._bytes + size > layout.VIDEO_FILE_MB * layout.MB:
            self.close()
            self._place = self._place.following()
        first = self._frames
        self._append(episode)
        self._frames, self._bytes = self._frames + len(images), self._bytes + size
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
            self._container.close()
        self._container, self._frames, self._bytes = None, 0, 0

    def _encoded(self, images: Sequence[bytes]) -> io.BytesIO:
        """An episode as a video of its own, in memory."""
        av = pyav()
        encoder, options = ENCODERS[self._codec]
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="mp4") as container:
            stream = container.add_stream(encoder, rate=self._fps, options={**options, "g": str(GROUP_OF_PICTURES)})
            height, width = simplejpeg.decode_jpeg_header(images[0])[:2]
            stream.height, stream.width, stream.pix_fmt = height, width, PIXELS
            stream.time_base = Fraction(1, self._fps)
            for i, data in enumerate(images):
                frame = av.VideoFrame.from_ndarray(simplejpeg.decode_jpeg(data), format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, self._fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        buffer.seek(0)
        return buffer

    def _append(self, episode: io.BytesIO) -> None:
        av = pyav()
        with av.open(episode) as source:
            stream = source.streams.video[0]
            if self._container is None:
                path = self._root / self._place.of(layout.VIDEO, video_key=self._key)
                path.parent.mkdir(parents=True, exist_ok=True)
                # The index goes in front, as lerobot has it, so that a file on a server opens at once.
                self._container = av.open(str(path), "w", options={"movflags": "faststart"})
                self._stream = self._container.add_stream_from_template(stream, opaque=True)
                self._stream.time_base = stream.time_base
            shift = round(Fraction(self._frames, self._fps) / stream.time_base)
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = self._stream
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
