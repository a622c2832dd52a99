"""Checking one record against the features it should have, with nothing but the record itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dataset_builder.codecs import InvalidActionError, InvalidTokenError
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.rlds.features import Image, Leaf, Tensor
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


def token_faults(record: Mapping[str, Decoded], tokeniser: ActionTokeniser) -> Iterator[str]:
    """Whether the tokens of a sound record are those of its actions, and decode to something in their place."""
    actions = np.asarray(record["steps/action"], dtype=np.float32).reshape(step_count(record), -1)
    tokens = np.asarray(record["steps/action_tokens"]).reshape(actions.shape)
    try:
        if not np.array_equal(tokeniser.encode(actions), tokens):
            yield "steps/action_tokens are not the tokens of steps/action"
        tokeniser.decode(tokens)
    except (InvalidActionError, InvalidTokenError) as error:
        yield f"steps/action_tokens: {error}"


def _value_faults(key: str, values: Decoded, leaf: Leaf, rows: int) -> Iterator[str]:
    kind = ("bytes" if isinstance(values, list) else values.dtype.name).replace("int64", "integer")
    expected = "bytes"
    if isinstance(leaf, Tensor):
        expected = "float32" if leaf.dtype == "float32" else "integer"
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
