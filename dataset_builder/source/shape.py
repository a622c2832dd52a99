"""What all episodes of one dataset share, since a record's features have one shape."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """Image keys with their (height, width) as the record will hold them, and the number of arm joints."""

    images: tuple[tuple[str, int, int], ...]
    joints: int

    def __str__(self) -> str:
        images = ", ".join(f"{key} {width}x{height}" for key, height, width in self.images)
        return f"{self.joints} joints, {images}"
