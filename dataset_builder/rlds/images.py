"""Images of a record: the bytes as recorded, or resized where a dataset asks for another size."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from teleloom.config import Config


class CameraChoice(Config):
    """A camera's place in the dataset.

    key: image key of the dataset. size: (height, width) in pixels, None for the bytes as recorded. fit: how another
    aspect ratio is met: cut the longer side about the centre, pad the shorter one with black, or stretch.
    quality: of the JPEG after a resize.
    """

    key: str
    size: tuple[int, int] | None = None
    fit: Literal["crop", "pad", "stretch"] = "crop"
    quality: int = Field(default=95, ge=1, le=100)

    @field_validator("size")
    @classmethod
    def _positive(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and min(size) < 1:
            raise ValueError("size is (height, width) in pixels, both at least 1")
        return size
