"""The cameras of an episode of a LeRobotDataset: JPEG bytes as they are, other images and videos encoded once."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.importing.episode import ImportedCamera, UnimportableError, encode_pixels
from dataset_builder.exchange.lerobot.videos import pyav, read_frames

JPEG_START = b"\xff\xd8\xff"


class Videos:
    """The video files, each hashed once for all episodes in it."""

    def __init__(self) -> None:
        self._digests: dict[Path, bytes] = {}

    def camera(self, file: Path, times_s: Sequence[float], fps: float, quality: int) -> ImportedCamera:
        """The frames at these times of a file. Raises ValueError where there is none."""
        frames = [encode_pixels(pixels, quality) for pixels in read_frames(file, times_s, 0.5 / fps)]
        return ImportedCamera(frames, quality, origin=self._digest(file) + json.dumps(times_s).encode())

    def _digest(self, file: Path) -> bytes:
        if file not in self._digests:
            with file.open("rb") as video:
                self._digests[file] = hashlib.file_digest(video, "sha256").digest()
        return self._digests[file]


def images_in(cells: Sequence[Mapping[str, Any]], quality: int) -> ImportedCamera:
    """The images of a column as `datasets.Image` keeps them. Raises UnimportableError."""
    kept = [_bytes(cell) for cell in cells]
    if all(data.startswith(JPEG_START) for data in kept):
        return ImportedCamera(kept)
    digest = hashlib.sha256()
    for data in kept:
        digest.update(data)
    return ImportedCamera([encode_pixels(_pixels(data), quality) for data in kept], quality, origin=digest.digest())


def _bytes(cell: Mapping[str, Any]) -> bytes:
    data = cell.get("bytes")
    if not isinstance(data, bytes):
        raise UnimportableError("missing-frames", f"the image {cell.get('path')} is not in the table")
    return data


def _pixels(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) of a PNG, or of whatever else PyAV takes for an image."""
    av = pyav()
    try:
        with av.open(io.BytesIO(data)) as container:
            pixels: NDArray[np.uint8] = next(container.decode(video=0)).to_ndarray(format="rgb24")
            return pixels
    except (av.FFmpegError, StopIteration, IndexError) as error:
        raise UnimportableError("broken-image", f"an image of {len(data)} bytes cannot be decoded ({error})") from None
