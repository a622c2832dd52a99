"""Building: what gets in, what does not and why, and the same bytes every time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from conftest import MANIFEST, Station
from synthetic_episodes import Episode, camera_stream, frames_of

from dataset_builder.actions.convert import commands_of
from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.build.run import BuildResult, DatasetExistsError, NothingToBuildError, dry_run
from dataset_builder.dataset import Dataset
from dataset_builder.manifest import BuildManifest
from dataset_builder.rlds.records import Decoded, decode_example
from dataset_builder.rlds.tfrecord import read_records
from teleloom import pose
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader

Kitchen = tuple[Station, BuildResult]


def records_of(path: Path) -> dict[str, dict[str, Decoded]]:
    """All records of a dataset by episode id."""
    decoded = [decode_example(data) for shard in sorted(path.glob("*.tfrecord-*")) for data in read_records(shard)]
    return {bytes(record["episode_metadata/episode_id"][0]).decode(): record for record in decoded}


def shard_bytes(path: Path) -> dict[str, bytes]:
    return {shard.name: shard.read_bytes() for shard in sorted(path.glob("*.tfrecord-*"))}


def reasons(result: BuildResult) -> dict[str, str]:
    return {entry.episode_id: entry.reason for entry in result.ledger.rejected}


def test_approved_episodes_are_emitted_and_the_others_rejected_with_a_reason(kitchen: Kitchen) -> None:
    _, result = kitchen
    ledger = json.loads((result.path / "ledger.json").read_text())
    counts = ledger["counts"]
    assert (counts["inputs"], counts["emitted"], counts["rejected"]) == (10, 8, 2)
    assert counts["rejected_by_reason"] == {"not-approved": 1, "rejected-in-review": 1}
    assert any("tester rejected it: slipped" in entry["detail"] for entry in ledger["rejected"])
    assert len(records_of(result.path)) == 8


def test_every_image_is_byte_for_byte_the_recorded_one(kitchen: Kitchen) -> None:
    station, result = kitchen
    compared = 0
    for identity, record in records_of(result.path).items():
        with EpisodeReader(episode_path(station.root, identity)) as reader:
            steps = reader.steps()
            for camera, key in ((name, choice.key) for name, choice in MANIFEST.cameras.items()):
                frames = [reader.frame_bytes(camera, i) for i in steps.streams[f"cameras/{camera}"].index]
                assert record[f"steps/observation/{key}"] == frames
                compared += len(frames)
    assert compared > 250


def test_integrated_actions_return_the_commanded_poses(kitchen: Kitchen) -> None:
    station, result = kitchen
    for identity, record in records_of(result.path).items():
        with EpisodeReader(episode_path(station.root, identity)) as reader:
            steps = reader.steps()
        path = commands_of(np.reshape(record["steps/action"], (-1, 7)), steps.ee_pose[0], ActionSemantics())
        for got, commanded in zip(path, steps.action, strict=True):
            metres, radians = pose.distance(got[:7], commanded[:7])
            assert metres < 1e-6
            assert radians < 1e-6
            assert got[7] == commanded[7]


def test_state_is_liberos_and_measured(kitchen: Kitchen) -> None:
    station, result = kitchen
    identity, record = next(iter(records_of(result.path).items()))
    state = np.reshape(record["steps/observation/state"], (-1, 8))
    with EpisodeReader(episode_path(station.root, identity)) as reader:
        steps = reader.steps()
    assert np.allclose(state[:, :3], steps.ee_pose[:, :3], atol=1e-7)
    assert np.allclose(state[:, 6], steps.state[:, -1] * 0.04)
    assert np.array_equal(state[:, 7], -state[:, 6])
    assert np.allclose(np.reshape(record["steps/observation/joint_state"], (-1, 7)), steps.state[:, :-1], atol=1e-6)


def test_tokens_decode_to_the_actions_within_half_a_bin_where_nothing_was_clipped(kitchen: Kitchen) -> None:
    _, result = kitchen
    dataset = Dataset.open(result.path)
    tokeniser, statistics = dataset.tokeniser, dataset.tokeniser.statistics
    tokens = {episode: np.stack(ids) for split in result.splits for episode, ids in dataset.tokens(split)}
    half_bin = np.append((statistics.q99 - statistics.q01)[:6] / 2, 1.0) / 255 + 1e-7
    for identity, record in records_of(result.path).items():
        action = np.reshape(record["steps/action"], (-1, 7)).astype(np.float64)
        decoded = tokeniser.decode(tokens[identity])
        inside = (action >= statistics.q01) & (action <= statistics.q99)
        assert inside.mean() > 0.9
        assert (np.abs(decoded - action)[inside] <= np.broadcast_to(half_bin, action.shape)[inside]).all()


def test_flags_reward_and_texts(kitchen: Kitchen) -> None:
    _, result = kitchen
    for record in records_of(result.path).values():
        last = len(record["steps/is_last"]) - 1
        assert np.flatnonzero(record["steps/is_first"]).tolist() == [0]
        assert np.flatnonzero(record["steps/is_last"]).tolist() == [last]
        assert np.flatnonzero(record["steps/reward"]).tolist() == [last]
        assert set(record["steps/language_instruction"]) == {b"Do it"}
        assert json.loads(record["episode_metadata/instructions"][0]) == ["Do it", "Please do it"]
        assert bytes(record["episode_metadata/file_path"][0]).startswith(b"episodes/")


def test_statistics_come_from_the_train_split_alone(kitchen: Kitchen) -> None:
    _, result = kitchen
    assert result.splits["val"] > 0
    entry = json.loads((result.path / "dataset_statistics.json").read_text())["kitchen"]
    records = records_of(result.path)
    train = [e for e in result.ledger.emitted if e.split == "train"]
    actions = np.concatenate([np.reshape(records[e.episode_id]["steps/action"], (-1, 7)) for e in train])
    assert entry["num_trajectories"] == len(train) == result.splits["train"]
    assert entry["num_transitions"] == sum(e.steps for e in train) == len(actions)
    assert entry["action"]["q99"] == pytest.approx(np.quantile(actions.astype(np.float64), 0.99, axis=0), abs=1e-12)
    assert entry["action"]["max"] == actions.max(axis=0).tolist()


def test_the_same_input_gives_the_same_bytes(kitchen: Kitchen, tmp_path: Path) -> None:
    station, result = kitchen
    again = station.build(tmp_path / "elsewhere")
    first, second = shard_bytes(result.path), shard_bytes(again.path)
    assert len(first) > 2
    assert first == second
    for name in ("features.json", "dataset_info.json", "metadata.json", "dataset_statistics.json", "ledger.json"):
        assert (result.path / name).read_bytes() == (again.path / name).read_bytes()


def test_no_record_names_the_machine(kitchen: Kitchen) -> None:
    station, result = kitchen
    for file in result.path.iterdir():
        assert os.fsencode(station.root.parent) not in file.read_bytes()


def test_what_the_review_decided_is_applied(station: Station, tmp_path: Path) -> None:
    identity = station.add(
        Episode(seed=1),
        {"kind": "instruction", "action": "replace", "text": "Put the pear away"},
        {"kind": "instruction", "action": "add", "text": "Tidy up the pear"},
        {"kind": "outcome", "outcome": "failure"},
        {"kind": "trim", "start_ns": 500_000_000, "end_ns": 1_300_000_000},
        {"kind": "weight", "weight": 2.5},
    )
    result = station.build(tmp_path / "rlds")
    record = records_of(result.path)[identity]
    assert set(record["steps/language_instruction"]) == {b"Put the pear away"}
    assert json.loads(record["episode_metadata/instructions"][0]) == ["Put the pear away", "Tidy up the pear"]
    assert record["episode_metadata/outcome"] == [b"failure"]
    assert not np.any(record["steps/reward"])
    assert record["episode_metadata/weight"].tolist() == [2.5]
    assert len(record["steps/is_first"]) == 8
    pins = json.loads((result.path / "build.lock.json").read_text())["episodes"]
    assert pins[0]["annotations"]["revision"] == 6


def test_another_step_rate_is_computed_from_the_raw_streams(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=1))
    ten = station.build(tmp_path / "a").ledger.emitted[0].steps
    five = station.build(tmp_path / "b", BuildManifest(name="k", step_rate_hz=5.0)).ledger.emitted[0].steps
    assert abs(ten - 2 * five) <= 1


def test_shards_hold_no_more_than_they_may(kitchen: Kitchen) -> None:
    _, result = kitchen
    info = json.loads((result.path / "dataset_info.json").read_text())
    for split in info["splits"]:
        lengths = [int(n) for n in split["shardLengths"]]
        assert sum(lengths) == result.splits[split["name"]]
        assert max(lengths) <= 3


@pytest.mark.parametrize("fault", ["cut", "size", "foreign"])
def test_broken_images_are_found_while_writing_and_the_rest_is_as_if_they_had_never_been(
    station: Station, tmp_path: Path, fault: str
) -> None:
    for seed in (1, 2):
        station.add(Episode(seed=seed))
    without = shard_bytes(station.build(tmp_path / "without").path)
    episode = Episode(seed=3)
    frames = frames_of(episode, "wrist")
    other = frames_of(Episode(seed=3, size=(32, 32)), "wrist")
    frames[30] = {"cut": frames[30][:-9], "size": other[30], "foreign": b"\xff\xd8\xff not an image \xff\xd9"}[fault]
    identity = station.add(episode, spoil={"cameras/wrist": camera_stream(episode, "wrist", frames)})
    result = station.build(tmp_path / "with")
    assert reasons(result) == {identity: "broken-image"}
    assert "camera 'wrist', step" in result.ledger.rejected[0].detail
    assert shard_bytes(result.path) == without
    assert reasons(dry_run(station.select(), MANIFEST, tmp_path)) == {identity: "broken-image"}


def test_an_existing_version_is_replaced_only_when_told(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=1))
    first = station.build(tmp_path)
    station.add(Episode(seed=2))
    with pytest.raises(DatasetExistsError, match=r"--version, or replace this one with --force"):
        station.build(tmp_path)
    second = station.build(tmp_path, force=True)
    assert second.path == first.path
    assert len(records_of(second.path)) == 2
    assert [path.name for path in second.path.parent.iterdir()] == ["1.0.0"]


def test_a_build_that_fails_leaves_everything_as_it_was(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.add(Episode(seed=1))
    path = station.build(tmp_path).path
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("dataset_builder.build.beside.card_markdown", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            station.build(tmp_path, force=True)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    assert [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")] == ["1.0.0"]


def test_nothing_approved_is_an_error_that_counts_the_reasons(station: Station, tmp_path: Path) -> None:
    station.add(Episode(seed=1), approve=False)
    with pytest.raises(NothingToBuildError, match=r"not-approved \(1\)"):
        station.build(tmp_path / "rlds")
    assert not list(tmp_path.glob("rlds/kitchen/*"))


def test_a_dry_run_counts_the_same_and_writes_nothing(kitchen: Kitchen, tmp_path: Path) -> None:
    station, result = kitchen
    planned = dry_run(station.select(), MANIFEST, tmp_path)
    assert planned.ledger == result.ledger
    assert planned.splits == result.splits
    assert not list(tmp_path.iterdir())


def test_a_hole_in_a_stream_shows_in_is_valid_and_shifts_nothing(station: Station, tmp_path: Path) -> None:
    episode = Episode(seed=1)
    frames = frames_of(episode, "wrist")
    stream = camera_stream(episode, "wrist", frames)
    kept = np.array([i for i in range(len(frames)) if not 20 <= i < 40])
    identity = station.add(episode, spoil={"cameras/wrist": stream.rows(kept)})
    record = records_of(station.build(tmp_path).path)[identity]
    images = record["steps/observation/wrist_image"]
    stale = [step for step in range(1, len(images)) if images[step] == images[step - 1]]
    assert 4 <= len(stale) <= 6
    assert np.flatnonzero(np.equal(record["steps/is_valid"], 0)).tolist() == stale
