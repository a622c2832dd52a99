"""The JSON files beside the shards: what TensorFlow Datasets reads, and what a reader of the actions must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dataset_builder.source.candidates import Candidate
from dataset_builder.codecs import Codec
from dataset_builder.manifest import BuildManifest
from dataset_builder.source.trajectory import Trajectory
from dataset_builder.build.shards import Shard
from teleloom.catalog.view import EpisodeView

FEATURES = "features.json"
DATASET_INFO = "dataset_info.json"
METADATA = "metadata.json"
STATISTICS = "dataset_statistics.json"
LEDGER = "ledger.json"
LOCK = "build.lock.json"
CARD = "README.md"


def dataset_info(manifest: BuildManifest, shards: Sequence[Shard], num_bytes: Mapping[str, int]) -> dict[str, Any]:
    """`dataset_info.json`: the JSON form of `tensorflow_datasets/core/proto/dataset_info.proto`.

    num_bytes: of each shard's records without their framing, which is how TensorFlow Datasets counts.
    """
    splits = []
    for split in dict.fromkeys(shard.split for shard in shards):
        own = [shard for shard in shards if shard.split == split]
        splits.append(
            {
                "name": split,
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "numBytes": str(sum(num_bytes[shard.name] for shard in own)),
                "shardLengths": [str(len(shard.trajectories)) for shard in own],
            }
        )
    info: dict[str, Any] = {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "fileFormat": "tfrecord",
        "splits": splits,
    }
    return info | ({"redistributionInfo": {"license": manifest.license}} if manifest.license else {})


def metadata(manifest: BuildManifest, codec: Codec, robot: str, rates_hz: Sequence[float]) -> dict[str, Any]:
    """`metadata.json`, which tfds offers as `builder.info.metadata`: what the numbers mean, as data."""
    return {
        "action": manifest.action.model_dump(mode="json"),
        "action_tokens": {
            "codec": codec.name,
            "codec_version": codec.version,
            "options": codec.options,
            "normalisation": "q99",
            "statistics": STATISTICS,
            "statistics_split": "train",
        },
        "robot": robot,
        "cameras": {name: choice.model_dump(mode="json") for name, choice in manifest.cameras.items()},
        "step_rates_hz": sorted(set(rates_hz)),
    }


def lock(manifest: BuildManifest, software_version: str, source: str, shards: Sequence[Shard]) -> dict[str, Any]:
    """`build.lock.json`: everything that, with the same software, gives the same dataset again.

    source: the station's root, relative to the dataset's folder.
    """
    pins = [_pin(trajectory, shard) for shard in shards for trajectory in shard.trajectories]
    return {
        "manifest": manifest.model_dump(mode="json"),
        "software_version": software_version,
        "source": source,
        "episodes": sorted(pins, key=lambda pin: str(pin["episode_id"])),
    }


def pinned_candidate(pin: Mapping[str, Any], source: Path) -> Candidate:
    """The candidate that an entry of the lock's `episodes` stands for, its file sought below `source`.

    Raises KeyError, TypeError or ValueError for an entry that the builder did not write.
    """
    return Candidate(
        episode_id=pin["episode_id"],
        path=source / pin["file_path"],
        file_path=pin["file_path"],
        file_bytes=pin["file_bytes"],
        content_hash=pin["content_hash"],
        view=EpisodeView.model_validate(pin["annotations"]),
    )


def _pin(trajectory: Trajectory, shard: Shard) -> dict[str, Any]:
    candidate = trajectory.candidate
    return {
        "episode_id": candidate.episode_id,
        "file_path": candidate.file_path,
        "file_bytes": candidate.file_bytes,
        "content_hash": candidate.content_hash,
        "annotations": candidate.view.model_dump(mode="json"),
        "split": shard.split,
        "shard": shard.name,
    }
