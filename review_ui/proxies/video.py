"""One camera as H.264 in mp4, and the table of its samples.

Every 15th frame is a key frame and none refers to a later one, so that a browser shows any frame after decoding at
most 15. The presentation times are the recorded ones; the tables of the mp4 lie at its beginning.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from review_ui.proxies.pictures import PIXEL_FORMAT, even_pictures
from review_ui.proxies.sidecar import CameraProxy, Sample
from teleloom.clock import NS_PER_S

TICKS_PER_S = 90_000
TIME_BASE = Fraction(1, TICKS_PER_S)
MAX_TICKS = 2**31 - 1
"""Between two frames, as far as mp4 can say: 6.6 hours."""

GOP = 15
CODEC_OPTIONS = {
    "preset": "veryfast",
    "crf": "20",
    "x264-params": f"keyint={GOP}:bframes=0:scenecut=0:open-gop=0",
}
SETTINGS = f"libx264 veryfast crf20, GOP {GOP}, no B-frames, {PIXEL_FORMAT}, time base 1/{TICKS_PER_S}"

Times = NDArray[np.int64]
OnFrame = Callable[[], None]


class ProxyError(RuntimeError):
    """A video could not be made from frames that are sound. The message names the file."""


def presentation_ticks(t_ns: Times) -> list[int]:
    """Times (N,) in ns as ticks of a 90 kHz clock from 0 on, each at least one after the one before.

    mp4 knows neither equal times nor a gap above MAX_TICKS; both only bend the video's own times, which the player
    does not use.
    """
    ticks: list[int] = []
    for exact in np.rint((t_ns - t_ns[:1]) * (TICKS_PER_S / NS_PER_S)).astype(np.int64).tolist():
        ticks.append(min(max(exact, ticks[-1] + 1), ticks[-1] + MAX_TICKS) if ticks else 0)
    return ticks


def encode_camera(frames: Iterable[bytes], t_ns: Times, path: Path, on_frame: OnFrame) -> CameraProxy | None:
    """Encode `frames`, recorded at `t_ns` (N,) ns from the episode's start, to `path`; None without any picture.

    Raises ProxyError when not every frame has become a sample, and OSError when the disk refuses.
    """
    damaged: list[int] = []
    pictures = even_pictures(frames, damaged)
    first = next(pictures, None)
    if first is None:
        return None
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", options=CODEC_OPTIONS)
        assert isinstance(stream, av.VideoStream)
        _set_up(stream.codec_context, first.width, first.height)
        stream.time_base = TIME_BASE
        for tick, picture in zip(presentation_ticks(t_ns), chain([first], pictures), strict=True):
            picture.pts, picture.time_base = tick, TIME_BASE
            picture.pict_type = 0
            container.mux(stream.encode(picture))
            on_frame()
        container.mux(stream.encode(None))
    codec, description, samples = read_samples(path)
    if len(samples) != len(t_ns):
        raise ProxyError(f"{path}: {len(samples)} samples for {len(t_ns)} frames")
    return CameraProxy(
        file=path.name,
        width=first.width,
        height=first.height,
        codec=codec,
        description=description,
        t_ns=t_ns.tolist(),
        samples=samples,
        damaged=damaged,
    )


def read_samples(path: Path) -> tuple[str, str, list[Sample]]:
    """The codec string, the decoder's description in base64, and the samples of an mp4's video, in order."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata or b""
        samples = [
            (packet.pos or 0, packet.size, int(packet.is_keyframe)) for packet in container.demux(stream) if packet.size
        ]
    return f"avc1.{extradata[1:4].hex()}", base64.b64encode(extradata).decode(), samples


def _set_up(codec: av.VideoCodecContext, width: int, height: int) -> None:
    codec.width, codec.height = width, height
    codec.pix_fmt = PIXEL_FORMAT
    codec.time_base = TIME_BASE
    codec.gop_size = GOP
    codec.thread_count = 1  # an episode has several cameras to share the cores
    # What JPEG means by its numbers; a browser that has to guess shows other colours than the exact frame.
    codec.color_range = ColorRange.JPEG
    codec.colorspace = Colorspace.ITU601
    codec.color_primaries = ColorPrimaries.BT709
    codec.color_trc = ColorTrc.IEC61966_2_1
