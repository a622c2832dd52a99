"""The dataset in real TensorFlow, as a training pipeline loads it. The one module here that imports it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import tensorflow as tf
import tensorflow_datasets as tfds
from conftest import MANIFEST, Station

from dataset_builder.build.run import BuildResult
from dataset_builder.rlds.records import decode_example
from dataset_builder.rlds.tfrecord import read_records
from dataset_builder.verify.check import verify_dataset
from dataset_builder.verify.tfds import verify_with_tfds

Kitchen = tuple[Station, BuildResult]


def test_tfds_loads_the_folder_with_its_splits_features_and_meaning(kitchen: Kitchen) -> None:
    builder = tfds.builder_from_directory(str(kitchen[1].path))
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == kitchen[1].splits
    step = builder.info.features["steps"]
    assert (step["observation"]["image"].shape, step["observation"]["image"].np_dtype) == ((48, 64, 3), np.uint8)
    assert step["observation"]["image"].encoding_format == "jpeg"
    assert (step["observation"]["state"].shape, step["observation"]["joint_state"].shape) == ((8,), (7,))
    assert (step["action"].shape, step["action"].np_dtype) == ((7,), np.float32)
    assert {step[name].np_dtype for name in ("is_first", "is_last", "is_terminal")} == {np.dtype(bool)}
    assert builder.info.metadata["action"]["reference"] == "previous_command"
    assert builder.info.dataset_size == kitchen[1].num_bytes


def test_tfds_decodes_the_images_to_what_the_jpegs_hold(kitchen: Kitchen) -> None:
    builder = tfds.builder_from_directory(str(kitchen[1].path))
    ours = {
        bytes(record["episode_metadata/episode_id"][0]): record
        for shard in kitchen[1].path.glob("kitchen-train.tfrecord*")
        for record in map(decode_example, read_records(shard))
    }
    episodes = 0
    for episode in builder.as_dataset(split="train"):
        record = ours[episode["episode_metadata"]["episode_id"].numpy()]
        for i, step in enumerate(episode["steps"].take(3)):
            jpeg = record["steps/observation/image"][i]
            assert np.array_equal(step["observation"]["image"].numpy(), tf.io.decode_jpeg(jpeg).numpy())
            difference = step["observation"]["image"].numpy().astype(int) - simplejpeg.decode_jpeg(jpeg)
            assert np.abs(difference).mean() < 3.0
            assert np.array_equal(step["action"].numpy(), np.reshape(record["steps/action"], (-1, 7))[i])
            assert step["is_first"].numpy() == (i == 0)
        episodes += 1
    assert episodes == kitchen[1].splits["train"]


def test_tfds_reads_tokens_that_are_in_the_records(kitchen: Kitchen, tmp_path: Path) -> None:
    codec = MANIFEST.codec.model_copy(update={"in_records": True})
    result = kitchen[0].build(tmp_path, MANIFEST.model_copy(update={"codec": codec}))
    report = verify_dataset(result.path)
    verify_with_tfds(report)
    assert (report.faults, report.read_by_tfds) == ([], 8)
    step = tfds.builder_from_directory(str(result.path)).info.features["steps"]
    assert (step["action_tokens"].shape, step["action_tokens"].np_dtype) == ((7,), np.int32)


def test_what_tfds_knows_of_a_dataset_changes_with_its_data(kitchen: Kitchen, tmp_path: Path) -> None:
    """Loaders keep statistics under a hash of the builder's info."""
    copy = kitchen[0].build(tmp_path / "same").path
    other = kitchen[0].build(tmp_path / "other", MANIFEST.model_copy(update={"step_rate_hz": 5.0})).path
    first, again, changed = (
        str(tfds.builder_from_directory(str(p)).info.description) for p in (kitchen[1].path, copy, other)
    )
    assert first == again != changed


def test_verify_reads_every_record_with_tfds_and_finds_the_same_bytes(kitchen: Kitchen) -> None:
    report = verify_dataset(kitchen[1].path)
    verify_with_tfds(report)
    assert report.faults == []
    assert report.read_by_tfds == 8


def test_our_records_are_what_tensorflow_parses_and_writes(kitchen: Kitchen) -> None:
    shard = min(kitchen[1].path.glob("kitchen-train.tfrecord*"))
    theirs = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))]
    assert theirs == list(read_records(shard))
    example = tf.train.Example.FromString(theirs[0])
    for key, values in decode_example(theirs[0]).items():
        kind = example.features.feature[key].WhichOneof("kind")
        assert list(getattr(example.features.feature[key], kind).value) == list(values)
    assert decode_example(example.SerializeToString(deterministic=True)).keys() == decode_example(theirs[0]).keys()


def test_verify_writes_nothing_of_tensorflows_chatter(kitchen: Kitchen) -> None:
    script = f"from dataset_builder.commands import verify; verify([{str(kitchen[1].path)!r}])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, env=environment)
    assert (run.returncode, run.stderr) == (0, "")
    assert "8 read with tfds" in " ".join(run.stdout.split())


def test_what_a_user_wants_to_hear_of_tensorflow_is_left_alone(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    verify_with_tfds(verify_dataset(kitchen[1].path))
    assert (os.environ["TF_CPP_MIN_LOG_LEVEL"], os.environ["TF_ENABLE_ONEDNN_OPTS"]) == ("0", "0")
