"""The dataset card: what it says is what the records hold."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import Station
from synthetic_episodes import Episode

from dataset_builder.build.card import card_markdown
from dataset_builder.build.run import BuildResult
from dataset_builder.dataset import Dataset
from dataset_builder.manifest import BuildManifest
from dataset_builder.rlds.records import decode_example
from dataset_builder.rlds.tfrecord import read_records
from dataset_builder.rules.splits import Splits


@pytest.fixture(scope="module")
def card(kitchen: tuple[Station, BuildResult]) -> dict:
    return json.loads((kitchen[1].path / "card.json").read_text())


def test_its_counts_are_those_of_the_records(kitchen: tuple[Station, BuildResult], card: dict) -> None:
    dataset = Dataset.open(kitchen[1].path)
    episodes: dict[str, int] = {}
    steps: dict[str, int] = {}
    tasks: dict[str, dict[str, int]] = {}
    for shard in dataset.shards():
        for data in read_records(dataset.path / shard.name):
            record = decode_example(data)
            task = bytes(record["episode_metadata/task"][0]).decode()
            episodes[shard.split] = episodes.get(shard.split, 0) + 1
            steps[shard.split] = steps.get(shard.split, 0) + len(record["steps/is_first"])
            tasks.setdefault(task, {})
            tasks[task][shard.split] = tasks[task].get(shard.split, 0) + 1
    assert {split: extent["episodes"] for split, extent in card["splits"].items()} == episodes
    assert {split: extent["steps"] for split, extent in card["splits"].items()} == steps
    assert card["tasks"] == dict(sorted(tasks.items()))
    assert card["inputs"]["inputs"] == card["inputs"]["emitted"] + card["inputs"]["rejected"]


def test_its_token_errors_are_what_decoding_the_tokens_changes(
    kitchen: tuple[Station, BuildResult], card: dict
) -> None:
    dataset = Dataset.open(kitchen[1].path)
    errors, inside = [], []
    statistics = dataset.tokeniser.statistics
    for shard in dataset.shards():
        for data in read_records(dataset.path / shard.name) if shard.split == "train" else ():
            actions = np.asarray(decode_example(data)["steps/action"]).reshape(-1, 7)
            errors.append(np.abs(dataset.tokeniser.decode(dataset.tokeniser.encode_steps(actions)) - actions))
            inside.append((actions >= statistics.q01) & (actions <= statistics.q99) | ~statistics.mask)
    worst = np.where(np.concatenate(inside), np.concatenate(errors), 0.0).max(axis=0)
    dimensions = card["action"]["dimensions"]
    assert [each["name"] for each in dimensions] == ["dx", "dy", "dz", "drx", "dry", "drz", "gripper"]
    assert np.allclose([each["token_error_max"] for each in dimensions], worst, rtol=1e-6, atol=1e-9)
    # Half a bin of 255 over the range from q01 to q99.
    bound = (statistics.q99 - statistics.q01)[:6] / 255 / 2
    assert (worst[:6] <= bound * 1.0001).all()
    assert (worst[:6] > 0.5 * bound).all()


def test_its_pictures_are_there_and_sound(kitchen: tuple[Station, BuildResult]) -> None:
    folder = kitchen[1].path
    text = (folder / "README.md").read_text()
    for name in ("card-actions.svg", "card-lengths.svg"):
        assert f"]({name})" in text
        assert ElementTree.parse(folder / name).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        assert "Dashed lines are q01 and q99 of the train split." in text


def test_durations_have_two_digits_whatever_there_is(kitchen: tuple[Station, BuildResult], card: dict) -> None:
    hours = {"train": 12.3456, "val": 0.0777}
    shown = {**card, "splits": {split: {"episodes": 1, "steps": 2, "hours": own} for split, own in hours.items()}}
    text = card_markdown({**shown, "groups": {"train": 1, "val": 1}}, ())
    assert "| train | 1 | 2 | 12 h | 1 |" in text
    assert "| val | 1 | 2 | 4.7 min | 1 |" in text
    assert "Dashed" not in text


def test_it_says_what_filters_took_where_they_took_anything(
    kitchen: tuple[Station, BuildResult], station: Station, tmp_path: Path
) -> None:
    assert "the filters took" not in (kitchen[1].path / "README.md").read_text()
    station.add(Episode(seed=1))
    mark = {"kind": "flag", "label": "mistake", "start_ns": 0, "end_ns": 9_000_000_000}
    station.add(Episode(seed=2), mark)
    station.add(Episode(seed=3, task="stack"))
    manifest = BuildManifest.model_validate({"name": "k", "filters": {"drop_flags": ["mistake"]}})
    text = (station.build(tmp_path / "out", manifest).path / "README.md").read_text()
    assert "| task | steps before | flag:mistake | episodes lost |" in text
    assert "| put_in_bowl | 40 | 20 | 1 |" in text
    assert text.count("| stack |") == 1


def test_it_warns_of_a_split_that_stayed_empty(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=1))
    manifest = BuildManifest(name="lone", splits=Splits(val_fraction=0.1))
    result = station.build(tmp_path / "out", manifest)
    assert result.warnings
    text = (result.path / "README.md").read_text()
    assert all(f"> **Note:** {warning}" in text for warning in result.warnings)
