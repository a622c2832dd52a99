"""LeRobotDataset v3.0: what the exporter writes, and that ours and other people's come back whole."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import simplejpeg
from conftest import Station
from exchange_round_trips import (
    MANIFEST,
    UNICODE,
    assert_came_back,
    at_rate,
    exported,
    furnished_station,
    imported,
    sized,
    trajectories,
    without_joints,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_builder.build.run import DatasetExistsError, NothingToBuildError
from dataset_builder.build.shards import read_episode
from dataset_builder.exchange.exporting.run import ExportOptionError, ExportReport, UnexportableError
from dataset_builder.exchange.importing.dataset import ForeignDatasetError, ImportOptions
from dataset_builder.exchange.importing.episode import UnimportableError
from dataset_builder.exchange.importing.episode_file import write_imported
from dataset_builder.exchange.importing.identity import imported_id
from dataset_builder.exchange.lerobot import layout, statistics
from dataset_builder.exchange.lerobot.importer import open_dataset, recognises
from dataset_builder.exchange.lerobot.layout import Place
from dataset_builder.exchange.lerobot.rows import DocumentRows, EpisodeRows, MissingRowsError
from dataset_builder.layouts.shared import actions
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path
from teleloom.extras import MissingExtraError

VIDEO_PSNR_DB = 32.0


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Station:
    return furnished_station(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def videos(furnished: Station, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return exported(furnished, "lerobot", tmp_path_factory.mktemp("lerobot") / "videos")


def table(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize("images", ["video", "image"])
def test_comes_back_as_it_went_out(furnished: Station, videos: ExportReport, tmp_path: Path, images: str) -> None:
    report = videos if images == "video" else exported(furnished, "lerobot", tmp_path / "out", images=images)
    assert set(report.splits) == {"train", "val", "test"}
    assert_came_back(report, imported(report.path), furnished, jpegs=images == "image")


def test_the_format_holds_states_and_actions_in_single_precision(furnished: Station, videos: ExportReport) -> None:
    rows = table(videos.path / "data/chunk-000/file-000.parquet")
    there = trajectories(furnished)
    assert len(rows) == sum(len(t) for t in there.values())
    start = 0
    for number, entry in enumerate(videos.ledger.emitted):
        trajectory = there[entry.episode_id]
        own = rows[start : start + len(trajectory)]
        start += len(trajectory)
        state = np.column_stack([trajectory.joints, trajectory.gripper]).astype(np.float32)
        np.testing.assert_array_equal(np.array([row["observation.state"] for row in own], np.float32), state)
        action = actions(trajectory, MANIFEST.action).astype(np.float32)
        np.testing.assert_array_equal(np.array([row["action"] for row in own], np.float32), action)
        assert [row["frame_index"] for row in own] == list(range(len(trajectory)))
        assert [row["timestamp"] for row in own] == [np.float32(i / 10) for i in range(len(trajectory))]
        assert {row["episode_index"] for row in own} == {number}
        assert [row["next.done"] for row in own] == [i == len(trajectory) - 1 for i in range(len(trajectory))]
        assert own[-1]["next.success"] == (trajectory.outcome == "success")
    assert [row["index"] for row in rows] == list(range(len(rows)))


def test_metadata_says_what_lerobot_asks_for(videos: ExportReport) -> None:
    info = json.loads((videos.path / layout.INFO).read_text())
    assert info["codebase_version"] == "v3.0"
    assert (info["fps"], info["total_episodes"], info["total_tasks"]) == (10, 10, 2)
    train, val, test = (videos.splits[split] for split in ("train", "val", "test"))
    spans = {"train": f"0:{train}", "val": f"{train}:{train + val}", "test": f"{train + val}:{train + val + test}"}
    assert info["splits"] == spans
    assert info["features"]["observation.state"]["names"] == [*(f"joint{i}" for i in range(1, 8)), "gripper"]
    assert info["features"]["observation.images.image"]["shape"] == [48, 64, 3]
    assert info["features"]["observation.images.image"]["info"]["video.codec"] == "av1"
    columns = set(pq.read_schema(videos.path / "data/chunk-000/file-000.parquet").names)
    assert columns == {key for key, feature in info["features"].items() if feature["dtype"] != "video"}
    tasks = pq.read_table(videos.path / layout.TASKS)
    assert set(tasks["__index_level_0__"].to_pylist()) == {"Do it", UNICODE}
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["__index_level_0__"]


def test_episodes_point_at_their_rows_and_frames(videos: ExportReport) -> None:
    end, keys = 0, []
    for row in table(videos.path / "meta/episodes/chunk-000/file-000.parquet"):
        assert row["dataset_from_index"] == end
        end = row["dataset_to_index"]
        assert end - row["dataset_from_index"] == row["length"]
        start_s = row["videos/observation.images.image/from_timestamp"]
        assert start_s == row["dataset_from_index"] / 10
        assert row["videos/observation.images.image/to_timestamp"] == end / 10
        assert (row["meta/episodes/chunk_index"], row["meta/episodes/file_index"]) == (0, 0)
        keys += [i % 2 == 0 for i in range(row["length"])]
    with av.open(str(videos.path / "videos/observation.images.image/chunk-000/file-000.mp4")) as container:
        frames = list(container.decode(video=0))
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 10) for i in range(end)]
    # A reader that draws a frame at random decodes at most two.
    assert [bool(frame.key_frame) for frame in frames] == keys


def test_videos_show_what_was_recorded(furnished: Station, videos: ExportReport) -> None:
    for entry, back in zip(videos.ledger.emitted, imported(videos.path), strict=True):
        trajectory = trajectories(furnished)[entry.episode_id]
        recorded = read_episode(trajectory.candidate, MANIFEST).images["image"]
        for before, after in zip(recorded, back.cameras["front"].frames, strict=True):
            error = simplejpeg.decode_jpeg(before).astype(float) - simplejpeg.decode_jpeg(after)
            assert 10 * np.log10(255**2 / np.mean(error**2)) > VIDEO_PSNR_DB


def test_statistics_are_of_the_train_split_alone_and_exact(furnished: Station, videos: ExportReport) -> None:
    stats = json.loads((videos.path / layout.STATS).read_text())
    train = [entry.episode_id for entry in videos.ledger.emitted if entry.split == "train"]
    own = np.concatenate([actions(trajectories(furnished)[e], MANIFEST.action) for e in train]).astype(np.float32)
    for name, expected in (
        ("min", own.min(axis=0)),
        ("mean", own.astype(np.float64).mean(axis=0)),
        ("q99", np.quantile(own.astype(np.float64), 0.99, axis=0)),
    ):
        np.testing.assert_allclose(stats["action"][name], expected, rtol=1e-12)
    assert stats["action"]["count"] == [len(own)]
    assert np.shape(stats["observation.images.image"]["mean"]) == (3, 1, 1)
    assert not any(key.startswith("teleloom.") for key in stats)


@given(st.lists(st.integers(0, 255), min_size=12, max_size=300))
def test_statistics_of_images_are_those_of_their_pixels(levels: list[int]) -> None:
    pixels = np.resize(np.array(levels), (len(levels), 3))
    counts = np.stack([np.bincount(pixels[:, channel], minlength=256) for channel in range(3)])
    found = statistics.of_images(counts, 1)
    scaled = pixels / 255.0
    for name, expected in (("min", scaled.min(0)), ("max", scaled.max(0)), ("mean", scaled.mean(0))):
        np.testing.assert_allclose(np.ravel(found[name]), expected, atol=1e-12)
    np.testing.assert_allclose(np.ravel(found["std"]), scaled.std(0), atol=1e-7)
    q90 = np.quantile(scaled, 0.9, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(np.ravel(found["q90"]), q90, atol=1e-12)


def test_a_sample_of_images_is_as_large_as_lerobots() -> None:
    assert [len(statistics.sample(n)) for n in (1, 50, 100, 500, 1000, 10_000)] == [1, 50, 100, 105, 177, 1000]
    assert statistics.sample(3) == [0, 1, 2]


def test_full_files_are_followed_by_others(furnished: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "DATA_FILE_MB", 0.03)
    monkeypatch.setattr(layout, "VIDEO_FILE_MB", 0.005)
    monkeypatch.setattr(layout, "FILES_PER_CHUNK", 2)
    report = exported(furnished, "lerobot", tmp_path / "out")
    assert len(list((tmp_path / "out/data").glob("*/*.parquet"))) > 2
    assert len(list((tmp_path / "out/data").glob("chunk-001/*.parquet"))) > 0
    assert len(list((tmp_path / "out/videos/observation.images.image").glob("*/*.mp4"))) > 2
    assert_came_back(report, imported(tmp_path / "out"), furnished, jpegs=False)


def test_places_follow_each_other() -> None:
    assert Place(0, 998).following() == Place(0, 999)
    assert Place(0, 999).following() == Place(1, 0)


def test_exports_are_the_same_bytes_again(furnished: Station, videos: ExportReport, tmp_path: Path) -> None:
    exported(furnished, "lerobot", tmp_path / "again")
    files = sorted(path.relative_to(videos.path) for path in videos.path.rglob("*") if path.is_file())
    assert len(files) == 11
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (videos.path / file).read_bytes(), file


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_other_codecs(furnished: Station, tmp_path: Path, codec: str) -> None:
    report = exported(furnished, "lerobot", tmp_path / "out", video_codec=codec)
    assert_came_back(report, imported(tmp_path / "out"), furnished, jpegs=False)
    with av.open(str(tmp_path / "out/videos/observation.images.image/chunk-000/file-000.mp4")) as container:
        assert container.streams.video[0].codec_context.name == codec


def test_what_was_not_carried_is_listed(furnished: Station, videos: ExportReport, tmp_path: Path) -> None:
    document = json.loads((videos.path / "export.json").read_text())
    assert "JPEG bytes" in {entry["field"] for entry in document["not_carried"]}
    one_camera = MANIFEST.model_copy(update={"cameras": {"front": MANIFEST.cameras["front"]}})
    report = exported(furnished, "lerobot", tmp_path / "out", one_camera, images="image")
    assert "JPEG bytes" not in {entry.field for entry in report.not_carried}
    assert set(report.episode_notes) == {entry.episode_id for entry in report.ledger.emitted}
    assert all("camera 'wrist' is not among" in notes[0] for notes in report.episode_notes.values())


def test_what_only_a_build_makes_is_listed_where_it_is_asked_for(furnished: Station, tmp_path: Path) -> None:
    asked = MANIFEST.model_validate(MANIFEST.model_dump() | {"questions": {"kinds": ["outcome"]}})
    report = exported(furnished, "lerobot", tmp_path / "out", asked, images="image")
    assert "questions and plans" in {entry.field for entry in report.not_carried}


def test_a_missing_package_is_said_before_anything_is_read(
    furnished: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'teleloom\[exchange\]'"):
        exported(furnished, "lerobot", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_refuses_what_lerobot_cannot_hold(furnished: Station, tmp_path: Path) -> None:
    with pytest.raises(UnexportableError, match=r"whole frames a second.*7\.5.*step_rate_hz"):
        exported(furnished, "lerobot", tmp_path / "out", at_rate(7.5))
    with pytest.raises(UnexportableError, match=r"63x47 pixels.*images=image"):
        exported(furnished, "lerobot", tmp_path / "out", sized(47, 63))
    with pytest.raises(ExportOptionError, match="cannot be 'png'; it can be video, image"):
        exported(furnished, "lerobot", tmp_path / "out", images="png")
    with pytest.raises(ExportOptionError, match="no option 'image'; there is: images, video_codec"):
        exported(furnished, "lerobot", tmp_path / "out", image="png")
    flying = MANIFEST.model_copy(update={"select": MANIFEST.select.model_copy(update={"tasks": ("fly",)})})
    with pytest.raises(NothingToBuildError, match="no episode is left"):
        exported(furnished, "lerobot", tmp_path / "out", flying)
    assert list(tmp_path.iterdir()) == []
    exported(furnished, "lerobot", tmp_path / "odd", sized(47, 63), images="image")
    with pytest.raises(DatasetExistsError, match="--force"):
        exported(furnished, "lerobot", tmp_path / "odd")


def test_an_arm_without_joints_has_its_tool_pose_for_a_state(videos: ExportReport, tmp_path: Path) -> None:
    station = Station(tmp_path / "station")
    for episode in imported(videos.path)[:2]:
        identity = write_imported(station.root, without_joints(episode))
        with Catalog.open(station.root) as catalog:
            catalog.register(episode_path(station.root, identity))
        station.annotate(identity, {"kind": "verdict", "decision": "approve"})
    exported(station, "lerobot", tmp_path / "out")
    names = json.loads((tmp_path / "out" / layout.INFO).read_text())["features"]["observation.state"]["names"]
    assert names == ["x", "y", "z", "qx", "qy", "qz", "qw", "gripper"]
    with pytest.raises(NothingToBuildError, match=r"no-joints \(2\)"):
        exported(station, "aloha", tmp_path / "aloha")


# Datasets of others


def foreign(
    root: Path,
    version: str = "v3.0",
    task_column: str = "task",
    names: object = ("a", "b"),
    tasks: Sequence[int] = (1, 1, 1, 0, 0),
) -> Path:
    """Two episodes of 3 and 2 frames in one row group, PNG images, a matrix, a text: as anybody may write them."""
    features = {
        "observation.state": {"dtype": "float32", "shape": [2], "names": names},
        "action": {"dtype": "float64", "shape": [1], "names": None},
        "matrix": {"dtype": "float32", "shape": [2, 2], "names": None},
        "remark": {"dtype": "language", "shape": [1], "names": None},
        "observation.image": {"dtype": "image", "shape": [4, 6, 3], "names": ["height", "width", "channel"]},
        **{key: {"dtype": kind, "shape": [1], "names": None} for key, kind in layout.INDEX_FEATURES.items()},
    }
    info = {
        "codebase_version": version,
        "robot_type": "so101",
        "total_episodes": 2,
        "fps": 30,
        "data_path": layout.DATA,
        "video_path": None,
        "features": features,
    }
    episode = [0, 0, 0, 1, 1]
    frame = [0, 1, 2, 0, 1]
    state = np.arange(10, dtype=np.float32).reshape(5, 2)
    data = pa.table(
        {
            "observation.state": pa.array(state.tolist(), type=pa.list_(pa.float32(), 2)),
            "action": pa.array([0.1, 0.2, 0.3, 0.4, 0.5]),
            "matrix": pa.array([[[i, 1], [2, 3]] for i in range(5)], type=pa.list_(pa.list_(pa.float32()))),
            "remark": pa.array(list("abcde")),
            "observation.image": pa.array([{"bytes": png(i), "path": f"{i}.png"} for i in range(5)]),
            "timestamp": pa.array(np.array(frame, np.float32) / np.float32(30)),
            "frame_index": pa.array(frame),
            "episode_index": pa.array(episode),
            "index": pa.array(range(5)),
            "task_index": pa.array(tasks),
        }
    )
    episodes = [
        {"episode_index": k, "tasks": ["x"], "length": n, "data/chunk_index": 0, "data/file_index": 0}
        for k, n in ((0, 3), (1, 2))
    ]
    for path, content in (
        (layout.DATA.format(chunk_index=0, file_index=0), data),
        (layout.EPISODES.format(chunk_index=0, file_index=0), pa.Table.from_pylist(episodes)),
        (layout.TASKS, pa.table({"task_index": [0, 1], task_column: ["pick", "Plätzchen backen"]})),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(content, root / path)
    (root / layout.INFO).write_text(json.dumps(info))
    return root


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 6, 4, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((4, 6, 3), 40 * level, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize("task_column", ["task", "__index_level_0__"])
@pytest.mark.parametrize("names", [["a", "b"], {"motors": ["a", "b"]}])
def test_a_dataset_of_others_is_kept_as_it_is(tmp_path: Path, task_column: str, names: object) -> None:
    first, second = imported(foreign(tmp_path / "theirs", task_column=task_column, names=names))
    assert (first.instructions, second.instructions) == (("Plätzchen backen",), ("pick",))
    assert (first.rate_hz, first.robot.name, first.robot.joint_names) == (30.0, "so101", ())
    assert first.raw["observation.state"].names == ("a", "b")
    np.testing.assert_array_equal(second.raw["observation.state"].values, np.array([[6, 7], [8, 9]], np.float32))
    np.testing.assert_array_equal(first.raw["action"].values, [0.1, 0.2, 0.3], strict=True)
    assert first.raw["matrix"].values.shape == (3, 2, 2)
    assert (first.joints, first.pose, first.gripper) == (None, None, None)
    assert first.not_carried == ("remark",)
    shown = [simplejpeg.decode_jpeg(frame)[0, 0, 0] for frame in second.cameras["observation.image"].frames]
    np.testing.assert_allclose(shown, [120, 160], atol=1)
    write_imported(tmp_path / "station", first)


def test_the_same_images_are_the_same_episode_however_they_are_encoded(tmp_path: Path, videos: ExportReport) -> None:
    for path in (videos.path, foreign(tmp_path / "theirs")):
        one, other = (imported(path, jpeg_quality=quality)[0] for quality in (95, 60))
        assert [c.frames for c in one.cameras.values()] != [c.frames for c in other.cameras.values()]
        assert imported_id(one) == imported_id(other)


def test_which_step_has_which_of_several_tasks_is_kept(tmp_path: Path) -> None:
    first, second = imported(foreign(tmp_path / "theirs", tasks=(1, 0, 0, 0, 0)))
    assert first.instructions == ("Plätzchen backen", "pick")
    np.testing.assert_array_equal(first.raw["task_index"].values, [1, 0, 0])
    assert any("1 Plätzchen backen; 0 pick" in note for note in first.notes)
    assert ("task_index" in second.raw, second.notes) == (False, ())


@pytest.mark.parametrize("feature", ["next.success", "is_episode_successful"])
def test_an_outcome_that_the_dataset_says_is_the_episodes(tmp_path: Path, feature: str) -> None:
    theirs = foreign(tmp_path / "theirs")
    info = json.loads((theirs / layout.INFO).read_text())
    info["features"][feature] = {"dtype": "bool", "shape": [1], "names": None}
    (theirs / layout.INFO).write_text(json.dumps(info))
    path = theirs / layout.DATA.format(chunk_index=0, file_index=0)
    said = pa.array([False, False, True, False, False])
    pq.write_table(pq.read_table(path).append_column(feature, said), path)
    assert [episode.outcome for episode in imported(theirs)] == ["success", "failure"]


def many(path: Path, lengths: Sequence[int], *, image_bytes: int, group_rows: int) -> None:
    """A table of episodes one after another, with an image of noise in each row."""
    episode = np.repeat(np.arange(len(lengths)), lengths)
    noise = np.random.default_rng(0)
    images = [{"bytes": b"\xff\xd8\xff" + noise.bytes(image_bytes), "path": ""} for _ in episode]
    columns = {"episode_index": episode, "row": np.arange(len(episode)), "image": pa.array(images)}
    pq.write_table(pa.table(columns), path, row_group_size=group_rows, write_batch_size=16)


_READ_ALL = """
import sys
from pathlib import Path
import pyarrow
from dataset_builder.exchange.lerobot.rows import EpisodeRows

