"""Checking one record against the features it should have, with nothing but the record itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from dataset_builder.build.tokens import Ids
from dataset_builder.codecs import InvalidActionError, InvalidTokenError
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.rlds.features import FLOATS, Image, Leaf, Tensor
from dataset_builder.rlds.jpeg import BadImageError, check_jpeg
from dataset_builder.rlds.records import Decoded

_STEPS = "steps/"


def step_count(record: Mapping[str, Decoded]) -> int:
    """How many steps a record holds."""
    return len(record.get("steps/is_first", ()))


def record_faults(record: Mapping[str, Decoded], leaves: Mapping[str, Leaf]) -> Iterator[str]:
    """What is wrong with the keys, types, lengths, images and flags of a record. leaves: by key of the record."""
    for key in sorted(leaves.keys() - record.keys()):
        yield f"{key} is missing"
    for key in sorted(record.keys() - leaves.keys()):
        yield f"{key} is not among the features"
    steps = step_count(record)
    if not steps:
        yield "it has no steps"
        return
    for key in sorted(leaves.keys() & record.keys()):
        yield from _value_faults(key, record[key], leaves[key], steps if key.startswith(_STEPS) else 1)
    for key, step in (("steps/is_first", 0), ("steps/is_last", steps - 1)):
        if np.flatnonzero(record.get(key, ())).tolist() != [step]:
            yield f"{key} is not set at step {step} alone"


def token_faults(
    actions: NDArray[np.float32], tokens: Ids, in_record: Decoded | None, tokeniser: ActionTokeniser
) -> Iterator[str]:
    """Whether the tokens of an episode's actions (T, D) are those, in their file and, where they are there too, in the
    record, and whether each decodes."""
    try:
        expected = tokeniser.encode(actions)
        if len(expected) != len(tokens) or not all(map(np.array_equal, expected, tokens)):
            yield "its action tokens are not the tokens of its actions"
        if in_record is not None and not np.array_equal(np.concatenate(expected), in_record):
            yield "steps/action_tokens are not the tokens of its actions"
        for ids in tokens if tokeniser.codec.chunked else [np.stack(tokens)]:
            tokeniser.decode(ids)
    except (InvalidActionError, InvalidTokenError, ValueError) as error:
        yield f"its action tokens: {error}"


def _value_faults(key: str, values: Decoded, leaf: Leaf, rows: int) -> Iterator[str]:
    kind = ("bytes" if isinstance(values, list) else values.dtype.name).replace("int64", "integer")
    expected = "bytes"
    if isinstance(leaf, Tensor):
        expected = "float32" if leaf.dtype in FLOATS else "integer"
        rows *= int(np.prod(leaf.shape))
    if kind != expected:
        yield f"{key} holds {kind} values, not {expected}"
    elif len(values) != rows:
        yield f"{key} has {len(values)} values, not {rows}"
    elif isinstance(leaf, Image):
        yield from _image_faults(key, values, leaf)
    elif kind == "float32" and not np.isfinite(values).all():
        yield f"{key} has values that are NaN or infinite"


def _image_faults(key: str, images: Decoded, leaf: Image) -> Iterator[str]:
    for step, data in enumerate(images):
        try:
            check_jpeg(bytes(data), leaf.height, leaf.width)
        except BadImageError as error:
            yield f"{key}, step {step}: {error}"
