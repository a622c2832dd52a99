"""A finished dataset, read back: its documents, parsed, and where its records and tokens lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.build import documents
from dataset_builder.build.plan import shard_name
from dataset_builder.build.tokens import Ids, read_tokens, tokens_file
from dataset_builder.codecs import get_codec
from dataset_builder.layouts import Layout, get_layout
from dataset_builder.ledger import Ledger
from dataset_builder.location import is_local, location, reachable
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.statistics import Statistics
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.rlds.features import BadFeaturesError, Leaf, flatten, from_json


class NotADatasetError(ValueError):
    """A folder that holds no dataset of this builder. The message names what is missing or wrong."""


@dataclass(frozen=True)
class StoredShard:
    """A shard as `dataset_info.json` and the lock list it. records: how many. episodes: their ids, in their order."""

    split: str
    name: str
    records: int
    episodes: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """leaves: features by their key in a record. source: the station's root, relative to `path`; "" if that is not
    known. statistics: what dataset_statistics.json holds."""

    path: Path
    manifest: BuildManifest
    layout: Layout
    leaves: dict[str, Leaf]
    info: dict[str, Any]
    metadata: dict[str, Any]
    statistics: dict[str, Any]
    ledger: dict[str, Any]
    lock: dict[str, Any]
    source: str
    tokeniser: ActionTokeniser

    @classmethod
    def open(cls, path: Path | str) -> Dataset:
        """The dataset in a folder, or at any URL that fsspec knows.

        Raises NotADatasetError when a document is missing or is not what the builder writes, StoreError when nothing
        answers at the URL.
        """
        folder = reachable(location(path))
        document = ""
        try:
            read = {}
            for document in _DOCUMENTS:
                read[document] = _read(folder / document)
            lock, metadata = read[documents.LOCK], read[documents.METADATA]
            manifest = BuildManifest.model_validate(lock["manifest"])
            dataset = cls(
                path=folder,
                manifest=manifest,
                layout=get_layout(manifest.preset, manifest.action),
                leaves=dict(flatten(from_json(read[documents.FEATURES]))),
                info=read[documents.DATASET_INFO],
                metadata=metadata,
                statistics=read[documents.STATISTICS],
                ledger=read[documents.LEDGER],
                lock=lock,
                source=str(lock["source"]),
                tokeniser=_tokeniser(manifest, metadata, read[documents.STATISTICS]),
            )
            dataset.shards()
            dataset.num_bytes()
            Ledger.from_json(dataset.ledger)
            return dataset
        except OSError as error:
            raise NotADatasetError(
                f"{folder} is no finished dataset: cannot read {error.filename or document}{_versions_below(folder)}"
            ) from None
        except (BadFeaturesError, KeyError, TypeError, ValueError) as error:
            raise NotADatasetError(f"{folder} holds a document that this builder did not write: {error}") from None

    def shards(self) -> list[StoredShard]:
        """The shards in the order of their splits and numbers."""
        found = []
        for split in self.info["splits"]:
            lengths = split["shardLengths"]
            for i, length in enumerate(lengths):
                name = shard_name(self.info["name"], str(split["name"]), i, len(lengths))
                entry = self.lock["shards"][name]
                found.append(
                    StoredShard(str(split["name"]), name, int(length), tuple(entry["episodes"]), str(entry["sha256"]))
                )
        return found

    def num_bytes(self) -> dict[str, int]:
        """Bytes of the records of each split, without their framing."""
        return {str(split["name"]): int(split["numBytes"]) for split in self.info["splits"]}

    def document(self, name: str) -> Any:
        """The content of another JSON document; None where there is none."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def tokens(self, split: str) -> Iterator[tuple[str, Ids]]:
        """Episode id and ids, one array for each step, in the order of the records of `split`.

        Raises OSError, BadRecordError or BadExampleError when the file cannot be read.
        """
        return read_tokens(self.path / tokens_file(split))


_DOCUMENTS = (
    documents.LOCK,
    documents.FEATURES,
    documents.DATASET_INFO,
    documents.METADATA,
    documents.STATISTICS,
    documents.LEDGER,
)


def _tokeniser(manifest: BuildManifest, metadata: dict[str, Any], statistics: dict[str, Any]) -> ActionTokeniser:
    tokens = metadata["action_tokens"]
    used = tokens["statistics"]
    figures = statistics[manifest.name]["action"] if isinstance(used, str) else used
    codec = get_codec(tokens["codec"], **tokens["options"])
    return ActionTokeniser(codec, Statistics.from_json(figures), tokens["normalisation"], manifest.action)


def _read(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise TypeError(f"{path.name} is not a JSON object")
    return document


def _versions_below(folder: Path) -> str:
    """What else to name, where `folder` is one or two levels above finished datasets of this machine."""
    if not is_local(folder):
        return ""
    locks = [lock for depth in ("*", "*/*") for lock in folder.glob(f"{depth}/{documents.LOCK}")]
    return f"; name one: {', '.join(sorted(str(lock.parent) for lock in locks))}" if locks else ""
