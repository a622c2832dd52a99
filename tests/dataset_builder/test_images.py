"""Images in the size that a dataset asks for."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import simplejpeg
from pydantic import ValidationError

from dataset_builder.rlds.images import CameraChoice, black_jpeg, resize_jpeg
from dataset_builder.rlds.jpeg import BadImageError


def bands(height: int, width: int) -> bytes:
    """Vertical bands of red, green and blue, a third of the width each; wide bands survive every resize."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    for colour in range(3):
        pixels[:, colour * width // 3 : (colour + 1) * width // 3, colour] = 255
    return simplejpeg.encode_jpeg(pixels, 95)


def pixels(data: bytes) -> np.ndarray:
    return simplejpeg.decode_jpeg(data, "RGB").astype(int)


def resized(data: bytes, size: tuple[int, int], fit: str) -> np.ndarray:
    return pixels(resize_jpeg(data, CameraChoice(key="image", size=size, fit=fit)))


def test_without_a_size_or_with_the_size_it_has_the_bytes_are_the_very_same() -> None:
    data = bands(48, 96)
    assert resize_jpeg(data, CameraChoice(key="image")) is data
    assert resize_jpeg(data, CameraChoice(key="image", size=(48, 96))) is data


def test_crop_cuts_the_longer_side_about_the_centre() -> None:
    image = resized(bands(120, 360), (60, 60), "crop")
    assert image.shape == (60, 60, 3)
    assert (image[:, :, 1] > 240).all()
    assert (image[:, :, [0, 2]] < 16).all()
    assert resized(bands(360, 120), (60, 60), "crop").shape == (60, 60, 3)


def test_pad_keeps_everything_and_fills_with_black() -> None:
    image = resized(bands(120, 360), (64, 96), "pad")
    assert image.shape == (64, 96, 3)
    assert image[:14].max() < 16
    assert image[-14:].max() < 16
    assert [int(image[32, column].argmax()) for column in (8, 48, 88)] == [0, 1, 2]


def test_stretch_keeps_everything_and_changes_the_aspect_ratio() -> None:
    image = resized(bands(120, 360), (90, 60), "stretch")
    assert image.shape == (90, 60, 3)
    assert [int(image[45, column].argmax()) for column in (5, 30, 55)] == [0, 1, 2]
    assert image[:, 5, 0].min() > 240


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(("source", "wanted"), [((480, 640), (256, 256)), ((64, 48), (256, 256)), ((7, 9), (180, 320))])
def test_every_fit_gives_the_size_asked_for(source: tuple[int, int], wanted: tuple[int, int], fit: str) -> None:
    assert resized(bands(*source), wanted, fit).shape == (*wanted, 3)


def test_a_smooth_picture_keeps_its_brightness_to_a_level_or_two() -> None:
    rows, columns = np.mgrid[0:240, 0:320]
    smooth = np.stack([rows, columns * 0.75, 255 - rows], axis=2).astype(np.uint8)
    image = resized(simplejpeg.encode_jpeg(np.ascontiguousarray(smooth), 95), (120, 160), "crop")
    halved = smooth.reshape(120, 2, 160, 2, 3).mean(axis=(1, 3))
    assert np.abs(image - halved).mean() < 2.0


def test_the_same_bytes_give_the_same_bytes_in_another_process() -> None:
    script = (
        "import hashlib, numpy, simplejpeg; from dataset_builder.rlds.images import CameraChoice, resize_jpeg;"
        "a = numpy.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=numpy.uint8);"
        "d = resize_jpeg(simplejpeg.encode_jpeg(a, 90), CameraChoice(key='image', size=(64, 64)));"
        "print(hashlib.sha256(d).hexdigest())"
    )
    noise = np.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=np.uint8)
    here = resize_jpeg(simplejpeg.encode_jpeg(noise, 90), CameraChoice(key="image", size=(64, 64)))
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert there.strip() == hashlib.sha256(here).hexdigest()


def test_quality_is_what_was_asked_for() -> None:
    noise = simplejpeg.encode_jpeg(np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8), 95)
    sizes = [len(resize_jpeg(noise, CameraChoice(key="image", size=(64, 64), quality=q))) for q in (30, 95)]
    assert sizes[0] * 2 < sizes[1]


def test_a_jpeg_that_cannot_be_decoded_is_refused() -> None:
    with pytest.raises(BadImageError, match="cannot be decoded"):
        resize_jpeg(b"\xff\xd8 no picture \xff\xd9", CameraChoice(key="image", size=(8, 8)))


def test_black_is_black_and_made_once() -> None:
    assert pixels(black_jpeg(12, 20)).max() == 0
    assert pixels(black_jpeg(12, 20)).shape == (12, 20, 3)
    assert black_jpeg(12, 20) is black_jpeg(12, 20)


def test_a_size_must_be_of_pixels() -> None:
    with pytest.raises(ValidationError, match="at least 1"):
        CameraChoice(key="image", size=(0, 256))
