"""The cameras of an RLDS record: JPEG bytes as they are, everything else encoded once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.importing.episode import ImportedCamera, UnimportableError, encode_pixels
from dataset_builder.exchange.rlds.plan import Plan
from dataset_builder.exchange.rlds.schema import Field, numbers
from dataset_builder.rlds.records import Decoded
from teleloom.episode.streams import frame_is_whole
from teleloom.extras import require


def cameras_of(
    record: Mapping[str, Decoded], plan: Plan, count: int, metadata: Mapping[str, str]
) -> dict[str, ImportedCamera]:
    """The cameras of the plan that the record has. metadata: of the episode, which says what is absent."""
    return {
        camera: _camera(record, field, count, plan.options.jpeg_quality)
        for camera, field in sorted(plan.cameras.items())
        if not _is_absent(field, metadata)
    }


def _camera(record: Mapping[str, Decoded], field: Field, count: int, quality: int) -> ImportedCamera:
    if field.kind == "numbers":
        pixels = numbers(record, field, count)
        origin = hashlib.sha256(np.ascontiguousarray(pixels).data).digest()
        return ImportedCamera([encode_pixels(image, quality) for image in pixels], quality, origin=origin)
    frames = record[field.key]
    if not isinstance(frames, list):
        raise UnimportableError("features-mismatch", f"{field.name} holds numbers where features.json says images")
    if all(frame_is_whole(frame, "jpeg") for frame in frames):
        return ImportedCamera(frames)
    origin = hashlib.sha256(b"".join(hashlib.sha256(frame).digest() for frame in frames)).digest()
    return ImportedCamera([encode_pixels(_decoded(frame, field), quality) for frame in frames], quality, origin=origin)


def _decoded(data: bytes, field: Field) -> NDArray[np.uint8]:
    """The pixels (H, W, C) of a PNG, or of whatever else Pillow reads, but nothing that it would have to run."""
    image_module = require("PIL.Image", "build")
    try:
        with image_module.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP", "GIF")) as image:
            if image.mode.startswith("I") or image.mode == "F":
                raise UnimportableError("image-format", f"{field.name} holds images of more than 8 bits")
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, image_module.DecompressionBombError) as error:
        if isinstance(error, UnimportableError):
            raise
        raise UnimportableError("broken-image", f"{field.name} holds an image that cannot be read: {error}") from None


def _is_absent(field: Field, metadata: Mapping[str, str]) -> bool:
    """Whether the record says that no camera took this image: Bridge and DROID fill it with something else then."""
    last = field.name.rsplit("/", 1)[-1]
    flags = (metadata.get(f"has_{name}") for name in (last, last.removesuffix("_left")))
    return "0" in flags
