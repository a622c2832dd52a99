"""Shards that need not be written: those of the same key in the versions that are there, and those that a killed build
of this one had finished.

They are taken over into the parts of the build that wants them: no other build can change them there. What is in the
versions may be old and may just be replaced, so its bytes are checked after that.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.build import documents
from dataset_builder.build.parts import SHARD_SUFFIX, shard_of
from dataset_builder.build.work import ShardResult
from dataset_builder.ledger import Ledger
from dataset_builder.location import is_local, share, sizes, sizes_of

_NOT_OURS = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class KnownShard:
    """A shard of a finished version. version: its folder. lock: the version's lock, as it was read."""

    version: Path
    split: str
    name: str
    entry: dict[str, Any]
    lock: bytes

    @property
    def path(self) -> Path:
        return self.version / self.name


@dataclass(frozen=True)
class Version:
    """A finished version. lock: its document of that name. inputs: what it was made of, see documents.inputs_digest.
    shards: how many; num_bytes: of their records."""

    lock: dict[str, Any]
    inputs: str
    ledger: Ledger
    shards: int
    num_bytes: int


def read_version(folder: Path) -> Version | None:
    """The version in `folder`; None where there is none that is whole, its shards included."""
    while True:
        before = _identity(folder)
        version = _read_version(folder)
        if version is not None or _identity(folder) == before:
            return version  # Else another build put a new one in place while this one was being read.


def _identity(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino if is_local(folder) else None
    except FileNotFoundError:
        return None


def _read_version(folder: Path) -> Version | None:
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
        return Version(lock, str(lock["inputs"]), Ledger.from_json(ledger), len(shards), num_bytes)
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
            lock = (folder / documents.LOCK).read_bytes()
            for name, entry in json.loads(lock)["shards"].items():
                if there.get(name) == entry["bytes"]:
                    known[str(entry["key"])] = KnownShard(folder, entry["split"], name, entry, lock)
        except _NOT_OURS:
            continue
    return known


def take_over(known: Sequence[KnownShard], parts: Path) -> dict[str, ShardResult]:
    """Have these shards in `parts` too, under their keys. What comes back says of each, by its key, what the worker
    that wrote it said; nothing of those whose version is replaced meanwhile, or cannot be read."""
    taken: dict[str, ShardResult] = {}
    for version in dict.fromkeys(shard.version for shard in known):
        own = [shard for shard in known if shard.version == version]
        try:
            share({shard.path: shard_of(parts, shard.entry["key"]) for shard in own})
            results = _results(version, own)
            if (version / documents.DATASET_INFO).exists() and (version / documents.LOCK).read_bytes() == own[0].lock:
                taken |= results
        except _NOT_OURS:
            continue
    return taken


def sound(parts: Path, results: Mapping[str, ShardResult], is_trusted: bool) -> dict[str, ShardResult]:
    """Those whose shard in `parts` is what was written. Its SHA-256 says so where it lies on this machine; a store
    checks what it holds itself. is_trusted: the size is enough."""
    there = sizes_of(parts, [f"{key}{SHARD_SUFFIX}" for key in results])
    kept = {key: result for key, result in results.items() if there.get(f"{key}{SHARD_SUFFIX}") == result.bytes}
    if is_trusted or not is_local(parts):
        return kept
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        answers = threads.map(is_sound, [shard_of(parts, key) for key in kept], kept.values())
        return {key: result for (key, result), is_kept in zip(kept.items(), answers, strict=True) if is_kept}


def is_sound(file: Path, result: ShardResult) -> bool:
    """Whether a file of this machine is the shard that was written; one that cannot be read is not."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == result.sha256
    except OSError:
        return False


def _results(version: Path, shards: Sequence[KnownShard]) -> dict[str, ShardResult]:
    """What the workers that wrote these shards of a version said, rows made from their episodes included."""
    questions, plans = (
        {split: _rows(version / name(split)) for split in {shard.split for shard in shards}}
        for name in (documents.questions_file, documents.plans_file)
    )
    return {
        shard.entry["key"]: ShardResult(
            key=shard.entry["key"],
            records=shard.entry["records"],
            bytes=shard.entry["bytes"],
            num_bytes=shard.entry["num_bytes"],
            sha256=shard.entry["sha256"],
            questions="".join(questions[shard.split].get(episode, "") for episode in shard.entry["episodes"]),
            plans="".join(plans[shard.split].get(episode, "") for episode in shard.entry["episodes"]),
        )
        for shard in shards
    }


def _rows(file: Path) -> dict[str, str]:
    """The lines of a file of questions or plans, by the episode that they are about; nothing where there is no file."""
    found: dict[str, list[bytes]] = {}
    if file.exists():
        # Of bytes: a text would be parted at U+2028 and its like too, which JSON leaves as they are.
        for line in file.read_bytes().splitlines(keepends=True):
            row = json.loads(line)
            found.setdefault(row.get("frame", row)["episode_id"], []).append(line)
    return {episode: b"".join(lines).decode() for episode, lines in found.items()}


def _folders(versions: Path) -> Iterable[Path]:
    try:
        return sorted((folder for folder in versions.iterdir() if not folder.name.startswith(".")), key=str)
    except OSError:
        return ()
