"""Shards that need not be written: those of the same key in the versions that are there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.build import documents
from dataset_builder.build.work import ShardResult
from dataset_builder.ledger import Ledger
from dataset_builder.location import sizes

_NOT_OURS = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class KnownShard:
    """A shard of a finished version. version: its folder."""

    version: Path
    split: str
    name: str
    entry: dict[str, Any]

    @property
    def path(self) -> Path:
        return self.version / self.name

    def result(self) -> ShardResult:
        """What the worker that wrote it said, rows made from its episodes included."""
        own = set(self.entry["episodes"])
        return ShardResult(
            key=self.entry["key"],
            records=self.entry["records"],
            bytes=self.entry["bytes"],
            num_bytes=self.entry["num_bytes"],
            sha256=self.entry["sha256"],
            questions=self._rows(documents.questions_file(self.split), own),
            plans=self._rows(documents.plans_file(self.split), own),
        )

    def _rows(self, name: str, episodes: set[str]) -> str:
        """The lines of a file of questions or plans that are about these episodes."""
        file = self.version / name
        if not file.exists():
            return ""
        # Of bytes: a text would be parted at U+2028 and its like too, which JSON leaves as they are.
        rows = ((line, json.loads(line)) for line in file.read_bytes().splitlines(keepends=True))
        return b"".join(line for line, row in rows if row.get("frame", row)["episode_id"] in episodes).decode()


@dataclass(frozen=True)
class Version:
    """A finished version. inputs: what it was made of, see documents.inputs_digest. shards: how many; num_bytes: of
    their records."""

    inputs: str
    ledger: Ledger
    shards: int
    num_bytes: int


def read_version(folder: Path) -> Version | None:
    """The version in `folder`; None where there is none that is whole, its shards included."""
    try:
        there = sizes(folder)
        if documents.DATASET_INFO not in there:
            return None
        lock = json.loads((folder / documents.LOCK).read_text(encoding="utf-8"))
        ledger = json.loads((folder / documents.LEDGER).read_text(encoding="utf-8"))
        shards = lock["shards"]
        if any(there.get(name) != entry["bytes"] for name, entry in shards.items()):
            return None
        num_bytes = sum(int(entry["num_bytes"]) for entry in shards.values())
        return Version(str(lock["inputs"]), Ledger.from_json(ledger), len(shards), num_bytes)
    except _NOT_OURS:
        return None


def known_shards(versions: Path) -> dict[str, KnownShard]:
    """The shards of all versions of a dataset by their key, the files checked for being there and of the right size.

    A version that its documents do not describe has none to offer; so has one that is just being replaced in a store.
    """
    known: dict[str, KnownShard] = {}
    for folder in _folders(versions):
        try:
            there = sizes(folder)
            if documents.DATASET_INFO not in there:
                continue
            lock = json.loads((folder / documents.LOCK).read_text(encoding="utf-8"))
            for name, entry in lock["shards"].items():
                if there.get(name) == entry["bytes"]:
                    known[str(entry["key"])] = KnownShard(folder, entry["split"], name, entry)
        except _NOT_OURS:
            continue
    return known


def _folders(versions: Path) -> Iterable[Path]:
    try:
        return sorted((folder for folder in versions.iterdir() if not folder.name.startswith(".")), key=str)
    except OSError:
        return ()
