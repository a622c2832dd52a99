"""What pictures show by themselves: sharpness, and whether they move when the arm does."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg
from scipy import ndimage

from teleloom.quality import images
from teleloom.quality.motion import Motion, even_motion
from teleloom.quality.pictures import picture_lag

RATE_HZ, SECONDS = 10.0, 12.0


def wandering_arm(seed: int = 0) -> Motion:
    """An arm that makes reaches of changing length and speed."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(0.0, SECONDS, 0.005)
    starts, sizes = np.arange(0.3, SECONDS - 1.5, 1.4), rng.uniform(0.3, 1.2, 20)
    q = sum(
        size * (10 * u**3 - 15 * u**4 + 6 * u**5)
        for start, size in zip(starts, sizes, strict=False)
        for u in [np.clip((t_s - start) / rng.uniform(0.5, 1.1), 0.0, 1.0)]
    )
    return even_motion((t_s * 1e9).astype(np.int64), np.asarray(q)[:, None], 100.0, 8.0)


def jpeg(grey: np.ndarray) -> bytes:
    image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    return simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=90, colorspace="RGB")


def stripes(phase: float) -> bytes:
    rows, columns = np.mgrid[0:120, 0:160]
    return jpeg(127 + 60 * np.sin((columns + 20 * phase) / 4.5) + 40 * np.sin(rows / 3.0))


def seen(motion: Motion, late_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Times and changes of pictures of that arm, stamped `late_s` after they were taken."""
    t_ns = np.arange(0, round(SECONDS * 1e9), round(1e9 / RATE_HZ))
    where = np.interp(t_ns / 1e9 - late_s, motion.t_ns / 1e9, motion.q[:, 0])
    return t_ns, images.mean_change(stripes(phase) for phase in where)


@pytest.mark.parametrize("late_s", [0.0, 0.08, -0.12, 0.3])
def test_the_lag_of_a_camera_is_found_from_what_it_shows(late_s: float) -> None:
    motion = wandering_arm()
    lag_s, span = picture_lag(*seen(motion, late_s), motion)
    assert lag_s == pytest.approx(late_s, abs=0.021)
    assert motion.t_ns[0] <= span[0] < span[1] <= motion.t_ns[-1]


def test_a_camera_that_does_not_see_the_arm_has_no_lag() -> None:
    motion = wandering_arm()
    t_ns, change = seen(motion, 0.0)
    assert picture_lag(t_ns, np.random.default_rng(1).uniform(1.0, 2.0, len(change)), motion) is None
    assert picture_lag(t_ns, np.ones(len(change)), motion) is None
    assert picture_lag(t_ns[:15], change[:15], motion) is None


def test_a_blurred_picture_is_less_sharp() -> None:
    specks = 255.0 * (np.random.default_rng(0).random((240, 320)) > 0.97)
    sharp, soft, softer = (images.sharpness(jpeg(ndimage.gaussian_filter(specks, px))) for px in (0.5, 1.0, 2.0))
    assert sharp > 2.0 * soft > 4.0 * softer


def test_what_is_no_jpeg_is_refused() -> None:
    with pytest.raises(ValueError):
        images.sharpness(b"not a picture")
    with pytest.raises(ValueError):
        images.mean_change([b"not a picture"])


def test_pictures_of_changing_size_have_no_change_to_speak_of() -> None:
    small = simplejpeg.encode_jpeg(np.zeros((48, 64, 3), dtype=np.uint8), colorspace="RGB")
    change = images.mean_change([stripes(0.0), small, small])
    assert np.isnan(change[:2]).all()
    assert change[2] == 0.0
