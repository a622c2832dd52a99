"""Images of a batch: sizes, augmentation, and the sheet on which one looks at them."""

from __future__ import annotations

import colorsys
import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from mixture_parts import Kitchen, shared_kitchen
from PIL import Image

from dataset_builder.mixture import commands
from dataset_builder.mixture.augmentation import UNCHANGED, Augmentation, Colour, Geometry
from dataset_builder.mixture.images import ImageChoice, UnreadableImageError, decoded
from dataset_builder.mixture.sheet import contact_sheet

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return shared_kitchen(tmp_path_factory)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def gradient(height: int, width: int) -> np.ndarray:
    """Red grows to the right, green downwards."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = np.linspace(0, 250, width)[None, :]
    image[..., 1] = np.linspace(0, 250, height)[:, None]
    return image


def test_an_image_that_has_the_size_already_comes_as_it_is() -> None:
    pixels = gradient(32, 48)
    assert np.array_equal(decoded(png(pixels), ImageChoice(size=(32, 48))), pixels)
    jpeg = simplejpeg.encode_jpeg(pixels, 90)
    assert np.array_equal(decoded(jpeg, ImageChoice(size=(32, 48))), simplejpeg.decode_jpeg(jpeg))


@pytest.mark.parametrize(
    ("fit", "red", "green", "black"),
    [("stretch", (0, 250), (0, 250), 0), ("crop", (62, 188), (0, 250), 0), ("pad", (0, 250), (0, 250), 2 * 16 * 64)],
)
def test_another_aspect_ratio_is_stretched_cut_or_padded(fit: str, red: tuple, green: tuple, black: int) -> None:
    image = decoded(png(gradient(100, 200)), ImageChoice(size=(64, 64), fit=fit))
    shown = image[16:48] if fit == "pad" else image
    for channel, (low, high) in enumerate((red, green)):
        assert int(shown[..., channel].min()) == pytest.approx(low, abs=4)
        assert int(shown[..., channel].max()) == pytest.approx(high, abs=4)
    assert (image[:16].sum() + image[48:].sum() == 0) == (black > 0)


def test_a_large_jpeg_looks_like_itself_when_it_is_small() -> None:
    pixels = gradient(480, 640)
    small = decoded(simplejpeg.encode_jpeg(pixels, 95), ImageChoice(size=(96, 128)))
    reference = np.asarray(Image.fromarray(pixels).resize((128, 96), Image.Resampling.BILINEAR))
    assert np.abs(small.astype(int) - reference).mean() < 2


@given(st.integers(0, 199), st.integers(0, 99), st.sampled_from(["stretch", "pad"]))
@settings(max_examples=30, deadline=None)
def test_a_pixel_is_found_again_where_the_batch_shows_it(x: int, y: int, fit: str) -> None:
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    image[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5] = 255
    choice = ImageChoice(size=(50, 80), fit=fit)
    shown = decoded(png(image), choice)[..., 0]
    column, row = choice.place((100, 200), x, y)
    assert shown[row, column] > 100


def test_what_is_no_image_is_refused() -> None:
    drawn_by_a_program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    size = b"IHDR" + struct.pack(">IIBBBBB", 16_384, 16_384, 8, 2, 0, 0, 0)
    endless = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + size + struct.pack(">I", zlib.crc32(size))
    endless += struct.pack(">I", 8) + b"IDAT" + bytes(12)
    for data in (b"\xff\xd8 no jpeg", b"no picture at all", drawn_by_a_program, endless):
        with pytest.raises(UnreadableImageError, match="bytes that are no image") as refusal:
            decoded(data, ImageChoice())
        assert "Ghostscript" not in str(refusal.value)


def test_a_crop_shows_the_part_that_its_numbers_say() -> None:
    geometry = Geometry(width=0.5, height=0.5, x=1.0, y=0.0, angle_deg=0.0)
    image = decoded(png(gradient(64, 64)), ImageChoice(size=(32, 32)), geometry)
    assert (image[..., 0].min(), image[..., 0].max()) == (pytest.approx(126, abs=4), 250)
    assert (image[..., 1].min(), image[..., 1].max()) == (0, pytest.approx(124, abs=4))


def test_a_rotation_turns_about_the_centre_and_blackens_the_corners() -> None:
    image = np.full((65, 65, 3), 200, dtype=np.uint8)
    image[32, 32] = (255, 0, 0)
    turned = decoded(png(image), ImageChoice(size=(65, 65)), Geometry(1, 1, 0, 0, 30))
    assert tuple(turned[32, 32]) == (255, 0, 0)
    assert turned[0, 0].sum() == 0


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_a_drawn_crop_stays_within_its_bounds(seed: int) -> None:
    choice = Augmentation(crop_scale=(0.5, 0.8), crop_ratio=(0.75, 1.33), rotation_deg=10)
    geometry = choice.geometry(np.random.default_rng(seed))
    assert 0.5 - 1e-9 <= geometry.width * geometry.height <= 0.8 + 1e-9
    assert 0.75 - 1e-9 <= geometry.width / geometry.height <= 1.33 + 1e-9
    assert 0 <= geometry.x <= 1
    assert 0 <= geometry.y <= 1
    assert abs(geometry.angle_deg) <= 10


def test_no_change_of_light_changes_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert np.abs(Colour(0, 1, 1, 0).of(pixels).astype(int) - pixels).max() <= 1


def test_light_does_what_its_names_say() -> None:
    pixels = np.random.default_rng(0).integers(60, 196, (40, 40, 3)).astype(np.uint8)
    mean = pixels.mean(axis=(0, 1))
    assert Colour(0.1, 1, 1, 0).of(pixels).mean(axis=(0, 1)) == pytest.approx(mean + 25.5, abs=1)
    softer = Colour(0, 0.5, 1, 0).of(pixels)
    assert softer.mean(axis=(0, 1)) == pytest.approx(mean, abs=1)
    assert softer.std(axis=(0, 1)) == pytest.approx(pixels.std(axis=(0, 1)) / 2, rel=0.02)
    grey = Colour(0, 1, 0, 0).of(pixels).astype(int)
    assert np.abs(grey - grey[..., :1]).max() <= 1
    assert grey[..., 0] == pytest.approx(pixels @ np.array([0.299, 0.587, 0.114]), abs=1.5)


def test_a_third_of_a_turn_of_hue_takes_red_towards_another_primary() -> None:
    red = np.full((2, 2, 3), (200, 60, 60), dtype=np.uint8)
    turned = Colour(0, 1, 1, 1 / 3).of(red)[0, 0] / 255
    before, after = colorsys.rgb_to_hsv(*(red[0, 0] / 255))[0], colorsys.rgb_to_hsv(*turned)[0]
    assert min(abs(after - before), 1 - abs(after - before)) == pytest.approx(1 / 3, abs=0.06)


def test_all_cameras_stand_in_the_same_light_and_each_has_its_own_view(kitchen: Kitchen) -> None:
    keys = {"questions": None, "images": {"size": [48, 64]}}
    still = {"crop_scale": [1, 1], "hue": 0, "contrast": 0, "saturation": 0}
    plain, lit = kitchen.open(**keys), kitchen.open(augmentation={**still, "brightness": 0.2}, **keys)
    for number in range(6):
        difference = lit.sample(number).images.astype(int) - plain.sample(number).images
        inner = np.where((lit.sample(number).images > 0) & (lit.sample(number).images < 255), difference, 0)
        steps = {int(np.median(image[image != 0])) for image in inner if (image != 0).any()}
        assert max(steps) - min(steps) <= 1
    light = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}
    moved = kitchen.open(augmentation={"crop_scale": [0.5, 0.6], "still": ["wrist_image"], **light}, **keys)
    for number in range(6):
        before, after = plain.sample(number).images.astype(int), moved.sample(number).images
        assert np.abs(before[1] - after[1]).max() <= 1
        assert np.abs(before[0] - after[0]).max() > 20


def test_questions_keep_their_view(kitchen: Kitchen) -> None:
    keys = {"robots": [], "images": {"size": [40, 60]}}
    light = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}
    moved = kitchen.open(augmentation={"crop_scale": [0.3, 0.3], "rotation_deg": 90, **light}, **keys)
    plain = kitchen.open(**keys)
    for number in range(12):
        assert np.abs(plain.sample(number).images.astype(int) - moved.sample(number).images).max(initial=0) <= 1


def test_bounds_that_make_no_sense_are_refused() -> None:
    for keys, message in (({"crop_scale": (0.9, 1.1)}, "more than the whole"), ({"crop_ratio": (2, 1)}, "smallest")):
        with pytest.raises(ValueError, match=message):
            Augmentation(**keys)
    assert decoded(png(gradient(8, 8)), ImageChoice(size=(8, 8)), UNCHANGED).shape == (8, 8, 3)


def test_the_sheet_has_a_row_for_each_sample(kitchen: Kitchen) -> None:
    mixture = kitchen.open(images={"size": [96, 128]})
    samples = mixture.samples(0)
    sheet = np.asarray(Image.open(io.BytesIO(contact_sheet(samples))))
    assert sheet.shape[0] == 8 * (96 + 8) + 8
    for row, sample in enumerate(samples):
        for slot, image in enumerate(sample.images):
            top, left = 8 + row * 104, 8 + slot * 136
            assert np.array_equal(sheet[top : top + 96, left : left + 128], image)
        assert (sheet[8 + row * 104 : 96 + row * 104, -420:] < 128).any()


def test_the_command_says_what_is_in_a_mixture_and_draws_a_batch(kitchen: Kitchen, tmp_path: Path) -> None:
    manifest = kitchen.write()
    command = [sys.executable, "-m", "dataset_builder.mixture", manifest, "--sheet", tmp_path / "batch.png"]
    done = subprocess.run([*command, "--batch", "2", "--json"], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [(source["name"], source["kind"], source["share"]) for source in document["sources"]] == [
        ("kitchen", "robot", 0.5),
        ("vqa", "question", 0.5),
    ]
    assert (tmp_path / "batch.png").read_bytes() == contact_sheet(kitchen.open().samples(2))
    shown = CliRunner().invoke(commands.mixture, [str(manifest)])
    assert shown.exit_code == 0
    assert "kitchen" in shown.stdout
    assert "50.0%" in shown.stdout
    assert "of 120 tokens" in shown.stdout


def test_the_command_refuses_in_one_line(kitchen: Kitchen) -> None:
    manifest = kitchen.write("no_eos.yaml", tokenizer={"path": "tokenizer.json", "eos": "<end>"})
    done = CliRunner().invoke(commands.mixture, [str(manifest)])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "set tokenizer.eos" in done.stderr
