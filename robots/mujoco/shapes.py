"""Surfaces of revolution: what is turned on a lathe, as triangles for drawing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def lathe(profile: ArrayLike, segments: int = 28) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Turn a closed outline about z. profile: (P, 2) of radius and height, m, anticlockwise seen with z up.

    Returns vertices (P * segments, 3) and triangles (T, 3).
    """
    outline = np.asarray(profile, dtype=np.float64)
    angles = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vertices = np.concatenate(
        [np.concatenate([radius * ring, np.full((segments, 1), height)], axis=1) for radius, height in outline]
    )
    faces = []
    for i in range(len(outline)):
        below, above = i * segments, ((i + 1) % len(outline)) * segments
        for k in range(segments):
            after = (k + 1) % segments
            faces.append((below + k, below + after, above + after))
            faces.append((below + k, above + after, above + k))
    return vertices, np.array(faces, dtype=np.int32)
