"""Image augmentation: where to look (crop, rotation) and in which light (brightness, contrast, saturation, hue).

Both are drawn from a generator that the caller keys on the sample, so the same sample is changed in the same way
wherever it is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from teleloom.config import Config

# NTSC YIQ: its I and Q span the colours of equal brightness, so hue is a turn in that plane.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)
_GREY = np.tile(_TO_YIQ[0], (3, 1))


class Augmentation(Config):
    """The defaults are those OpenVLA was trained with.

    crop_scale: smallest and largest part of the image's area that is shown; crop_ratio: its aspect ratio relative to
    the whole. rotation_deg: at most so far either way; the corners turn black. brightness: added, as a fraction of
    white; contrast, saturation: factors of 1 - c to 1 + c; hue: as a fraction of a full turn; all at most so far either
    way. still: image keys whose crop and rotation stay untouched, as openpi has it for wrist cameras.
    """

    crop_scale: tuple[float, float] = (0.9, 0.9)
    crop_ratio: tuple[float, float] = (1.0, 1.0)
    rotation_deg: float = Field(default=0.0, ge=0, le=180)
    brightness: float = Field(default=0.2, ge=0, le=1)
    contrast: float = Field(default=0.2, ge=0, le=1)
    saturation: float = Field(default=0.2, ge=0, le=1)
    hue: float = Field(default=0.05, ge=0, le=0.5)
    still: tuple[str, ...] = ()

    @field_validator("crop_scale", "crop_ratio")
    @classmethod
    def _a_range(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not 0 < bounds[0] <= bounds[1]:
            raise ValueError("give the smallest and the largest value, both above 0")
        return bounds

    @field_validator("crop_scale")
    @classmethod
    def _a_part(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if bounds[1] > 1:
            raise ValueError("a crop cannot show more than the whole image, 1")
        return bounds

    def geometry(self, rng: np.random.Generator) -> Geometry:
        """A crop and a rotation."""
        area = rng.uniform(*self.crop_scale)
        ratio = np.exp(rng.uniform(*np.log(self.crop_ratio)))
        width, height = min(1.0, np.sqrt(area * ratio)), min(1.0, np.sqrt(area / ratio))
        x, y = rng.uniform(), rng.uniform()
        angle = rng.uniform(-self.rotation_deg, self.rotation_deg)
        return Geometry(float(width), float(height), float(x), float(y), float(angle))

    def colour(self, rng: np.random.Generator) -> Colour:
        """A light."""
        signs = rng.uniform(-1.0, 1.0, 4) * (self.brightness, self.contrast, self.saturation, self.hue)
        return Colour(float(signs[0]), float(1 + signs[1]), float(1 + signs[2]), float(signs[3]))


@dataclass(frozen=True)
class Geometry:
    """What part of an image is shown: its width and height as fractions, where the rest lies (0 all of it right of or
    below the part, 1 all left of or above it), and then a rotation about the centre."""

    width: float
    height: float
    x: float
    y: float
    angle_deg: float


UNCHANGED = Geometry(1.0, 1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Colour:
    """brightness is added as a fraction of white, contrast and saturation are factors, hue a fraction of a turn."""

    brightness: float
    contrast: float
    saturation: float
    hue: float

    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image (H, W, 3) in this light.

        Contrast is about each channel's mean and saturation about the pixel's own grey, as TensorFlow defines them;
        hue turns the I-Q plane of YIQ. All are linear, so one matrix does it, with one rounding and one clip.
        """
        turn = 2 * np.pi * self.hue
        cosine, sine = np.cos(turn), np.sin(turn)
        hue = _FROM_YIQ @ np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]) @ _TO_YIQ
        colours = hue @ (self.saturation * np.eye(3) + (1 - self.saturation) * _GREY)
        mean = pixels.mean(axis=(0, 1))
        offset = colours @ ((1 - self.contrast) * mean + 255 * self.brightness)
        matrix = (self.contrast * colours).T.astype(np.float32)
        changed = pixels.reshape(-1, 3).astype(np.float32) @ matrix + (offset + 0.5).astype(np.float32)
        clipped: NDArray[np.uint8] = changed.clip(0, 255).astype(np.uint8)
        return clipped.reshape(pixels.shape)
