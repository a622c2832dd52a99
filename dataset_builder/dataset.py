"""A finished dataset on disk: its documents, parsed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.build import documents
from dataset_builder.codecs import get_codec
from dataset_builder.ledger import Ledger
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.statistics import Statistics
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.rlds.features import BadFeaturesError, Leaf, flatten, from_json


class NotADatasetError(ValueError):
    """A folder that holds no dataset of this builder. The message names what is missing or wrong."""


@dataclass(frozen=True)
class Dataset:
    """leaves: features by their key in a record. source: the station's root, relative to `path`."""

    path: Path
    manifest: BuildManifest
    leaves: dict[str, Leaf]
    info: dict[str, Any]
    statistics: dict[str, Any]
    ledger: dict[str, Any]
    lock: dict[str, Any]
    source: str
    tokeniser: ActionTokeniser

    @classmethod
    def open(cls, path: Path) -> Dataset:
        """Raises NotADatasetError when a document is missing or is not what the builder writes."""
        try:
            lock = _read(path / documents.LOCK)
            manifest = BuildManifest.model_validate(lock["manifest"])
            statistics = _read(path / documents.STATISTICS)
            action = Statistics.from_json(statistics[manifest.name]["action"])
            dataset = cls(
                path=path,
                manifest=manifest,
                leaves=dict(flatten(from_json(_read(path / documents.FEATURES)))),
                info=_read(path / documents.DATASET_INFO),
                statistics=statistics,
                ledger=_read(path / documents.LEDGER),
                lock=lock,
                source=str(lock["source"]),
                tokeniser=ActionTokeniser(get_codec(manifest.codec.name, **manifest.codec.options), action),
            )
            dataset.shards()
            dataset.num_bytes()
            Ledger.from_json(dataset.ledger)
            return dataset
        except OSError as error:
            raise NotADatasetError(f"{path} is no finished dataset: cannot read {error.filename}") from None
        except (BadFeaturesError, KeyError, TypeError, ValueError) as error:
            raise NotADatasetError(f"{path} holds a document that this builder did not write: {error}") from None

    def shards(self) -> list[tuple[str, str, int]]:
        """Split, file name and number of records of each shard, as `dataset_info.json` lists them."""
        found = []
        for split in self.info["splits"]:
            lengths = split["shardLengths"]
            for i, length in enumerate(lengths):
                name = f"{self.info['name']}-{split['name']}.tfrecord-{i:05d}-of-{len(lengths):05d}"
                found.append((str(split["name"]), name, int(length)))
        return found

    def num_bytes(self) -> dict[str, int]:
        """Bytes of the records of each split, without their framing."""
        return {str(split["name"]): int(split["numBytes"]) for split in self.info["splits"]}


def _read(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise TypeError(f"{path.name} is not a JSON object")
    return document
