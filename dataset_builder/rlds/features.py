"""The features of an RLDS dataset: what each step and episode holds, as a tree that TensorFlow Datasets can read back.

A tree maps names to leaves (Image, Tensor, Text) or to further trees. `features.json` is the JSON form of
`tensorflow_datasets/core/proto/feature.proto`, so `tfds.builder_from_directory` needs no builder code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

_PACKAGE = "tensorflow_datasets.core.features"
DType = Literal["float32", "float64", "int32", "int64", "bool"]
FLOATS = ("float32", "float64")
"""Both are float32 in a record: an Example has no doubles, and TensorFlow Datasets narrows and widens them just so."""


@dataclass(frozen=True)
class Image:
    """A JPEG of `height` x `width` pixels, three channels."""

    height: int
    width: int


@dataclass(frozen=True)
class Tensor:
    """Numbers of one type and shape; the shape () is a scalar. doc: what they mean, units included."""

    dtype: DType
    shape: tuple[int, ...] = ()
    doc: str = ""


@dataclass(frozen=True)
class Text:
    """UTF-8 text."""

    doc: str = ""


Leaf = Image | Tensor | Text
Tree = Mapping[str, "Leaf | Tree"]


class BadFeaturesError(ValueError):
    """A features.json that this builder did not write. The message names the feature it stumbled over."""


def flatten(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    """Each leaf with its key in the record, e.g. `steps/observation/state`, sorted by key."""
    for name in sorted(tree):
        node = tree[name]
        if isinstance(node, Mapping):
            yield from flatten(node, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", node


def to_json(tree: Tree) -> dict[str, Any]:
    """The content of `features.json`. The top-level entry `steps` becomes a nested Dataset, as RLDS has it."""
    document = _tree_json(tree)
    entries = document["featuresDict"]["features"]
    entries["steps"] = {
        "pythonClassName": f"{_PACKAGE}.dataset_feature.Dataset",
        "sequence": {"feature": entries["steps"], "length": "-1"},
    }
    return document


def from_json(document: Mapping[str, Any]) -> Tree:
    """The tree of a `features.json` written by `to_json`. Raises BadFeaturesError for one with other features."""
    try:
        entries = dict(document["featuresDict"]["features"])
        entries["steps"] = entries["steps"]["sequence"]["feature"]
        return {name: _node(name, entry) for name, entry in entries.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise BadFeaturesError(f"features.json lacks {error}; it was not written by this builder") from None


def _tree_json(tree: Tree) -> dict[str, Any]:
    entries = {name: _node_json(node) for name, node in tree.items()}
    return {"pythonClassName": f"{_PACKAGE}.features_dict.FeaturesDict", "featuresDict": {"features": entries}}


def _node_json(node: Leaf | Tree) -> dict[str, Any]:
    match node:
        case Image(height, width):
            shape = {"dimensions": [str(height), str(width), "3"]}
            image = {"dtype": "uint8", "encodingFormat": "jpeg", "shape": shape}
            return {"pythonClassName": f"{_PACKAGE}.image_feature.Image", "image": image}
        case Text(doc):
            return _documented(doc, {"pythonClassName": f"{_PACKAGE}.text_feature.Text", "text": {}})
        case Tensor(dtype, shape, doc):
            name = "tensor_feature.Tensor" if shape else "scalar.Scalar"
            dimensions = {"dimensions": [str(n) for n in shape]} if shape else {}
            tensor = {"dtype": dtype, "encoding": "none", "shape": dimensions}
            return _documented(doc, {"pythonClassName": f"{_PACKAGE}.{name}", "tensor": tensor})
        case _:
            return _tree_json(node)


def _documented(doc: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {"description": doc, **entry} if doc else entry


def _node(name: str, entry: Mapping[str, Any]) -> Leaf | Tree:
    doc = entry.get("description", "")
    if "featuresDict" in entry:
        return {key: _node(key, child) for key, child in entry["featuresDict"]["features"].items()}
    if "image" in entry:
        height, width, _ = (int(n) for n in entry["image"]["shape"]["dimensions"])
        return Image(height, width)
    if "text" in entry:
        return Text(doc)
    if "tensor" in entry:
        dimensions = entry["tensor"]["shape"].get("dimensions", [])
        return Tensor(entry["tensor"]["dtype"], tuple(int(n) for n in dimensions), doc)
    raise BadFeaturesError(f"features.json: '{name}' is of a kind that this builder does not write")
