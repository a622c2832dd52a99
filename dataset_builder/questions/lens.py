"""Where a point in the robot's base frame lies in an image of the dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataset_builder.rlds.images import CameraChoice
from teleloom import pose
from teleloom.pose import Array, Numbers
from teleloom.specs import CameraSpec

Two = tuple[float, float]

NEAREST_M = 0.05
LEVEL = 1e-3


@dataclass(frozen=True, eq=False)
class Lens:
    """A fixed camera whose pose and intrinsics are known, and how its image is brought to the dataset's size.

    T_camera_base: pose (7,). intrinsics: fx fy cx cy of the image as recorded, pixels; distortion: k1 k2 p1 p2 k3.
    width, height: of the dataset's image, pixels. scale, shift: a pixel (x, y) as recorded, its centre at whole
    numbers, lies at `(pixel + 0.5) * scale + shift - 0.5` there.
    """

    T_camera_base: Array
    intrinsics: tuple[float, float, float, float]
    distortion: tuple[float, float, float, float, float]
    width: int
    height: int
    scale: Two
    shift: Two

    def pixel(self, point: Numbers) -> tuple[int, int] | None:
        """The pixel (x, y) that shows a point (3,) of the base frame, None outside of the image.

        Pinhole with radial and tangential distortion, as in OpenCV's `projectPoints`.
        """
        x, y, z = self._seen(point)
        if z < NEAREST_M:
            return None
        x, y = x / z, y / z
        k1, k2, p1, p2, k3 = self.distortion
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        fx, fy, cx, cy = self.intrinsics
        u = fx * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)) + cx
        v = fy * (y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y) + cy
        column = round((u + 0.5) * self.scale[0] + self.shift[0] - 0.5)
        row = round((v + 0.5) * self.scale[1] + self.shift[1] - 0.5)
        return (column, row) if 0 <= column < self.width and 0 <= row < self.height else None

    def beside(self, point: Numbers, other: Numbers) -> tuple[float, float]:
        """How far a point lies to the right of another and how much farther off, as seen in the image, level, m.

        Farther off is where an upright camera looks and where the image of one that looks down has its upper edge.
        """
        camera = pose.inverse(self.T_camera_base)[3:]
        offset = np.subtract(point, other)
        return _along(offset, pose.quat_rotate(camera, (1.0, 0.0, 0.0))), _along(
            offset, pose.quat_rotate(camera, (0.0, -1.0, 1.0))
        )

    def _seen(self, point: Numbers) -> tuple[float, float, float]:
        x, y, z = (pose.quat_rotate(self.T_camera_base[3:], point) + self.T_camera_base[:3]).tolist()
        return x, y, z


def _along(offset: Array, axis: Array) -> float:
    """How far the offset (3,) goes along the level part of the axis (3,); 0 where that has none."""
    length = float(np.hypot(axis[0], axis[1]))
    return float(offset[:2] @ axis[:2]) / length if length > LEVEL else 0.0


def lens_of(camera: CameraSpec, choice: CameraChoice) -> Lens | None:
    """The lens of a camera as the dataset shows it; None where it moves, or its pose or intrinsics are not known."""
    if camera.mount is not None or camera.T_base_camera is None or camera.intrinsics is None:
        return None
    k1, k2, p1, p2, k3 = (*camera.distortion, *(0.0,) * 5)[:5]
    height, width = choice.size or (camera.height, camera.width)
    scale, shift = _fit((camera.width, camera.height), (width, height), choice.fit)
    return Lens(
        T_camera_base=pose.inverse(camera.T_base_camera),
        intrinsics=camera.intrinsics,
        distortion=(k1, k2, p1, p2, k3),
        width=width,
        height=height,
        scale=scale,
        shift=shift,
    )


def _fit(recorded: tuple[int, int], wanted: tuple[int, int], fit: str) -> tuple[Two, Two]:
    """Scale and shift (x, y) of `rlds.images.resize_jpeg`; sizes are (width, height)."""
    across, down = wanted[0] / recorded[0], wanted[1] / recorded[1]
    if fit == "stretch":
        return (across, down), (0.0, 0.0)
    if fit == "crop":
        larger = max(across, down)
        return (larger, larger), ((wanted[0] - recorded[0] * larger) / 2, (wanted[1] - recorded[1] * larger) / 2)
    smaller = min(across, down)
    inner = [max(1, round(side * smaller)) for side in recorded]
    left, top = ((side - kept) // 2 for side, kept in zip(wanted, inner, strict=True))
    return (inner[0] / recorded[0], inner[1] / recorded[1]), (float(left), float(top))
