"""What a manifest may choose, built and verified: presets, codecs, normalisation, questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Station
from synthetic_episodes import Episode
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from dataset_builder.build.run import DatasetExistsError, build_dataset
from dataset_builder.codecs import CodecOptionError
from dataset_builder.dataset import Dataset
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.files import StatisticsFileError
from dataset_builder.presets import PRESETS
from dataset_builder.questions.question import read_plans, read_questions
from dataset_builder.rlds.features import Image
from dataset_builder.verify.check import verify_dataset
from teleloom.plugins import PluginError

SPLITS = {"val_fraction": 0.3, "fill_empty": True}


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Station:
    """Five episodes; each is told in two segments."""
    root = tmp_path_factory.mktemp("choices") / "station"
    root.mkdir()
    station = Station(root)
    segments = [
        {"start_ns": 0, "end_ns": 1_000_000_000, "label": "reach for the pear", "outcome": "success"},
        {"start_ns": 1_000_000_000, "end_ns": 2_000_000_000, "label": "put it away", "outcome": "success"},
    ]
    for seed in range(5):
        station.add(Episode(seed=seed, seconds=2.0), {"kind": "segments", "segments": segments})
    return station


def built(station: Station, out: Path, **choices: Any) -> Dataset:
    manifest = BuildManifest.model_validate({"name": "kitchen", "splits": SPLITS, **choices})
    result = build_dataset(station.select(), manifest, out)
    report = verify_dataset(result.path)
    assert report.faults == []
    assert report.compared == report.records == 5
    return Dataset.open(result.path)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_built_verified_and_not_built_again(station: Station, tmp_path: Path, preset: str) -> None:
    cameras = {key: choice.model_dump() for key, choice in BuildManifest(name="k", preset=preset).cameras.items()}
    renamed = dict(zip(("front", "wrist"), list(cameras.values())[:2], strict=False))
    dataset = built(station, tmp_path, preset=preset, cameras=renamed)
    joints = len(dataset.metadata["joint_names"])
    assert dataset.manifest.action.width(joints) == len(dataset.metadata["action"]["names"])
    assert len(dataset.tokeniser.statistics.mean) == dataset.manifest.action.width(joints)
    images = [leaf for leaf in dataset.leaves.values() if isinstance(leaf, Image)]
    sizes = {choice.size for choice in dataset.manifest.cameras.values()}
    assert {(image.height, image.width) for image in images} == {size or (48, 64) for size in sizes}
    again = build_dataset(station.select(), dataset.manifest, tmp_path)
    assert (again.up_to_date, again.written) == (True, 0)


@pytest.mark.parametrize("name", ["rt1", "rt2", "octo", "openpi", "fast"])
def test_every_codec_makes_tokens_that_decode_to_the_actions(station: Station, tmp_path: Path, name: str) -> None:
    chunk = {"action": {"chunk_length": 8}} if name == "fast" else {}
    dataset = built(station, tmp_path, codec={"name": name}, **chunk)
    low, high = dataset.tokeniser.statistics.q01, dataset.tokeniser.statistics.q99
    decoded = 0
    for _, ids in dataset.tokens("train"):
        actions = dataset.tokeniser.decode(ids[0]) if dataset.tokeniser.codec.chunked else dataset.tokeniser.decode(ids)
        assert actions.shape[1] == 7
        assert (actions[:, :6] >= low[:6] - 0.05).all()
        assert (actions[:, :6] <= high[:6] + 0.05).all()
        decoded += len(ids)
    assert decoded == sum(entry["steps"] for entry in dataset.ledger["emitted"] if entry["split"] == "train")


def test_statistics_of_another_dataset_are_used_for_tokens_and_kept(station: Station, tmp_path: Path) -> None:
    own = built(station, tmp_path / "a")
    wide = {"action": own.statistics["kitchen"]["action"] | {"q01": [-1.0] * 7, "q99": [1.0] * 7}}
    given = tmp_path / "theirs.json"
    given.write_text(json.dumps({"theirs": wide | {"proprio": own.statistics["kitchen"]["proprio"]}}))
    choice = {"normalisation": {"statistics": str(given)}}
    other = built(station, tmp_path / "b", **choice)
    assert other.statistics == own.statistics
    assert other.tokeniser.statistics.q99.tolist() == [1.0] * 7
    assert str(tmp_path) not in json.dumps(other.metadata)
    ours, theirs = (np.concatenate(next(iter(each.tokens("train")))[1]) for each in (own, other))
    assert not np.array_equal(ours, theirs)
    openpi = str(tmp_path / "a" / "kitchen" / "1.0.0" / "norm_stats.json")
    with pytest.raises(StatisticsFileError, match=r"norm_stats\.json: normalisation 'q99' needs minimum"):
        built(station, tmp_path / "c", normalisation={"statistics": openpi})
    given.unlink()
    with pytest.raises(StatisticsFileError, match=r"theirs\.json cannot be read"):
        built(station, tmp_path / "c", **choice)


def test_questions_and_plans_lie_beside_the_shards_and_come_along_when_shards_are_reused(
    station: Station, tmp_path: Path
) -> None:
    choice = {"questions": {"kinds": ["instruction", "now", "outcome"], "per_episode": 6, "plans": True}}
    spoken = {"kind": "instruction", "action": "replace", "text": "Stack the cubes\u2028and stop"}
    station.annotate(station.select().candidates[0].episode_id, spoken)
    dataset = built(station, tmp_path, **choice)
    for split in dataset.num_bytes():
        held = {episode for shard in dataset.shards() if shard.split == split for episode in shard.episodes}
        questions = read_questions(dataset.path / f"questions-{split}.jsonl")
        plans = read_plans(dataset.path / f"plans-{split}.jsonl")
        assert {question.frame.episode_id for question in questions if question.frame} == held
        assert {plan.episode_id for plan in plans} == held
        assert len(plans) == 2 * len(held)
    later = built(station, tmp_path, version="1.1.0", **choice)
    for split in dataset.num_bytes():
        for name in (f"questions-{split}.jsonl", f"plans-{split}.jsonl"):
            assert (later.path / name).read_bytes() == (dataset.path / name).read_bytes()
    file = later.path / "questions-train.jsonl"
    file.write_bytes(file.read_bytes().replace(b"success", b"failure").replace(b"Yes", b"No"))
    assert verify_dataset(later.path).faults == ["questions-train.jsonl is not what the episodes give"]


def test_another_tokenizer_under_the_same_name_is_another_dataset(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"

    def write_tokenizer(first: int) -> None:
        path.write_text(Tokenizer(WordLevel({str(i): first + i for i in range(256)})).to_str())

    placement = {"name": "integers", "tokenizer": str(path)}
    manifest = BuildManifest.model_validate(
        {"name": "kitchen", "splits": SPLITS, "codec": {"name": "rt1", "options": {"placement": placement}}}
    )
    write_tokenizer(100)
    build_dataset(station.select(), manifest, tmp_path / "rlds")
    assert build_dataset(station.select(), manifest, tmp_path / "rlds").up_to_date
    write_tokenizer(300)
    with pytest.raises(DatasetExistsError, match="made of something else"):
        build_dataset(station.select(), manifest, tmp_path / "rlds")
    path.unlink()
    with pytest.raises(CodecOptionError, match=r"tokenizer\.json cannot be read"):
        build_dataset(station.select(), manifest, tmp_path / "rlds")


def test_a_codec_that_cannot_be_built_is_refused_before_anything_is_written(station: Station, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no 'morse'"):
        built(station, tmp_path, codec={"name": "morse", "options": {}})
    with pytest.raises(CodecOptionError, match="vocab_size"):
        built(station, tmp_path, codec={"name": "openvla", "options": {"vocab_size": 3}})
    joints = {"kind": "absolute", "of": "joint_position"}
    with pytest.raises(CodecOptionError, match=r"'rt2' does not fit the actions: rt2 encodes 7 dimensions"):
        built(station, tmp_path, codec={"name": "rt2"}, action=joints)
    assert not list(tmp_path.rglob("*.tfrecord*"))