rows = EpisodeRows()
for episode in range(40):
    table = rows.of(Path(sys.argv[1]), ["row", "image"], episode, 8)
    assert table["row"].to_pylist() == list(range(8 * episode, 8 * episode + 8))
print(pyarrow.default_memory_pool().max_memory())
"""


def test_a_row_group_as_large_as_the_file_is_never_held_whole(tmp_path: Path) -> None:
    many(tmp_path / "one.parquet", [8] * 40, image_bytes=100_000, group_rows=10_000)
    assert pq.ParquetFile(tmp_path / "one.parquet").num_row_groups == 1
    command = [sys.executable, "-c", _READ_ALL, str(tmp_path / "one.parquet")]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert int(result.stdout) < 32_000_000 / 3


@given(
    lengths=st.lists(st.integers(1, 70), min_size=1, max_size=6),
    group_rows=st.integers(1, 100),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=30, deadline=None)
def test_episodes_are_found_in_whatever_order_and_groups_they_lie(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], group_rows: int, order: random.Random
) -> None:
    path = tmp_path_factory.mktemp("rows") / "one.parquet"
    many(path, lengths, image_bytes=1, group_rows=group_rows)
    starts = np.cumsum([0, *lengths]).tolist()
    rows, asked = EpisodeRows(), [*range(len(lengths))] * 2
    order.shuffle(asked)
    for episode in asked:
        table = rows.of(path, ["row"], episode, lengths[episode])
        assert table["row"].to_pylist() == list(range(starts[episode], starts[episode + 1]))
    for length, there in ((lengths[0] + 1, f"{lengths[0]} of its {lengths[0] + 1} frames"), (0, "more than 0 rows")):
        with pytest.raises(MissingRowsError, match=there):
            rows.of(path, ["row"], 0, length)


def test_damage_in_one_row_group_costs_only_the_episodes_in_it(tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    many(path, [8] * 5, image_bytes=1000, group_rows=8)
    start = pq.ParquetFile(path).metadata.row_group(1).column(2).data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 400] = bytes(400)
    path.write_bytes(data)
    rows, sound = EpisodeRows(), []
    for episode in range(5):
        try:
            sound.append(rows.of(path, ["row", "image"], episode, 8)["row"][0].as_py() // 8)
        except OSError:
            assert episode == 1
    assert sound == [0, 2, 3, 4]


def test_documents_are_found_by_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "about.parquet"
    documents = DocumentRows(path)
    assert documents.of("7") is None
    ids = [str(i) for i in range(20)]
    pq.write_table(pa.table({"episode_id": ids, "document": [f"of {i}" for i in ids]}), path, row_group_size=6)
    assert [documents.of(i) for i in (*reversed(ids), "3", "20")] == [*(f"of {i}" for i in reversed(ids)), "of 3", None]


def test_users_say_what_the_dataset_does_not(tmp_path: Path, videos: ExportReport) -> None:
    episode = imported(foreign(tmp_path / "theirs"), instruction="bake", task="baking", operator="me", rate_hz=15.0)[0]
    assert (episode.instructions, episode.task, episode.operator, episode.rate_hz) == (("bake",), "baking", "me", 15.0)
    ours = imported(videos.path, instruction="bake", operator="me")[0]
    assert ours.meta is not None
    assert (ours.meta.task.spoken, ours.meta.operator) == ("bake", "me")


def test_refuses_other_versions_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ForeignDatasetError, match=r"v2\.1; this reads v3: convert a copy.*convert_dataset_v21_to_v30"):
        open_dataset(foreign(tmp_path / "old", version="v2.1"), ImportOptions())
    for old in ("v1.6", "v2.0"):
        with pytest.raises(ForeignDatasetError, match=rf"{old}; this reads v3: convert a copy of it to v2\.1 with"):
            open_dataset(foreign(tmp_path / old, version=old), ImportOptions())
    with pytest.raises(ForeignDatasetError, match=r"v4\.0; this reads v3: update teleloom"):
        open_dataset(foreign(tmp_path / "new", version="v4.0"), ImportOptions())
    with pytest.raises(ForeignDatasetError, match="leave --map"):
        imported(foreign(tmp_path / "theirs"), map=(("pose", "action"),))


def test_an_episode_with_missing_rows_or_frames_is_rejected_by_itself(tmp_path: Path, videos: ExportReport) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(videos.path, copy)
    (copy / "videos/observation.images.wrist_image/chunk-000/file-000.mp4").write_bytes(b"no video")
    sources = list(open_dataset(copy, ImportOptions()).sources)
    with pytest.raises(UnimportableError, match="cannot be read as a video"):
        sources[0].read()
    theirs = foreign(tmp_path / "theirs")
    path = theirs / layout.DATA.format(chunk_index=0, file_index=0)
    pq.write_table(pq.read_table(path).slice(0, 4), path)
    first, second = open_dataset(theirs, ImportOptions()).sources
    assert len(first.read()) == 3
    with pytest.raises(UnimportableError, match="1 of its 2 frames") as caught:
        second.read()
    assert caught.value.reason == "missing-frames"


def test_paths_cannot_lead_out_of_the_dataset(tmp_path: Path) -> None:
    theirs = foreign(tmp_path / "theirs")
    info = json.loads((theirs / layout.INFO).read_text())
    (theirs / layout.INFO).write_text(json.dumps({**info, "data_path": "../{chunk_index}-{file_index}.parquet"}))
    with pytest.raises(UnimportableError, match="leads out of the dataset"):
        next(iter(open_dataset(theirs, ImportOptions()).sources)).read()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": 0}, "says 0 frames a second"),
        ({"data_path": "{chunk_index:>99999999999d}.parquet"}, "has a part that is not known"),
        ({"data_path": "{chunk_index.__class__}.parquet"}, "has a part that is not known"),
    ],
)
def test_a_description_that_asks_for_the_impossible_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    theirs = foreign(tmp_path / "theirs")
    info = json.loads((theirs / layout.INFO).read_text())
    (theirs / layout.INFO).write_text(json.dumps({**info, **change}))
    with pytest.raises(ForeignDatasetError, match=message):
        open_dataset(theirs, ImportOptions())


def test_a_description_nested_without_end_is_no_dataset(tmp_path: Path) -> None:
    theirs = foreign(tmp_path / "theirs")
    (theirs / layout.INFO).write_text("[" * 100_000)
    assert not recognises(theirs)
    with pytest.raises(ForeignDatasetError, match="nested too deeply"):
        open_dataset(theirs, ImportOptions())


def test_damaged_tables_of_episodes_are_named_and_missing_ones_counted(tmp_path: Path) -> None:
    theirs = foreign(tmp_path / "theirs")
    assert "episodes" not in {entry.field for entry in open_dataset(theirs, ImportOptions()).not_carried}
    path = theirs / layout.EPISODES.format(chunk_index=0, file_index=0)
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 1), path)
    dataset = open_dataset(theirs, ImportOptions())
    assert (dataset.count, len(list(dataset.sources))) == (1, 1)
    why = {entry.field: entry.why for entry in dataset.not_carried}
    assert why["episodes"].startswith("meta/info.json counts 2, and meta/episodes lists 1")
    pq.write_table(table.drop_columns(["length"]), path)
    with pytest.raises(ForeignDatasetError, match="has no column length"):
        open_dataset(theirs, ImportOptions())
    path.write_bytes(b"PAR1")
    with pytest.raises(ForeignDatasetError, match="no sound LeRobotDataset"):
        open_dataset(theirs, ImportOptions())
