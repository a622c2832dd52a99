"""RLDS directories read without TensorFlow: those that TFDS itself writes, and every preset of our own builds."""

from __future__ import annotations

import bz2
import gzip
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from conftest import Station
from foreign_datasets import tfds_dataset, write_with_tfds
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_episodes import Episode

from dataset_builder.exchange.importing.dataset import ForeignDatasetError, ImportOptions, Source
from dataset_builder.exchange.importing.episode import ImportedEpisode, UnimportableError
from dataset_builder.exchange.importing.run import import_dataset
from dataset_builder.exchange.report import ImportReport
from dataset_builder.exchange.rlds import importer
from dataset_builder.exchange.rlds.mapping import parse
from dataset_builder.exchange.rlds.profiles import PROFILES, find_profile
from dataset_builder.exchange.rlds.schema import Field
from dataset_builder.manifest import BuildManifest
from dataset_builder.presets import PRESETS
from dataset_builder.rlds.records import decode_example, encode_example
from dataset_builder.rlds.tfrecord import read_records, write_record
from dataset_builder.rules.splits import Splits
from teleloom import pose
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader

AS_IT_SAYS = ImportOptions()
AT_10_HZ = ImportOptions(rate_hz=10.0)
MAPPED = ImportOptions(
    rate_hz=10.0,
    map=(
        ("pose", "observation/state[0:6]:xyz_rotvec"),
        ("gripper", "observation/state[6:8]:fingers_m"),
        ("action", "action:reference=measured,gripper=sign_open,scale=0.1/0.1/0.1/0.2/0.2/0.2"),
        ("camera.front", "observation/image"),
    ),
)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with every kind of feature, written by TensorFlow Datasets."""
    return tfds_dataset(tmp_path_factory.mktemp("tfds"))


def read_all(folder: Path, options: ImportOptions) -> list[ImportedEpisode]:
    return [source.read() for source in importer.open_dataset(folder, options).sources]


def into_station(folder: Path, root: Path, options: ImportOptions = AS_IT_SAYS) -> ImportReport:
    root.mkdir(exist_ok=True)
    with Catalog.open(root) as catalog:
        return import_dataset(importer.open_dataset(folder, options), root, catalog, lambda *_: None)


def test_every_kind_of_feature_that_tfds_writes_comes_back_as_it_was(odd: Path) -> None:
    dataset = importer.open_dataset(odd, AT_10_HZ)
    assert (dataset.name, dataset.count) == ("odd/1.2.0", 5)
    episodes = {number_of(episode): episode for episode in (source.read() for source in dataset.sources)}
    assert sorted(episodes) == [0, 1, 2, 50, 51]
    for number, episode in episodes.items():
        count = 12 + number % 5
        assert len(episode) == count
        rows = np.arange(count)
        raw = {name: array.values for name, array in episode.raw.items()}
        expected = [np.random.default_rng([number, i]) for i in rows]
        states = [[*rng.uniform(0.2, 0.6, 3), *(0.2 * rng.normal(size=3)), 0.02, -0.02] for rng in expected]
        actions = [rng.normal(size=7) for rng in expected]
        assert raw["observation/state"].dtype == np.float64
        assert np.array_equal(raw["observation/state"], np.array(states, dtype=np.float32))  # Example holds float32
        assert raw["action"].dtype == np.float32
        assert np.array_equal(raw["action"], np.array(actions, dtype=np.float32))
        packed = [[number, i, 0.5] for i in rows]
        assert np.array_equal(raw["observation/packed"], packed)
        assert np.array_equal(raw["observation/stored"], np.broadcast_to(rows[:, None, None], (count, 2, 3)))
        assert raw["observation/counts"].dtype == np.uint8
        assert np.array_equal(raw["observation/counts"], [[i, 200, number] for i in rows])
        assert np.array_equal(raw["label"], rows % 3)
        assert np.array_equal(raw["is_first"], rows == 0)
        assert np.array_equal(raw["triple"], [[1.0, 2.0, i] for i in rows])
        assert episode.instructions == (f"push block {number}",)
        assert episode.outcome == "success"
        assert episode.not_carried == (
            "nested/x has rows of different lengths",
            "ragged has rows of different lengths",
        )
    assert {entry.field: entry.why for entry in dataset.not_carried} == {
        "boxes": "a sequence of sequences",
        "episode_metadata/tags": "of the episode as a whole, only texts and single numbers are kept, in its notes",
        "observation/depth": "an image of uint16 (24, 32, 1): only 8-bit colour and grey are kept",
        "observation/words": "texts of single steps have no place in an episode",
    }


def number_of(episode: ImportedEpisode) -> int:
    """The number that the generator gave the episode, which TFDS shuffles."""
    return int(episode.notes[-1].split("number ")[1].rstrip("."))


@pytest.mark.long
def test_tfds_writes_today_what_is_kept_of_it(odd: Path, tmp_path: Path) -> None:
    fresh = write_with_tfds(tmp_path)
    assert (fresh / "features.json").read_text() == (odd / "features.json").read_text()
    for shard in sorted(odd.glob("*.tfrecord*")):
        kept, written = (map(decode_example, read_records(path)) for path in (shard, fresh / shard.name))
        for before, after in zip(kept, written, strict=True):
            assert sorted(before) == sorted(after)
            assert all(list(before[key]) == list(after[key]) for key in before)


def test_jpegs_are_kept_byte_for_byte_and_everything_else_is_encoded_once(odd: Path) -> None:
    records = [decode_example(data) for shard in sorted(odd.glob("*.tfrecord*")) for data in read_records(shard)]
    for record, episode in zip(records, read_all(odd, AT_10_HZ), strict=True):
        assert sorted(episode.cameras) == ["image", "pixels", "png"]
        assert episode.cameras["image"].frames == record["steps/observation/image"]
        assert episode.cameras["image"].quality is None
        pixels = np.reshape(record["steps/observation/pixels"], (-1, 24, 32, 3))
        for name in ("png", "pixels"):
            assert episode.cameras[name].quality == 95
            shown = np.array([simplejpeg.decode_jpeg(frame) for frame in episode.cameras[name].frames])
            assert np.abs(shown.astype(int) - pixels).mean() < 2.0


def test_images_are_known_again_however_they_are_encoded(odd: Path, tmp_path: Path) -> None:
    assert len(into_station(odd, tmp_path, AT_10_HZ).imported) == 5
    coarser = into_station(odd, tmp_path, ImportOptions(rate_hz=10.0, jpeg_quality=50))
    assert {entry.reason for entry in coarser.rejected} == {"imported-otherwise"}
    assert len(coarser.rejected) == len(list((tmp_path / "episodes").glob("*.h5"))) == 5


def test_a_map_says_where_pose_gripper_and_commands_are(odd: Path) -> None:
    for episode in read_all(odd, MAPPED):
        state, action = episode.raw["observation/state"].values, episode.raw["action"].values
        assert episode.pose is not None
        assert episode.pose_target is not None
        assert episode.gripper_target is not None
        for row, measured, change, target in zip(state, episode.pose, action, episode.pose_target, strict=True):
            expected = pose.make(row[:3], pose.quat_from_rotvec(row[3:6]))
            assert max(pose.distance(measured, expected)) < 1e-6
            turned = pose.quat_multiply(pose.quat_from_rotvec(0.2 * change[3:6].astype(float)), expected[3:])
            assert max(pose.distance(target, pose.make(expected[:3] + 0.1 * change[:3], turned))) < 1e-6
        assert episode.gripper == pytest.approx(np.full(len(episode), 0.5))
        assert episode.gripper_target == pytest.approx((1.0 + action[:, 6]) / 2.0)
        assert sorted(episode.cameras) == ["front", "pixels", "png"]


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        ("poze", "observation/state", "no such quantity; there are joints"),
        ("pose", "observation/stat[0:6]:xyz_rotvec", "has no observation/stat; it has action, "),
        ("pose", "observation/state[0:6]", "needs one of the forms xyz_quat, "),
        ("pose", "observation/state[0:9]:xyz_rotvec", "observation/state has 8 columns, and no .0:9. among them"),
        ("gripper", "observation/state[6]:half", "needs one of the forms opening, "),
        ("joints", "observation/state:opening", "takes no form"),
        ("pose", "language_instruction:xyz_rotvec", "has no language_instruction of such a kind; it has action, "),
        ("action", "action:gripper=sideways", "gripper: Input should be 'opening', "),
        ("action", "action:scale=a/b", "scale=a/b is no list of numbers"),
        ("camera.front", "observation/depth", "no image of one or three 8-bit channels"),
        ("gripper", "next_pose", "next_pose is for pose_target alone"),
        ("pose", "a[b]", "write it like pose="),
    ],
)
def test_a_wrong_map_is_refused_with_what_there_is(odd: Path, ours: str, theirs: str, message: str) -> None:
    with pytest.raises(ForeignDatasetError, match=message):
        read_all(odd, ImportOptions(rate_hz=10.0, map=((ours, theirs),)))


def test_a_map_whose_action_has_another_width_rejects_the_episodes(odd: Path) -> None:
    options = ImportOptions(rate_hz=10.0, map=(*MAPPED.map[:2], ("action", "action[0:6]")))
    source = next(iter(importer.open_dataset(odd, options).sources))
    with pytest.raises(UnimportableError, match=r"an action has 6 values; what --map says of it takes 7"):
        source.read()


def test_a_rate_that_nobody_says_is_asked_for(odd: Path) -> None:
    with pytest.raises(ForeignDatasetError, match="give --rate-hz"):
        importer.open_dataset(odd, ImportOptions())


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Station, list[str]]:
    """A station with three approved episodes, the last of them a failure, and their ids."""
    station = Station(tmp_path_factory.mktemp("ours") / "station")
    station.root.mkdir()
    instruction = {"kind": "instruction", "action": "add", "text": "Lay it into the bowl"}
    identities = [station.add(Episode(seed=seed)) for seed in range(2)]
    return station, [*identities, station.add(Episode(seed=2, outcome="failure"), instruction)]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_our_own_builds_come_back_with_the_same_numbers_and_the_same_jpegs(
    ours: tuple[Station, list[str]], tmp_path: Path, preset: str
) -> None:
    station, identities = ours
    manifest = BuildManifest.model_validate(
        {"name": "kitchen", "preset": preset, "splits": Splits(val_fraction=0.0).model_dump()}
    )
    built = station.build(tmp_path / "rlds", manifest)
    report = into_station(built.path, tmp_path / "back")
    assert [len(entries) for entries in (report.imported, report.skipped, report.rejected)] == [3, 0, 0]
    records = {
        record["episode_metadata/episode_id"][0].decode(): record
        for shard in sorted(built.path.glob("kitchen-*.tfrecord-*"))
        for record in map(decode_example, read_records(shard))
    }
    assert sorted(records) == sorted(identities)
    for entry in report.imported:
        with EpisodeReader(episode_path(tmp_path / "back", entry.episode_id)) as reader:
            origin = next(identity for identity in identities if identity in reader.meta.notes)
            record = records[origin]
            assert_same(reader, record, station, origin, manifest)
            assert reader.meta.outcome == ("failure" if origin == identities[2] else "success")
            assert (reader.meta.task.scene, reader.meta.operator) == ("kitchen", "somebody")
    again = into_station(built.path, tmp_path / "back")
    assert len(again.skipped) == 3


def assert_same(reader: EpisodeReader, record: dict, station: Station, origin: str, manifest: BuildManifest) -> None:
    """The imported episode holds what the record holds verbatim, and means what the first episode meant."""
    imported, steps = reader.stream("imported"), reader.steps()
    for key, values in record.items():
        name = key.removeprefix("steps/").replace("/", ".")
        if key.startswith("steps/") and isinstance(values, np.ndarray):
            assert np.array_equal(imported[name].ravel(), values), key
    with EpisodeReader(episode_path(station.root, origin)) as first:
        original = first.steps(manifest.step_rate_hz) if manifest.step_rate_hz else first.steps()
    assert len(steps) == len(original)
    for name in ("ee_pose", "action"):
        ours, theirs = getattr(steps, name), getattr(original, name)
        signs = np.sign(np.einsum("ni,ni->n", ours[:, 3:7], theirs[:, 3:7]))[:, None]
        assert np.abs(ours[:, :3] - theirs[:, :3]).max() < 1e-6
        assert np.abs(signs * ours[:, 3:7] - theirs[:, 3:7]).max() < 1e-6
    assert np.abs(steps.action[:, 7] - original.action[:, 7]).max() < 1e-6
    assert np.abs(steps.state[:, -1] - original.state[:, -1]).max() < 1e-6
    if reader.meta.robot.joint_names:
        assert reader.meta.robot.joint_names == tuple(f"joint{i + 1}" for i in range(7))
        assert np.abs(steps.state - original.state).max() < 1e-6
    assert np.array_equal(steps.control_mode, original.control_mode)
    said = json.loads(record["episode_metadata/instructions"][0])
    assert {text.text for text in reader.meta.task.instructions} == set(said)
    assert reader.meta.task.spoken == record["steps/language_instruction"][0].decode()
    assert set(reader.cameras) == set(manifest.cameras)
    for camera, choice in manifest.cameras.items():
        kept = [reader.frame_bytes(camera, i) for i in range(len(steps))]
        assert kept == record[f"steps/observation/{choice.key}"]


def test_what_was_imported_builds_again_to_the_same_actions_and_images(
    ours: tuple[Station, list[str]], tmp_path: Path
) -> None:
    manifest = BuildManifest(name="kitchen", splits=Splits(val_fraction=0.0))
    first = ours[0].build(tmp_path / "rlds", manifest)
    back = Station(tmp_path / "back")
    report = into_station(first.path, back.root)
    for entry in report.imported:
        back.annotate(entry.episode_id, {"kind": "verdict", "decision": "approve"})
    second = back.build(tmp_path / "again", manifest)
    assert second.ledger.rejected == ()
    before, after = (sorted(map(essence, records_in(result.path))) for result in (first, second))
    for (images, action, state), (images_again, action_again, state_again) in zip(before, after, strict=True):
        assert images == images_again
        assert np.abs(np.subtract(action, action_again)).max() < 1e-6
        assert np.abs(np.subtract(state, state_again)).max() < 1e-6


def essence(record: dict) -> tuple[list[bytes], list[float], list[float]]:
    images = [*record["steps/observation/image"], *record["steps/observation/wrist_image"]]
    return images, record["steps/action"].tolist(), record["steps/observation/state"].tolist()


def records_in(folder: Path) -> list[dict]:
    return [decode_example(data) for shard in folder.glob("kitchen-*.tfrecord-*") for data in read_records(shard)]


def spoil_cut(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-200])


def spoil_gone(shard: Path) -> None:
    shard.unlink()


def spoil_gzip(shard: Path) -> None:
    shard.write_bytes(gzip.compress(shard.read_bytes()))


def spoil_bzip2(shard: Path) -> None:
    shard.write_bytes(bz2.compress(shard.read_bytes()))


def spoil_packed(shard: Path) -> None:
    shard.with_name(f"{shard.name}.gz").write_bytes(gzip.compress(shard.read_bytes()))
    shard.unlink()


def spoil_byte(shard: Path) -> None:
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "reason", "left", "told"),
    [
        (spoil_cut, "bad-record", 4, "the file is cut short"),
        (spoil_gone, "missing-file", 2, "No such file"),
        (spoil_gzip, "bad-record", 2, r"is compressed \(gzip\); unpack it under the same name"),
        (spoil_bzip2, "bad-record", 2, r"is compressed \(bzip2\); unpack it under the same name"),
        (spoil_packed, "missing-file", 2, r"No such file or directory; unpack odd-train\.tfrecord-00000-of-00001\.gz"),
        (spoil_byte, "bad-record", 3, "checksum differs"),
    ],
)
def test_a_damaged_shard_costs_only_its_own_episodes_and_each_is_counted(
    odd: Path, tmp_path: Path, spoil: Callable[[Path], None], reason: str, left: int, told: str
) -> None:
    folder = shutil.copytree(odd, tmp_path / "odd")
    spoil(folder / "odd-train.tfrecord-00000-of-00001")
    report = into_station(folder, tmp_path / "station", AT_10_HZ)
    counts = report.to_json()["counts"]
    assert (counts["inputs"], counts["imported"]) == (5, left)
    assert counts["rejected_by_reason"] == {reason: 5 - left}
    assert all(re.search(told, entry.detail) for entry in report.rejected)


def test_a_record_that_is_not_what_features_json_says_is_rejected_alone(odd: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(odd, tmp_path / "odd")
    shard = folder / "odd-train.tfrecord-00000-of-00001"
    first, second, third = read_records(shard)
    short = decode_example(first)
    short["steps/action"] = short["steps/action"][:-7]
    broken = decode_example(second)
    broken["steps/observation/png"] = [b"\x89PNG\r\n\x1a\nnothing"] * len(broken["steps/label"])
    with shard.open("wb") as file:
        for data in (encode_example(short), encode_example(broken), third):
            write_record(file, data)
    report = into_station(folder, tmp_path / "station", AT_10_HZ)
    assert [(entry.source, entry.reason) for entry in report.rejected] == [
        ("train[0]", "features-mismatch"),
        ("train[1]", "broken-image"),
    ]
    assert len(report.imported) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("features.json", "{}", "not that of an RLDS dataset"),
        ("features.json", "[", "cannot be read"),
        ("dataset_info.json", "{}", "does not list the shards"),
        ("dataset_info.json", '{"fileFormat": "array_record"}', "only tfrecord can be read"),
        (
            "dataset_info.json",
            '{"name": "x", "splits": [{"name": "train", "shardLengths": ["1"], "filepathTemplate": "../{SPLIT}"}]}',
            "leads out of the folder",
        ),
        (
            "dataset_info.json",
            '{"name": "x", "splits": [{"name": "train", "shardLengths": ["1000000000000"]}]}',
            "all at most 10000000",
        ),
        (
            "dataset_info.json",
            '{"name": "x", "splits": [{"name": "train", "numBytes": "9000"}]}',
            "split train has no shardLengths",
        ),
    ],
)
def test_a_dataset_that_cannot_be_read_as_a_whole_is_refused(
    odd: Path, tmp_path: Path, name: str, content: str, message: str
) -> None:
    folder = shutil.copytree(odd, tmp_path / "odd")
    (folder / name).write_text(content)
    with pytest.raises(ForeignDatasetError, match=message):
        importer.open_dataset(folder, AT_10_HZ)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 255)), min_size=1, max_size=6), st.booleans())
def test_whatever_a_record_holds_it_is_read_or_refused_with_a_reason(
    odd: Path, changes: list[tuple[int, int]], is_cut: bool
) -> None:
    data = bytearray(next(read_records(odd / "odd-train.tfrecord-00000-of-00001")))
    head = 400 if len(changes) % 2 else len(data)  # half of them where keys and lengths are
    for place, byte in changes:
        data[place % head] = byte
    if is_cut:
        del data[changes[0][0] % len(data) :]
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(odd, Path(folder) / "odd")
        with (copy / "odd-train.tfrecord-00000-of-00001").open("wb") as file:
            write_record(file, bytes(data))
        source = next(iter(importer.open_dataset(copy, MAPPED).sources))
        assert reason_of(source) in {"", "bad-record", "features-mismatch", "broken-image", "wrong-shape", "not-finite"}


def reason_of(source: Source) -> str:
    """Why the episode cannot be had; "" when it can."""
    try:
        source.read()
    except UnimportableError as error:
        return error.reason
    return ""


def test_a_packed_tensor_that_unpacks_to_more_than_its_shape_is_refused(odd: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(odd, tmp_path / "odd")
    shard = folder / "odd-train.tfrecord-00000-of-00001"
    records = [decode_example(data) for data in read_records(shard)]
    for record in records:
        record["steps/observation/packed"] = [zlib.compress(bytes(50_000_000))] * len(record["steps/label"])
    with shard.open("wb") as file:
        for record in records:
            write_record(file, encode_example(record))
    source = next(iter(importer.open_dataset(folder, AT_10_HZ).sources))
    with pytest.raises(UnimportableError, match="observation/packed unpacks to more than 24 bytes"):
        source.read()


def test_the_folder_may_be_named_or_the_one_above_it(odd: Path, tmp_path: Path) -> None:
    assert importer.recognises(odd)
    assert importer.recognises(odd.parent)
    assert not importer.recognises(tmp_path)
    shutil.copytree(odd, tmp_path / "odd" / "1.2.0")
    shutil.copytree(odd, tmp_path / "odd" / "1.3.0")
    assert importer.recognises(tmp_path / "odd")
    with pytest.raises(ForeignDatasetError, match=r"several datasets or versions; name one: .*/1\.2\.0, .*/1\.3\.0$"):
        importer.open_dataset(tmp_path / "odd", AT_10_HZ)
    shutil.copytree(odd, tmp_path / "others" / "small" / "1.2.0")  # a config of the dataset, as TFDS calls it
    assert importer.open_dataset(tmp_path / "others", AT_10_HZ).count == 5


def test_each_profile_is_known_by_its_own_fields_and_its_map_can_be_read() -> None:
    for profile in PROFILES:
        parse(profile.entries)
        fields = {
            f"steps/{key}": Field(f"steps/{key}", "numbers", "float32", shape) for key, shape in profile.needs.items()
        }
        assert find_profile(fields).name == profile.name
    assert find_profile({}).name == "raw"


STATE = {"tensor": {"dtype": "float32", "shape": {"dimensions": ["6"]}}}
ROWS = {"sequence": {"feature": {"tensor": {"dtype": "float32", "shape": {}}}}}
LINES = {"steps/language_instruction": [b"do it"] * 3}
NUMBERS = np.zeros(18, dtype=np.float32)


@pytest.mark.parametrize(
    ("state", "record", "reason"),
    [
        (STATE, {**LINES, "steps/state": NUMBERS}, ""),
        (STATE, {"steps/language_instruction": [], "steps/state": NUMBERS[:0]}, "zero-steps"),
        (
            ROWS,
            {
                **LINES,
                "steps/state/ragged_flat_values": NUMBERS[:4],
                "steps/state/ragged_row_lengths_0": np.array([1, 2, 1]),
            },
            "ragged",
        ),
        (
            ROWS,
            {**LINES, "steps/state/ragged_flat_values": NUMBERS, "steps/state/ragged_row_lengths_0": [b"a"] * 3},
            "features-mismatch",
        ),
        (
            {"tensor": {"dtype": "float32", "shape": {"dimensions": ["-1"]}}},
            {**LINES, "steps/state": [b"abc"] * 3},
            "features-mismatch",
        ),
        (
            {"tensor": {"dtype": "float32", "shape": {"dimensions": ["-2", "-3"]}}},
            {**LINES, "steps/state": NUMBERS},
            "features-mismatch",
        ),
        (STATE, {**LINES, "steps/state": NUMBERS, "episode_metadata/step_rate_hz": [b"ten"]}, "bad-rate"),
    ],
)
def test_values_of_another_kind_than_declared_reject_their_record_alone(
    tmp_path: Path, state: dict, record: dict, reason: str
) -> None:
    said = "episode_metadata/step_rate_hz" in record
    write_one(tmp_path, state, encode_example(record), said)
    mapped = ImportOptions(rate_hz=None if said else 10.0, map=(("pose", "state:xyz_rotvec"),))
    (source,) = importer.open_dataset(tmp_path, mapped).sources
    assert reason_of(source) == reason


def write_one(folder: Path, state: dict, record: bytes, said: bool = False) -> None:
    """A dataset of one record with a state and an instruction. said: it has a step rate."""
    steps = {"language_instruction": {"text": {}}, "state": state}
    tree: dict = {"steps": {"sequence": {"feature": {"featuresDict": {"features": steps}}}}}
    if said:
        tree["episode_metadata"] = {"featuresDict": {"features": {"step_rate_hz": {"text": {}}}}}
    info = {"name": "x", "splits": [{"name": "train", "shardLengths": ["1"]}]}
    (folder / "features.json").write_text(json.dumps({"featuresDict": {"features": tree}}))
    (folder / "dataset_info.json").write_text(json.dumps(info))
    with (folder / "x-train.tfrecord-00000-of-00001").open("wb") as file:
        write_record(file, record)


def test_a_record_whose_length_looks_like_gzip_is_a_record(tmp_path: Path) -> None:
    def sized(filling: int) -> bytes:
        return encode_example({**LINES, "steps/state": NUMBERS, "episode_metadata/note": [b"x" * filling]})

    record = sized(0x8B1F - len(sized(0x8A00)) + 0x8A00)
    assert len(record).to_bytes(8, "little")[:2] == b"\x1f\x8b"
    write_one(tmp_path, STATE, record)
    (source,) = importer.open_dataset(tmp_path, AT_10_HZ).sources
    assert len(source.read()) == 3


def test_an_instruction_that_changes_within_an_episode_is_noted(tmp_path: Path) -> None:
    lines = [b"open the drawer", b"open the drawer", b"close it"]
    write_one(tmp_path, STATE, encode_example({"steps/language_instruction": lines, "steps/state": NUMBERS}))
    (source,) = importer.open_dataset(tmp_path, AT_10_HZ).sources
    episode = source.read()
    assert episode.instructions == ("open the drawer", "close it")
    assert "language_instruction changes within the episode, here in its order: open the drawer; close it." in (
        episode.notes
    )
