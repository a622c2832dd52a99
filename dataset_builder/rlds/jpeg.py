"""Checking a JPEG without decoding it."""

from __future__ import annotations

import simplejpeg

from teleloom.episode.streams import frame_is_whole


class BadImageError(ValueError):
    """Bytes that are not the JPEG expected. The message says what they are instead."""


def check_jpeg(data: bytes, height: int, width: int) -> None:
    """Raise BadImageError unless `data` begins and ends as a JPEG and its header declares this size."""
    if not frame_is_whole(data, "jpeg"):
        raise BadImageError(f"{len(data)} bytes that are not a whole JPEG: its start or end marker is missing")
    try:
        actual = simplejpeg.decode_jpeg_header(data)[:2]
    except ValueError as error:
        raise BadImageError(f"a JPEG whose header cannot be read: {error}") from None
    if actual != (height, width):
        raise BadImageError(f"a JPEG of {actual[1]}x{actual[0]} pixels where {width}x{height} belong")
