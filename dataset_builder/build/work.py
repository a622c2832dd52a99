"""One shard as plain data: what it is made of, the key that follows from it, and what became of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import JsonValue

from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.choice import Scheme
from dataset_builder.source.candidates import Candidate
from teleloom.catalog.view import EpisodeView
from teleloom.config import Config

RECORD_FORMAT = 1
"""Raised whenever the same episode and manifest come to give another record, so that no old shard is taken for it."""

_SHAPING_SECTIONS = ("preset", "cameras", "step_rate_hz", "filters", "action", "weights", "questions")
_SHAPING_ANNOTATIONS = ("instruction", "paraphrases", "outcome", "trim", "segments", "flags", "weight")


class TokenWork(Config):
    """What makes action tokens, where they are to be in the records."""

    codec: str
    options: dict[str, JsonValue]
    scheme: Scheme
    statistics: dict[str, JsonValue]


class ShardWork(Config):
    """A shard to be written: all that its bytes depend on, and where things are.

    manifest: its sections that shape a record. episodes: what is pinned of each candidate, in the order of the records.
    root: the station's folder. parts: where the shard and its result go, a folder or a URL.
    """

    format: int = RECORD_FORMAT
    manifest: dict[str, JsonValue]
    tokens: TokenWork | None = None
    episodes: tuple[dict[str, JsonValue], ...]
    root: str
    parts: str

    @classmethod
    def of(
        cls,
        manifest: BuildManifest,
        candidates: Sequence[Candidate],
        tokens: TokenWork | None,
        root: Path,
        parts: Path,
    ) -> Self:
        dumped = manifest.model_dump(mode="json")
        return cls(
            manifest={section: dumped[section] for section in _SHAPING_SECTIONS},
            tokens=tokens,
            episodes=tuple(shaping_pin(candidate) for candidate in candidates),
            root=str(root),
            parts=str(parts),
        )

    @property
    def key(self) -> str:
        """SHA-256, hex, of what the shard is made of; wherever it is made, its bytes are the same."""
        content = self.model_dump(mode="json", exclude={"root", "parts"})
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()

    def build_manifest(self) -> BuildManifest:
        """A manifest that says nothing but what the key covers."""
        return BuildManifest.model_validate({"name": "shard", **self.manifest})

    def candidates(self) -> list[Candidate]:
        """The episodes to read, with those annotations alone that the key covers."""
        return [pinned_candidate(pin, Path(self.root)) for pin in self.episodes]


class Broken(Config):
    """An episode that cannot be in a dataset after all, as its ledger will say."""

    episode_id: str
    reason: str
    detail: str


class ShardResult(Config):
    """What became of a shard, as the file beside it says.

    bytes: of the file; num_bytes: of its records without their framing. broken: episodes for which nothing was
    written. questions, plans: what was made from its episodes, as JSONL.
    """

    key: str
    records: int = 0
    bytes: int = 0
    num_bytes: int = 0
    sha256: str = ""
    broken: tuple[Broken, ...] = ()
    questions: str = ""
    plans: str = ""


def shaping_view(view: EpisodeView) -> EpisodeView:
    """The annotations of `view` that a record can depend on, all else as if nobody had spoken."""
    return EpisodeView.model_validate({name: getattr(view, name) for name in _SHAPING_ANNOTATIONS})


def pin(candidate: Candidate) -> dict[str, Any]:
    """What of a candidate goes into the lock."""
    return {
        "episode_id": candidate.episode_id,
        "file_path": candidate.file_path,
        "file_bytes": candidate.file_bytes,
        "content_hash": candidate.content_hash,
        "annotations": candidate.view.model_dump(mode="json"),
        "task": candidate.task,
    }


def shaping_pin(candidate: Candidate) -> dict[str, Any]:
    """What of a candidate a record can depend on."""
    annotations = shaping_view(candidate.view).model_dump(mode="json", exclude_defaults=True)
    return {**pin(candidate), "annotations": annotations, "task": ""}


def pinned_candidate(pin: Mapping[str, Any], root: Path) -> Candidate:
    """The candidate that a pin stands for, its file sought below the station's folder `root`.

    Raises KeyError, TypeError or ValueError for one that the builder did not write.
    """
    return Candidate(
        episode_id=pin["episode_id"],
        path=root / pin["file_path"],
        file_path=pin["file_path"],
        file_bytes=pin["file_bytes"],
        content_hash=pin["content_hash"],
        view=EpisodeView.model_validate(pin["annotations"]),
        task=pin["task"],
    )
