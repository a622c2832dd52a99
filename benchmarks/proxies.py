"""What a review proxy costs to make, against the same encoder fed RGB pictures, same frames, same run.

The common way from recorded JPEG to H.264 decodes each frame to RGB and lets the encoder's library turn it into luma
and chroma again. JPEG holds luma and chroma already, so ours hands the decoded planes on. Both use libx264 veryfast,
crf 20, one thread, a key frame every 15 frames and no B-frames; CPU time of the whole process per 640x480 frame is
counted, and how much smaller than the JPEGs the proxy is.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import simplejpeg

from review_ui.proxies.video import CODEC_OPTIONS, GOP, TIME_BASE, encode_camera

FRAMES = 300
ROUNDS = 3
WIDTH, HEIGHT = 640, 480
PERIOD_NS = 33_333_333
TICKS = 3000
NOISE_LEVELS = 2.0
"""Standard deviation of a webcam's sensor noise in a lit room, of 255 levels."""


def make_frames() -> list[bytes]:
    """JPEGs of a textured table over which something moves, seen through sensor noise, all from one seed."""
    rng = np.random.default_rng(1)
    coarse = rng.uniform(40, 215, (HEIGHT // 8, WIDTH // 8, 3))
    table = np.kron(coarse, np.ones((8, 8, 1)))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    frames = []
    for i in range(FRAMES):
        centre = (320 + 200 * np.cos(i / 25), 240 + 150 * np.sin(i / 18))
        picture = table + rng.normal(0.0, NOISE_LEVELS, table.shape)
        picture[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < 60**2] = (230, 200, 60)
        frames.append(simplejpeg.encode_jpeg(np.clip(picture, 0, 255).astype(np.uint8), 90, colorsubsampling="420"))
    return frames


def ours(frames: list[bytes], path: Path) -> None:
    """A camera as the review encodes it, with its table of samples."""
    encode_camera(frames, np.arange(len(frames), dtype=np.int64) * PERIOD_NS, path, lambda: None)


def through_rgb(frames: list[bytes], path: Path) -> None:
    """The same video from RGB pictures, without a table."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=30, options=CODEC_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base, stream.codec_context.gop_size = TIME_BASE, GOP
        stream.codec_context.thread_count = 1
        for number, data in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(simplejpeg.decode_jpeg(data), format="rgb24")
            frame.pts, frame.time_base = number * TICKS, TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def cpu_ms_per_frame(work: Callable[[list[bytes], Path], None], frames: list[bytes], path: Path) -> float:
    """The least CPU time of all threads over ROUNDS, in ms per frame."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work(frames, path)
        seconds.append(time.process_time() - start)
    return min(seconds) / len(frames) * 1e3


def main() -> None:
    """Print the figures and, last, one JSON object."""
    frames = make_frames()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "camera.mp4"
        proxy_ms = cpu_ms_per_frame(ours, frames, video)
        proxy_bytes, jpeg_bytes = video.stat().st_size, sum(map(len, frames))
        rgb_ms = cpu_ms_per_frame(through_rgb, frames, Path(folder) / "rgb.mp4")
    print(f"{proxy_ms:.2f} ms CPU per frame; through RGB {rgb_ms:.2f} ms")
    print(f"{proxy_bytes / FRAMES / 1e3:.1f} kB per frame; JPEG {jpeg_bytes / FRAMES / 1e3:.1f} kB", end="")
    print(f", {jpeg_bytes / proxy_bytes:.1f} times as much")
    result = {
        "name": "review proxy encoding, 640x480",
        "figure": round(proxy_ms, 2),
        "unit": "ms CPU per frame",
        "baseline": round(rgb_ms, 2),
        "ratio": round(rgb_ms / proxy_ms, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
