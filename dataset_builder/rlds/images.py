"""Images of a record: the bytes as recorded, or resized where a dataset asks for another size."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
import simplejpeg
from pydantic import Field, field_validator

from dataset_builder.rlds.jpeg import BadImageError
from teleloom.config import Config
from teleloom.extras import require

_QUALITY = 95
# The subsampling that TensorFlow's own encoder, and so every RLDS dataset written with it, has.
_SUBSAMPLING = "420"


class CameraChoice(Config):
    """A camera's place in the dataset.

    key: image key of the dataset. size: (height, width) in pixels, None for the bytes as recorded. fit: how another
    aspect ratio is met: cut the longer side about the centre, pad the shorter one with black, or stretch.
    quality: of the JPEG after a resize.
    """

    key: str
    size: tuple[int, int] | None = None
    fit: Literal["crop", "pad", "stretch"] = "crop"
    quality: int = Field(default=_QUALITY, ge=1, le=100)

    @field_validator("size")
    @classmethod
    def _positive(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and min(size) < 1:
            raise ValueError("size is (height, width) in pixels, both at least 1")
        return size


def resize_jpeg(data: bytes, choice: CameraChoice) -> bytes:
    """The JPEG in the size that `choice` asks for; the very same bytes where it asks for none, or has it already.

    Lanczos, in one step from the pixels kept; the same bytes give the same bytes. Raises BadImageError for a JPEG
    that cannot be decoded, MissingExtraError without Pillow.
    """
    if choice.size is None:
        return data
    try:
        if simplejpeg.decode_jpeg_header(data)[:2] == choice.size:
            return data
        pixels = simplejpeg.decode_jpeg(data, "RGB")
    except ValueError as error:
        raise BadImageError(f"a JPEG that cannot be decoded: {error}") from None
    return _encode(_fitted(pixels, choice), choice.quality)


@cache
def black_jpeg(height: int, width: int) -> bytes:
    """A black JPEG, for an image that a loader wants and no camera took."""
    return _encode(np.zeros((height, width, 3), dtype=np.uint8), _QUALITY)


def _encode(pixels: np.ndarray, quality: int) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, "RGB", _SUBSAMPLING))


def _fitted(pixels: np.ndarray, choice: CameraChoice) -> np.ndarray:
    assert choice.size is not None
    image = require("PIL.Image", "build")
    (height, width), (wanted_height, wanted_width) = pixels.shape[:2], choice.size
    source = image.fromarray(pixels)
    by_height, by_width = wanted_height / height, wanted_width / width
    if choice.fit == "stretch":
        return _resized(image, source, (wanted_width, wanted_height), (0.0, 0.0, width, height))
    if choice.fit == "crop":
        scale = max(by_height, by_width)
        cut_x, cut_y = (width - wanted_width / scale) / 2.0, (height - wanted_height / scale) / 2.0
        return _resized(image, source, (wanted_width, wanted_height), (cut_x, cut_y, width - cut_x, height - cut_y))
    scale = min(by_height, by_width)
    inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (wanted_height - inner_height) // 2, (wanted_width - inner_width) // 2
    padded = np.zeros((wanted_height, wanted_width, 3), dtype=np.uint8)
    padded[top : top + inner_height, left : left + inner_width] = _resized(
        image, source, (inner_width, inner_height), (0.0, 0.0, width, height)
    )
    return padded


def _resized(image: Any, source: Any, size: tuple[int, int], box: tuple[float, float, float, float]) -> np.ndarray:
    return np.asarray(source.resize(size, image.Resampling.LANCZOS, box=box))
