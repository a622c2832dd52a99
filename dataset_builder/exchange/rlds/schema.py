"""What a foreign `features.json` declares, and the steps of a record that it describes.

`features.json` is the JSON form of `tensorflow_datasets/core/proto/feature.proto`. A record is one flat
`tf.train.Example`; how a feature lies in it is what `tfds.core.example_serializer` writes: a feature of shape S over T
steps is a list of T·S values, rows of varying length are `<key>/ragged_flat_values` and `<key>/ragged_row_lengths_0`,
and a tensor with the encoding `bytes` or `zlib` is one string for each step.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.importing.dataset import ForeignDatasetError
from dataset_builder.exchange.importing.episode import UnimportableError
from dataset_builder.rlds.records import Decoded

Kind = Literal["image", "numbers", "text", "unsupported"]
MAX_DEPTH = 16
MAX_INFLATED_BYTES = 64 * 1024 * 1024
_NUMBERS = ("bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")


@dataclass(frozen=True)
class Field:
    """A leaf of the feature tree. key: in the record, e.g. `steps/observation/state`.

    shape: of one step's value, -1 where a length may vary. rows: a sequence within each step. why: of `unsupported`.
    """

    key: str
    kind: Kind
    dtype: str = ""
    shape: tuple[int, ...] = ()
    encoding: str = "none"
    rows: bool = False
    why: str = ""

    @property
    def name(self) -> str:
        """The key without `steps/`, as users and maps call it."""
        return self.key.removeprefix("steps/")

    @property
    def is_picture(self) -> bool:
        """Whether it is something that a camera saw: colour or grey, 8 bit."""
        pixels = self.kind == "image" or (self.kind == "numbers" and len(self.shape) == 3)
        return pixels and self.dtype == "uint8" and self.shape[-1] in (1, 3)


def fields_of(document: Mapping[str, Any]) -> dict[str, Field]:
    """The leaves of a `features.json` by key. Raises ForeignDatasetError when it is none, or holds no `steps`."""
    try:
        entries = document["featuresDict"]["features"]
        steps = entries["steps"]["sequence"]["feature"]
        fields = list(_walk("steps", steps, depth=0, rows=False))
        for name, entry in entries.items():
            if name != "steps":
                fields += _walk(name, entry, depth=0, rows=False)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ForeignDatasetError(f"features.json is not that of an RLDS dataset: no {error}") from None
    return {field.key: field for field in fields}


def _walk(key: str, entry: Mapping[str, Any], depth: int, rows: bool) -> Iterator[Field]:
    if depth > MAX_DEPTH:
        raise ValueError(f"end of the features nested in {key}")
    if "featuresDict" in entry:
        for name, child in entry["featuresDict"]["features"].items():
            yield from _walk(f"{key}/{name}", child, depth + 1, rows)
    elif "sequence" in entry:
        child = entry["sequence"]["feature"]
        if rows:
            yield Field(key, "unsupported", why="a sequence of sequences")
        else:
            yield from _walk(key, child, depth + 1, rows=True)
    else:
        yield _leaf(key, entry, rows)


def _leaf(key: str, entry: Mapping[str, Any], rows: bool) -> Field:
    if "text" in entry:
        return Field(key, "text", rows=rows)
    if "classLabel" in entry:
        return Field(key, "numbers", "int64", rows=rows)
    if "boundingBox" in entry:
        return Field(key, "numbers", "float32", (4,), rows=rows)
    if "image" in entry:
        image = entry["image"]
        kind: Kind = "unsupported" if rows else "image"
        why = "a sequence of images in each step" if rows else ""
        return Field(key, kind, image.get("dtype") or "uint8", _shape(image), image.get("encodingFormat", ""), why=why)
    if "tensor" in entry:
        tensor = entry["tensor"]
        dtype, encoding = str(tensor["dtype"]), str(tensor.get("encoding") or "none")
        if dtype in ("string", "object"):
            return Field(key, "text", shape=_shape(tensor), rows=rows)
        if dtype not in _NUMBERS:
            return Field(key, "unsupported", why=f"numbers of type {dtype}")
        if encoding not in ("none", "bytes", "zlib"):
            return Field(key, "unsupported", why=f"the tensor encoding '{encoding}'")
        return Field(key, "numbers", dtype, _shape(tensor), encoding, rows)
    return Field(key, "unsupported", why=f"a feature of class {entry.get('pythonClassName', 'unknown')}")


def _shape(entry: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(n) for n in entry.get("shape", {}).get("dimensions", []))


def step_count(record: Mapping[str, Decoded], fields: Mapping[str, Field]) -> int:
    """T of a record. Raises UnimportableError (`features-mismatch`) when its features do not agree on it."""
    counts: dict[int, str] = {}
    for key, field in fields.items():
        if not key.startswith("steps/") or field.kind == "unsupported":
            continue
        if field.rows:
            lengths = record.get(f"{key}/ragged_row_lengths_0")
            if lengths is not None:
                counts.setdefault(len(lengths), field.name)
            continue
        if key not in record:
            raise UnimportableError(
                "features-mismatch", f"the record has no {field.name}, which features.json declares"
            )
        size = 1 if field.kind == "image" or field.encoding in ("bytes", "zlib") else math.prod(field.shape)
        if size < 1:
            continue
        count, rest = divmod(len(record[key]), size)
        if rest:
            detail = f"{field.name} holds {len(record[key])} values, no multiple of its shape {field.shape}"
            raise UnimportableError("features-mismatch", detail)
        counts.setdefault(count, field.name)
    if len(counts) != 1:
        said = ", ".join(f"{name} {count}" for count, name in sorted(counts.items())) or "nothing"
        raise UnimportableError("features-mismatch", f"its features are of several lengths: {said}")
    return next(iter(counts))


def numbers(record: Mapping[str, Decoded], field: Field, count: int) -> NDArray:
    """A field of numbers as (T, ...). Raises UnimportableError: `ragged` where the steps differ in shape."""
    values = record.get(f"{field.key}/ragged_flat_values") if field.rows else record.get(field.key)
    if field.rows:
        lengths = np.asarray(record.get(f"{field.key}/ragged_row_lengths_0", ()), dtype=np.int64)
        if values is None or len(lengths) != count or len(set(lengths.tolist())) > 1:
            raise UnimportableError("ragged", f"{field.name} has rows of different lengths")
        shape = (count, int(lengths[0]) if count else 0, *field.shape)
    else:
        shape = (count, *field.shape)
    if values is None:
        raise UnimportableError("features-mismatch", f"the record has no {field.name}")
    if isinstance(values, list):
        values = _unpacked(values, field)
    if -1 in shape:
        fixed = math.prod(n for n in shape if n != -1)
        if shape.count(-1) > 1 or not fixed or len(values) % fixed:
            raise UnimportableError("ragged", f"{field.name} has steps of different shapes")
    elif len(values) != math.prod(shape):
        raise UnimportableError("features-mismatch", f"{field.name} holds {len(values)} values for the shape {shape}")
    return values.astype(field.dtype).reshape(shape)


def _unpacked(values: list[bytes], field: Field) -> NDArray:
    """Tensors that were stored as strings, one for each step, flat. Raises UnimportableError for damaged ones."""
    parts = []
    is_fixed = -1 not in field.shape
    size = math.prod(field.shape) * np.dtype(field.dtype).itemsize
    for value in values:
        data = _inflated(value, field, size if is_fixed else MAX_INFLATED_BYTES) if field.encoding == "zlib" else value
        if is_fixed and len(data) != size:
            raise UnimportableError("features-mismatch", f"{field.name} has {len(data)} bytes in a step, not {size}")
        parts.append(np.frombuffer(data, dtype=np.dtype(field.dtype).newbyteorder("<")))
    return np.concatenate(parts) if parts else np.empty(0, dtype=field.dtype)


def _inflated(value: bytes, field: Field, most: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(value, most + 1)
    except zlib.error as error:
        raise UnimportableError("features-mismatch", f"{field.name} is not zlib: {error}") from None
    if len(data) > most:
        raise UnimportableError("features-mismatch", f"{field.name} unpacks to more than {most} bytes")
    return data


def texts(record: Mapping[str, Decoded], key: str) -> list[str]:
    """The texts of a feature, each once, in their order, empty ones left out; [] where the record has none."""
    values = record.get(key)
    if not isinstance(values, list):
        return []
    found = (value.decode("utf-8", "replace").replace("\0", "").strip() for value in values)
    return list(dict.fromkeys(text for text in found if text))
