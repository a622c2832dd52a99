"""Verifying: a sound dataset passes, and each kind of damage is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Station

from dataset_builder.build.run import BuildResult
from dataset_builder.build.tokens import Ids, read_tokens, tokens_file, write_tokens
from dataset_builder.dataset import NotADatasetError
from dataset_builder.rlds.records import Decoded, decode_example, encode_example
from dataset_builder.rlds.tfrecord import read_records, write_record
from dataset_builder.verify.check import verify_dataset
from teleloom.episode.layout import episode_path
from teleloom.files import write_json

Kitchen = tuple[Station, BuildResult]
Change = Callable[[dict[str, Decoded]], object]


@pytest.fixture
def copy(kitchen: Kitchen, tmp_path: Path) -> Path:
    """A copy of the dataset, free to be damaged, from which the episodes cannot be reached."""
    return shutil.copytree(kitchen[1].path, tmp_path / "kitchen" / "1.0.0")


def rewrite_first_record(path: Path, change: Change) -> None:
    """Change the first record of the first train shard, checksums in order."""
    shard = min(path.glob("kitchen-train.tfrecord*"))
    records = [decode_example(data) for data in read_records(shard)]
    records[0] = {key: values if isinstance(values, list) else values.copy() for key, values in records[0].items()}
    change(records[0])
    with shard.open("wb") as file:
        for record in records:
            write_record(file, encode_example(record))


def test_a_sound_dataset_is_compared_with_its_episodes_record_by_record(kitchen: Kitchen) -> None:
    report = verify_dataset(kitchen[1].path)
    assert report.faults == []
    assert report.notes == []
    assert (report.records, report.compared) == (8, 8)
    assert report.images == 2 * report.steps > 0


def test_without_its_episodes_a_dataset_is_checked_on_its_own_and_the_report_says_so(copy: Path) -> None:
    report = verify_dataset(copy)
    assert report.sound
    assert report.compared == 0
    assert "8 records not compared" in report.notes[0]


def test_the_episodes_can_be_elsewhere(kitchen: Kitchen, copy: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(kitchen[0].root, tmp_path / "moved")
    assert verify_dataset(copy, moved).compared == 8


def _put(key: str, values: Any) -> Change:
    return lambda record: record.__setitem__(key, values)


CHANGES: dict[str, tuple[Change, str]] = {
    "missing key": (lambda r: r.pop("steps/reward"), "steps/reward is missing"),
    "foreign key": (_put("steps/extra", np.zeros(1, np.float32)), "steps/extra is not among the features"),
    "short column": (_put("steps/discount", np.ones(3, np.float32)), "steps/discount has 3 values"),
    "other type": (_put("steps/is_valid", np.ones(20, np.float32)), "holds float32 values, not integer"),
    "nan": (lambda r: r["steps/action"].__setitem__(4, np.nan), "steps/action has values that are NaN"),
    "cut image": (lambda r: r["steps/observation/image"].__setitem__(2, b"\xff\xd8\xff"), "image, step 2: 3 bytes"),
    "flags": (lambda r: r["steps/is_last"].__setitem__(0, 1), "steps/is_last is not set at step"),
    "other episode": (_put("episode_metadata/episode_id", [b"somebody else"]), "does not pin it"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_record_is_named(copy: Path, name: str) -> None:
    change, fault = CHANGES[name]
    rewrite_first_record(copy, change)
    report = verify_dataset(copy)
    assert any(fault in found for found in report.faults), report.faults
    assert all("-train.tfrecord-00000" in found or ".json" in found for found in report.faults)


def test_one_swapped_image_is_found_by_comparing_with_the_episode(kitchen: Kitchen, copy: Path) -> None:
    def swap(record: dict[str, Decoded]) -> None:
        images = record["steps/observation/image"]
        assert isinstance(images, list)
        images[3], images[4] = images[4], images[3]

    rewrite_first_record(copy, swap)
    report = verify_dataset(copy, kitchen[0].root)
    assert len(report.faults) == 2
    assert "steps/observation/image differs from what episodes/" in report.faults[0]
    assert "is not the file that was built: its SHA-256 differs from the lock" in report.faults[1]


def test_a_record_that_was_exchanged_is_found_without_its_episode(copy: Path) -> None:
    rewrite_first_record(copy, lambda r: r["steps/observation/state"].__setitem__(0, 0.125))
    faults = verify_dataset(copy).faults
    assert ["SHA-256 differs" in fault for fault in faults] == [True]


def write_tokens_anew(path: Path, change: Callable[[list[tuple[str, Ids]]], object]) -> None:
    """Change the tokens of the train split, checksums in order."""
    file = path / tokens_file("train")
    episodes = list(read_tokens(file))
    change(episodes)
    write_tokens(file, episodes, lambda: None)


TOKEN_CHANGES: dict[str, tuple[Callable[[list[tuple[str, Ids]]], object], str]] = {
    "another": (lambda e: e[0][1][0].__setitem__(0, 31744 + (e[0][1][0][0] == 31744)), "are not the tokens"),
    "foreign": (lambda e: e[0][1][0].__setitem__(0, 7), "token 7 at (0, 0) is no action token"),
    "short": (lambda e: e[0][1].pop(), "are not the tokens"),
    "order": (lambda e: e.reverse(), "does not hold its tokens in its place"),
    "missing": (lambda e: e.pop(), "does not hold its tokens in its place"),
    "more": (lambda e: e.append(("somebody", [])), "holds more episodes than its split"),
}


@pytest.mark.parametrize("name", TOKEN_CHANGES)
def test_wrong_tokens_are_named(copy: Path, name: str) -> None:
    change, fault = TOKEN_CHANGES[name]
    write_tokens_anew(copy, change)
    assert any(fault in found for found in verify_dataset(copy).faults)


def test_tokens_that_are_cut_are_named(copy: Path) -> None:
    file = copy / tokens_file("train")
    file.write_bytes(file.read_bytes()[:-3])
    assert any(fault.startswith("action_tokens-train.tfrecord: ") for fault in verify_dataset(copy).faults)
    file.unlink()
    assert any(fault.startswith("action_tokens-train.tfrecord: ") for fault in verify_dataset(copy).faults)


def test_an_episode_that_was_replaced_is_noticed(kitchen: Kitchen, copy: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(kitchen[0].root, tmp_path / "moved")
    first, second = (entry.episode_id for entry in kitchen[1].ledger.emitted[:2])
    shutil.copy(episode_path(moved, second), episode_path(moved, first))
    report = verify_dataset(copy, moved)
    assert len(report.faults) == 1
    assert "is no longer the episode that was built" in report.faults[0]


def test_damaged_and_missing_and_stray_shards_are_named(copy: Path) -> None:
    first, second, *_ = sorted(copy.glob("kitchen-train.tfrecord*"))
    data = bytearray(first.read_bytes())
    data[5000] ^= 1
    first.write_bytes(data)
    second.unlink()
    (copy / "kitchen-train.tfrecord-00009-of-00009").write_bytes(b"")
    faults = "\n".join(verify_dataset(copy).faults)
    assert f"{first.name}, record 0" in faults
    assert "checksum differs" in faults
    assert f"{second.name}, record 0" in faults
    assert "kitchen-train.tfrecord-00009-of-00009 is not listed" in faults


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    write_json(path, document)


def test_documents_that_do_not_fit_the_records_are_named(copy: Path) -> None:
    edit(copy / "dataset_info.json", lambda info: info["splits"][0].update(numBytes="12"))
    assert any("records weigh" in fault for fault in verify_dataset(copy).faults)
    edit(copy / "ledger.json", lambda ledger: ledger["rejected"].pop())
    assert any(
        "does not balance: 10 inputs, but 8 emitted and 1 rejected" in fault for fault in verify_dataset(copy).faults
    )


def test_statistics_of_other_data_are_named(copy: Path) -> None:
    edit(copy / "dataset_statistics.json", lambda entry: entry["kitchen"].update(num_transitions=1))
    edit(copy / "norm_stats.json", lambda entry: entry.clear())
    assert verify_dataset(copy).faults == [
        "dataset_statistics.json is not what the train split gives",
        "norm_stats.json is not what the train split gives",
    ]


def test_an_episode_whose_group_is_in_two_splits_is_named(copy: Path) -> None:
    def leak(lock: dict[str, Any]) -> None:
        for entry in lock["episodes"]:
            entry["group"] = "one for all"

    edit(copy / "build.lock.json", leak)
    assert any("group one for all is in" in fault for fault in verify_dataset(copy).faults)


def test_a_digest_of_other_content_is_named(copy: Path) -> None:
    edit(copy / "dataset_info.json", lambda info: info.update(description="something else"))
    assert verify_dataset(copy).faults == ["dataset_info.json has another digest of the content than the shards give"]


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path, copy: Path) -> None:
    with pytest.raises(NotADatasetError, match=r"build\.lock\.json"):
        verify_dataset(tmp_path)
    for document in (
        *("features.json", "ledger.json", "dataset_info.json", "metadata.json"),
        *("dataset_statistics.json", "build.lock.json"),
    ):
        before = (copy / document).read_bytes()
        edit(copy / document, lambda content: content.clear())
        with pytest.raises(NotADatasetError, match="did not write"):
            verify_dataset(copy)
        (copy / document).write_bytes(before)
    assert verify_dataset(copy).sound
