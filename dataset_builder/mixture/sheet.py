"""A batch as one picture, to be looked at before a long training run begins."""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from dataset_builder.mixture.mixture import Sample
from teleloom.extras import require

_MARGIN = 8
_TEXT_WIDTH = 420
_LINE = 15
_FONT = 12
_LINE_CHARACTERS = 66
_INK, _FAINT, _PAPER = (20, 20, 20), (120, 120, 120), (255, 255, 255)


def contact_sheet(samples: Sequence[Sample]) -> bytes:
    """A PNG with a row for each sample: its images as the model gets them, source, prompt, answer and token counts."""
    images = require("PIL.Image", "build")
    draw = require("PIL.ImageDraw", "build")
    font = require("PIL.ImageFont", "build").load_default(_FONT)
    height, width = samples[0].images.shape[1:3]
    slots = max(1, *(len(sample.images) for sample in samples))
    texts = [_lines(sample) for sample in samples]
    rows = [max(height, _LINE * len(lines)) + _MARGIN for lines in texts]
    left = _MARGIN + slots * (width + _MARGIN)
    page = images.new("RGB", (left + _TEXT_WIDTH, sum(rows) + _MARGIN), _PAPER)
    pen = draw.Draw(page)
    top = _MARGIN
    for sample, lines, row in zip(samples, texts, rows, strict=True):
        for slot, pixels in enumerate(sample.images):
            page.paste(images.fromarray(pixels), (_MARGIN + slot * (width + _MARGIN), top))
        for number, (line, colour) in enumerate(lines):
            pen.text((left, top + number * _LINE), line, fill=colour, font=font)
        top += row
    return _png(page)


def _lines(sample: Sample) -> list[tuple[str, tuple[int, int, int]]]:
    tokens = sample.tokens
    counts = f"{tokens.target} prompt + {len(tokens.ids) - tokens.target} target tokens"
    cut = f", {tokens.cut} cut" if tokens.cut else ""
    head = f"{sample.kind} {sample.source} #{sample.pick.item}, epoch {sample.pick.epoch}; {counts}{cut}"
    shown = [(line, _FAINT) for line in wrap(head, _LINE_CHARACTERS)]
    for text in (sample.prompt, sample.answer):
        shown += [(line, _INK) for part in text.splitlines() for line in wrap(part, _LINE_CHARACTERS)]
    return shown


def _png(page: Any) -> bytes:
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()
