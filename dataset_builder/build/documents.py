"""The files beside the shards: what TensorFlow Datasets reads, and what a reader of the actions must know."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from dataset_builder.build.numbers import Numbers
from dataset_builder.build.plan import Episode, Shard
from dataset_builder.build.work import RECORD_FORMAT, ShardResult, pin
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.files import OPENVLA_FILE
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.rules.filters import FilterCounts
from dataset_builder.rules.splits import TRAIN
from dataset_builder.source.candidates import Selection
from dataset_builder.source.rounds import round_numbers, summaries

FEATURES = "features.json"
DATASET_INFO = "dataset_info.json"
METADATA = "metadata.json"
STATISTICS = OPENVLA_FILE
LEDGER = "ledger.json"
LOCK = "build.lock.json"
CARD = "README.md"
CARD_DATA = "card.json"


def questions_file(split: str) -> str:
    """The name of the file with the questions made from the episodes of a split."""
    return f"questions-{split}.jsonl"


def plans_file(split: str) -> str:
    """The name of the file with the plans made from the episodes of a split."""
    return f"plans-{split}.jsonl"


def dataset_info(
    manifest: BuildManifest, shards: Sequence[Shard], results: Mapping[str, ShardResult]
) -> dict[str, Any]:
    """`dataset_info.json`: the JSON form of `tensorflow_datasets/core/proto/dataset_info.proto`.

    The description ends with a digest of all records, as loaders keep statistics under a hash of the builder's info
    and code, and would take those of other data for this one's. results: by shard name.
    """
    splits = []
    for split in dict.fromkeys(shard.split for shard in shards):
        own = [results[shard.name] for shard in shards if shard.split == split]
        splits.append(
            {
                "name": split,
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                # Without the framing of the records, which is how TensorFlow Datasets counts.
                "numBytes": str(sum(result.num_bytes for result in own)),
                "shardLengths": [str(result.records) for result in own],
            }
        )
    shas = [(shard.split, results[shard.name].sha256) for shard in shards]
    info: dict[str, Any] = {
        "name": manifest.name,
        "version": manifest.version,
        "description": f"{manifest.description}\n\nContent: sha256 {content_digest(shas)}",
        "fileFormat": "tfrecord",
        "splits": splits,
    }
    return info | ({"redistributionInfo": {"license": manifest.license}} if manifest.license else {})


def content_digest(shards: Sequence[tuple[str, str]]) -> str:
    """SHA-256, hex, over split and SHA-256 of each shard: equal for equal records in equal order."""
    return hashlib.sha256("".join(f"{split} {sha256}\n" for split, sha256 in shards).encode()).hexdigest()


def metadata(
    manifest: BuildManifest,
    episodes: Sequence[Episode],
    numbers: Numbers,
    tokeniser: ActionTokeniser,
    filtered: FilterCounts,
) -> dict[str, Any]:
    """`metadata.json`, which tfds offers as `builder.info.metadata`: what the numbers mean, as data."""
    first, semantics, codec = episodes[0], manifest.action, tokeniser.codec
    joints = first.shape.joints
    own = manifest.normalisation.statistics is None
    contributions = [episode.contribution for episode in episodes]
    return {
        "preset": manifest.preset,
        "action": {
            **semantics.model_dump(mode="json"),
            "names": list(semantics.names(joints)),
            "units": list(semantics.units(joints)),
            "sentence": semantics.sentence(),
        },
        "action_tokens": {
            "codec": codec.name,
            "codec_version": codec.version,
            "options": codec.options,
            "chunked": codec.chunked,
            "in_records": manifest.codec.in_records,
            "normalisation": tokeniser.scheme,
            # What they were made with: this dataset's own, or what the manifest names, kept here.
            "statistics": STATISTICS if own else tokeniser.statistics.to_json(),
            "statistics_split": TRAIN if own else None,
        },
        "statistics_key": numbers.key,
        "robot": first.robot,
        "joint_names": list(first.joint_names),
        "gripper_max_m": first.gripper_max_m,
        "cameras": {name: choice.model_dump(mode="json") for name, choice in manifest.cameras.items()},
        "step_rates_hz": sorted({episode.rate_hz for episode in episodes}),
        "filtered": filtered.to_json(),
        "rounds": [summary.to_json() for summary in summaries(contributions, manifest.lineage)],
    }


def lock(
    manifest: BuildManifest,
    software_version: str,
    source: str,
    inputs: str,
    shards: Sequence[Shard],
    results: Mapping[str, ShardResult],
) -> dict[str, Any]:
    """`build.lock.json`: everything that, with the same software, gives the same dataset again.

    source: the station's root, relative to the dataset's folder; "" where there is no way from one to the other.
    inputs: see inputs_digest. results: by shard name.
    """
    episodes = [(episode, shard) for shard in shards for episode in shard.episodes]
    rounds = round_numbers((episode.contribution for episode, _ in episodes), manifest.lineage)
    pins = [
        {
            **pin(episode.candidate),
            "split": shard.split,
            "shard": shard.name,
            "group": episode.group,
            "round": rounds[episode.contribution.policy_version],
        }
        for episode, shard in episodes
    ]
    return {
        "manifest": manifest.model_dump(mode="json"),
        "software_version": software_version,
        "source": source,
        "inputs": inputs,
        "episodes": sorted(pins, key=lambda entry: str(entry["episode_id"])),
        "shards": {
            shard.name: {
                "split": shard.split,
                "episodes": [episode.id for episode in shard.episodes],
                **results[shard.name].model_dump(mode="json", include=_OF_A_SHARD),
            }
            for shard in shards
        },
    }


_OF_A_SHARD = {"key", "sha256", "bytes", "records", "num_bytes"}


def inputs_digest(manifest: BuildManifest, selection: Selection, files: Sequence[bytes]) -> str:
    """SHA-256, hex, of all that a build starts from: equal ones give equal datasets, so nothing need be read to know.

    files: the content of other files that the manifest names.
    """
    content = {
        "format": RECORD_FORMAT,
        "manifest": manifest.model_dump(mode="json"),
        "candidates": [pin(candidate) for candidate in selection.candidates],
        "inputs": sorted(selection.inputs),
        "rejected": sorted([entry.episode_id, entry.reason, entry.detail] for entry in selection.rejected),
        "files": [hashlib.sha256(data).hexdigest() for data in files],
    }
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
