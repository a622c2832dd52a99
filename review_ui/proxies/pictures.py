"""Recorded frames as pictures of one size, whatever their bytes are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
import numpy as np
import simplejpeg

PIXEL_FORMAT = "yuvj420p"
MAX_PIXELS = 8192 * 4320
"""Of one frame; a JPEG of a few bytes may claim 4 billion."""


class PictureDecoder:
    """Decodes JPEG to the planes that H.264 takes, without a detour over RGB: the colours stay those of the frame."""

    def __init__(self) -> None:
        self._codec = _mjpeg()

    def decode(self, data: bytes) -> av.VideoFrame | None:
        """The picture, of even size, or None where the bytes are none."""
        try:
            height, width = simplejpeg.decode_jpeg_header(data)[:2]
        except ValueError:
            return None
        if width * height > MAX_PIXELS:
            return None
        try:
            pictures = self._codec.decode(av.Packet(data))
        except av.FFmpegError:
            self._codec = _mjpeg()
            return None
        return pictures[0] if pictures and isinstance(pictures[0], av.VideoFrame) else None


def even_pictures(frames: Iterable[bytes], damaged: list[int]) -> Iterator[av.VideoFrame]:
    """One picture for each frame, all of the size of the first that is one, made even.

    A frame that is no picture is added to `damaged` by its row and shown as the one before it, or as grey. Nothing
    comes when no frame is a picture.
    """
    decoder = PictureDecoder()
    waiting = 0
    shown: av.VideoFrame | None = None
    for row, data in enumerate(frames):
        picture = decoder.decode(data)
        if picture is None:
            damaged.append(row)
            if shown is None:
                waiting += 1
                continue
        elif shown is None:
            size = (picture.width + picture.width % 2, picture.height + picture.height % 2)
            yield from (_grey(*size) for _ in range(waiting))
            shown = _fitted(picture, *size)
        else:
            shown = _fitted(picture, shown.width, shown.height)
        yield shown


def _mjpeg() -> av.VideoCodecContext:
    codec = av.VideoCodecContext.create("mjpeg", "r")
    assert isinstance(codec, av.VideoCodecContext)
    codec.thread_count = 1
    return codec


def _fitted(picture: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    if (picture.format.name, picture.width, picture.height) == (PIXEL_FORMAT, width, height):
        return picture
    if 0 <= width - picture.width <= 1 and 0 <= height - picture.height <= 1:
        pixels = picture.to_ndarray(format="rgb24")
        missing = ((0, height - picture.height), (0, width - picture.width), (0, 0))
        padded = np.ascontiguousarray(np.pad(pixels, missing, mode="edge"))
        picture = av.VideoFrame.from_ndarray(padded, format="rgb24")
    return picture.reformat(width=width, height=height, format=PIXEL_FORMAT)


def _grey(width: int, height: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((height * 3 // 2, width), 128, dtype=np.uint8), format=PIXEL_FORMAT)
