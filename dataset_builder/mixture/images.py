"""Images of a batch: decoded, brought to one size, changed as augmentation says. Pillow and simplejpeg alone."""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from pydantic import Field

from dataset_builder.mixture.augmentation import UNCHANGED, Colour, Geometry
from teleloom.config import Config
from teleloom.extras import require

Pixels = NDArray[np.uint8]
Side = Annotated[int, Field(ge=1)]


class ImageChoice(Config):
    """size: (height, width) of every image of a batch, in pixels. fit: how another aspect ratio is met: cut the longer
    side about the centre, pad the shorter one with black, or stretch."""

    size: tuple[Side, Side] = (224, 224)
    fit: Literal["crop", "pad", "stretch"] = "stretch"

    def place(self, size: tuple[int, int], x: float, y: float) -> tuple[int, int]:
        """Where the batch's image shows the pixel (x, y) of an image of `size` (height, width) that is not cropped."""
        height, width = self.size
        shown_width, shown_height = _padded_size((size[1], size[0]), self) if self.fit == "pad" else (width, height)
        left, upper = (width - shown_width) // 2, (height - shown_height) // 2
        across = left + (x + 0.5) * shown_width / size[1]
        down = upper + (y + 0.5) * shown_height / size[0]
        return min(int(across), width - 1), min(int(down), height - 1)


class UnreadableImageError(ValueError):
    """Bytes that are no image. The message says what failed."""


def decoded(data: bytes, choice: ImageChoice, geometry: Geometry = UNCHANGED, colour: Colour | None = None) -> Pixels:
    """The image (height, width, 3) uint8 RGB in a JPEG or PNG; for other formats Pillow may have to run a program.

    A JPEG much larger than asked for is scaled in part while it is decoded, which is faster and aliases no more.
    Raises UnreadableImageError.
    """
    height, width = choice.size
    images = require("PIL.Image", "build")
    image = _opened(data, height, width, images)
    box = _box(image.size, width / height, choice.fit, geometry)
    target = _padded_size(image.size, choice) if choice.fit == "pad" else (width, height)
    if image.size != target or box != (0.0, 0.0, *map(float, image.size)):
        image = image.resize(target, images.Resampling.BILINEAR, box=box)
    if target != (width, height):
        framed = images.new("RGB", (width, height))
        framed.paste(image, ((width - target[0]) // 2, (height - target[1]) // 2))
        image = framed
    if geometry.angle_deg:
        image = image.rotate(geometry.angle_deg, images.Resampling.BILINEAR)
    pixels: Pixels = np.asarray(image)
    return pixels if colour is None else colour.of(pixels)


def _opened(data: bytes, height: int, width: int, images: Any) -> Any:
    try:
        if data[:2] == b"\xff\xd8":
            pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width, min_factor=1)
            return images.fromarray(pixels)
        return images.open(io.BytesIO(data), formats=("PNG",)).convert("RGB")
    except (ValueError, OSError, SyntaxError, images.DecompressionBombError) as error:
        raise UnreadableImageError(f"{len(data)} bytes that are no image: {error}") from None


def _box(size: tuple[int, int], aspect: float, fit: str, geometry: Geometry) -> tuple[float, float, float, float]:
    """left, upper, right, lower of the part of the image to show."""
    width, height = float(size[0]), float(size[1])
    if fit == "crop":
        width, height = min(width, height * aspect), min(height, width / aspect)
    left, upper = (size[0] - width) / 2, (size[1] - height) / 2
    shown_width, shown_height = width * geometry.width, height * geometry.height
    left += (width - shown_width) * geometry.x
    upper += (height - shown_height) * geometry.y
    return left, upper, left + shown_width, upper + shown_height


def _padded_size(size: tuple[int, int], choice: ImageChoice) -> tuple[int, int]:
    height, width = choice.size
    scale = min(width / size[0], height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
