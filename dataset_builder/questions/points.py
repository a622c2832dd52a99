"""Questions whose answer is a pixel `(x, y)`, and how such a one reads when its image is shown in another size."""

from __future__ import annotations

import re
from collections.abc import Callable

KIND = "point"
Size = tuple[int, int]
"""(height, width) of an image, in pixels."""

_PIXEL = re.compile(r"\((\d{1,6}), ?(\d{1,6})\)")


class BadPointError(ValueError):
    """An answer that is no pixel of its image. The message says what would be right."""


def image_of(size: Size) -> str:
    """How a question says the size of the image that the pixel is of."""
    height, width = size
    return f"image of {width} x {height} pixels"


def answer_of(x: int, y: int) -> str:
    """The answer that is this pixel."""
    return f"({x}, {y})"


def pixel_of(answer: str) -> tuple[int, int]:
    """The pixel that an answer is. Raises BadPointError."""
    found = _PIXEL.fullmatch(answer)
    if found is None:
        raise BadPointError(f"answers of kind '{KIND}' are a pixel (x, y) in whole numbers; give others another kind")
    return int(found[1]), int(found[2])


def check_point(answer: str, size: Size) -> None:
    """Raise BadPointError for an answer that is no pixel of an image of this size."""
    x, y = pixel_of(answer)
    if x >= size[1] or y >= size[0]:
        raise BadPointError(f"the pixel {answer} is not in its {image_of(size)}; scale it, or give it another kind")


def resized(
    question: str, answer: str, old: Size, new: Size, place: Callable[[int, int], tuple[int, int]]
) -> tuple[str, str]:
    """Question and answer about an image of size `old` that is shown in size `new`. place: where it shows a pixel."""
    return question.replace(image_of(old), image_of(new)), answer_of(*place(*pixel_of(answer)))
