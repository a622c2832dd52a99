"""What pictures show by themselves: whether they stay the same, how much they change, how sharp they are."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import simplejpeg
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Grey = NDArray[np.int16]

START_OF_IMAGE = b"\xff\xd8"
PROBE_HEIGHT, PROBE_WIDTH = 48, 64
SHARP_HEIGHT, SHARP_WIDTH = 240, 320
TILES = 6


def unchanged_bytes(frames: Iterable[bytes]) -> Mask:
    """Whether each JPEG equals the one before it, byte for byte: (N,), the first is False.

    Raises ValueError on bytes that are not a JPEG.
    """
    same: list[bool] = []
    before: bytes | None = None
    for frame in frames:
        if not frame.startswith(START_OF_IMAGE):
            raise ValueError(f"frame {len(same)} is not a JPEG")
        same.append(frame == before)
        before = frame
    return np.array(same, dtype=np.bool_)


def largest_tile_change(frames: Iterable[bytes]) -> NDArray[np.float64]:
    """How much each JPEG (N) differs from the one before it, in grey levels 0..255; the first is infinite.

    Both are decoded at the smallest JPEG scale of at least 64x48 and compared in 6x6 tiles; the figure is the mean
    absolute difference of the tile that changed most, so that a small arm in a large still scene is seen.
    Raises ValueError on bytes that are not a JPEG.
    """
    changes: list[float] = []
    before: Grey | None = None
    for frame in frames:
        picture = _probe(frame)
        same_shape = before is not None and before.shape == picture.shape
        changes.append(_tile_change(before, picture) if before is not None and same_shape else np.inf)
        before = picture
    return np.array(changes)


def mean_change(frames: Iterable[bytes]) -> NDArray[np.float64]:
    """Mean |ΔI| from each JPEG (N) to the one before it, in grey levels, decoded as for `largest_tile_change`.

    The first is NaN, and so is one of another size than the one before it. Raises ValueError on bytes that are not a
    JPEG.
    """
    changes: list[float] = []
    before: Grey | None = None
    for frame in frames:
        picture = _probe(frame)
        same_shape = before is not None and before.shape == picture.shape
        changes.append(float(np.abs(picture - before).mean()) if before is not None and same_shape else np.nan)
        before = picture
    return np.array(changes)


def sharpness(jpeg: bytes) -> float:
    """Variance of the Laplacian of a JPEG in grey levels (Pech-Pacheco et al. 2000), at a scale of at least 320x240.

    Raises ValueError on bytes that are not a JPEG.
    """
    grey = _probe(jpeg, SHARP_HEIGHT, SHARP_WIDTH)
    if min(grey.shape) < 3:
        return 0.0
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.var(around - 4 * grey[1:-1, 1:-1]))


def _probe(jpeg: bytes, height: int = PROBE_HEIGHT, width: int = PROBE_WIDTH) -> Grey:
    decoded = simplejpeg.decode_jpeg(
        jpeg, colorspace="GRAY", fastdct=True, min_height=height, min_width=width, min_factor=8
    )
    grey: Grey = decoded[:, :, 0].astype(np.int16)
    return grey


def _tile_change(a: Grey, b: Grey) -> float:
    height, width = (max(1, size // TILES) for size in a.shape)
    rows, columns = a.shape[0] // height, a.shape[1] // width
    difference = np.abs(a - b)[: rows * height, : columns * width]
    return float(difference.reshape(rows, height, columns, width).mean(axis=(1, 3)).max())
