"""DROID's raw episodes: trajectory.h5, metadata and MP4 recordings, as its own tools leave them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import simplejpeg
from foreign_datasets import OUTSIDE, STEPS, UUID, WALL_MS, WRIST, euler_pose, write_droid

from dataset_builder.exchange.droid import importer as droid
from dataset_builder.exchange.formats import open_dataset
from dataset_builder.exchange.importing.dataset import ForeignDatasetError, ImportOptions
from dataset_builder.exchange.importing.episode import ImportedEpisode, UnimportableError
from dataset_builder.exchange.importing.run import import_dataset
from teleloom import pose
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader
from teleloom.messages import ControlMode

DAY = "ILIAD/success/2023-07-12/Wed_Jul_12_20:55:08_2023"
AS_IT_SAYS = ImportOptions()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one lab with one episode, and DROID's language annotations above it."""
    root = tmp_path_factory.mktemp("droid_raw")
    write_droid(root / DAY)
    said = {"language_instruction1": "Put the mug on the shelf", "language_instruction2": "Shelve the mug"}
    (root / "aggregated-annotations-030724.json").write_text(json.dumps({UUID: said}))
    return root


def only(path: Path, options: ImportOptions = AS_IT_SAYS) -> ImportedEpisode:
    (source,) = droid.open_dataset(path, options).sources
    return source.read()


def test_states_and_commands_are_in_our_conventions(lab: Path) -> None:
    episode = only(lab)
    with h5py.File(lab / DAY / "trajectory.h5") as file:
        state, action = file["observation/robot_state"], file["action"]
        for ours, theirs in (
            (episode.pose, state["cartesian_position"]),
            (episode.pose_target, action["cartesian_position"]),
        ):
            for mine, row in zip(ours, theirs[()], strict=True):
                assert max(pose.distance(mine, euler_pose(row))) < 1e-6
        assert np.array_equal(episode.joints, state["joint_positions"])
        assert np.array_equal(episode.joint_velocity, state["joint_velocities"])
        assert np.array_equal(episode.effort, state["motor_torques_measured"])
        assert np.array_equal(episode.joint_target, action["joint_position"])
        assert np.array_equal(episode.gripper, 1.0 - state["gripper_position"][()])
        assert np.array_equal(episode.gripper_target, 1.0 - action["gripper_position"][()])
        names = set()
        file.visititems(lambda name, item: names.add(name) if isinstance(item, h5py.Dataset) else None)
        assert set(episode.raw) == names
        assert all(np.array_equal(episode.raw[name].values, file[name]) for name in names)
    assert episode.mode[:3].tolist() == [ControlMode.HOLD] * 3
    assert set(episode.mode[3:].tolist()) == {ControlMode.HUMAN}


def test_the_times_are_those_that_droid_measured(lab: Path) -> None:
    episode = only(lab)
    assert episode.wall_ns == (WALL_MS - 20) * 1_000_000
    read_ms = np.round(np.arange(STEPS) * 1000 / 15).astype(int)
    assert np.array_equal(episode.t_ns, (read_ms + 20) * 1_000_000)
    assert np.array_equal(episode.cameras["wrist"].t_ns, read_ms * 1_000_000)


def test_what_was_to_be_done_by_whom_where_and_with_what_outcome(lab: Path) -> None:
    episode = only(lab)
    assert episode.instructions == ("Put the mug on the shelf", "Shelve the mug", "Move the mug")
    assert (episode.task, episode.operator, episode.station) == ("move_the_mug", "Ada L", "ILIAD")
    assert (episode.scene, episode.outcome) == ("building Gates scene 7", "success")
    assert only(lab, ImportOptions(instruction="Lift it", task="lift", operator="ben")).instructions[0] == "Lift it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "is no JSON object"),
        ('{"images": [], "categories": []}', "has no language_instruction1 of any episode"),
        ("{", "cannot be read"),
        (json.dumps({UUID: "Put it away"}), "has no language_instruction1 of any episode"),
    ],
)
def test_annotations_of_something_else_above_the_dataset_cost_a_note(tmp_path: Path, text: str, said: str) -> None:
    raw = write_droid(tmp_path / "raw" / "one").parent
    (tmp_path / "coco_annotations.json").write_text(text)
    assert any(said in note for note in droid.open_dataset(raw, AS_IT_SAYS).notes)
    assert only(raw).instructions == ("Move the mug",)


def test_an_episode_without_recordings_has_no_camera_and_says_so(tmp_path: Path) -> None:
    shutil.rmtree(write_droid(tmp_path / "raw" / "one") / "recordings")
    episode = only(tmp_path / "raw")
    assert episode.cameras == {}
    assert "There is no recordings/MP4 with it: it has no camera." in episode.notes
    with Catalog.open(tmp_path) as catalog:
        report = import_dataset(droid.open_dataset(tmp_path / "raw", AS_IT_SAYS), tmp_path, catalog, lambda *_: None)
    assert len(report.imported) == 1


def test_the_video_becomes_one_jpeg_for_each_step_and_what_stays_behind_is_named(lab: Path) -> None:
    episode = only(lab)
    assert sorted(episode.cameras) == ["exterior_1", "wrist"]
    for camera in episode.cameras.values():
        assert (len(camera.frames), camera.quality) == (STEPS, 95)
        for i in (0, 10, 23):
            shown = simplejpeg.decode_jpeg(camera.frames[i])
            assert shown.shape == (64, 96, 3)
            bright = np.flatnonzero(shown[28, :, 1] > 125)
            assert abs(bright[0] - 2 * i) <= 1
            assert abs(bright[-1] - (2 * i + 15)) <= 1
    assert set(episode.not_carried) == {
        f"recordings/SVO/{WRIST}.svo",
        f"recordings/SVO/{OUTSIDE}.svo",
        f"recordings/MP4/{WRIST}-stereo.mp4",
    }


@pytest.mark.parametrize(("frames", "kept", "note"), [(STEPS + 6, STEPS, "more frames"), (20, 20, "20 frames for 24")])
def test_a_video_of_another_length_is_noted_and_rows_do_not_shift(
    tmp_path: Path, frames: int, kept: int, note: str
) -> None:
    episode = only(write_droid(tmp_path / "one", frames=frames))
    assert len(episode.cameras["wrist"].frames) == kept
    assert any(note in text for text in episode.notes)


def test_an_imported_droid_episode_is_sound_and_its_failure_is_kept(tmp_path: Path) -> None:
    write_droid(tmp_path / "raw" / "failure" / "one", success=False)
    with Catalog.open(tmp_path) as catalog:
        report = import_dataset(droid.open_dataset(tmp_path / "raw", AS_IT_SAYS), tmp_path, catalog, lambda *_: None)
        (entry,) = report.imported
        with EpisodeReader(episode_path(tmp_path, entry.episode_id)) as reader:
            reader.verify()
            steps = reader.steps()
            assert len(steps) == STEPS - 1  # the first state is 20 ms after the first frame, the last frame before it
            assert np.isfinite(steps.state).all()
            assert np.isfinite(steps.action).all()
            assert reader.meta.outcome == "failure"
        quality = catalog.episode(entry.episode_id).quality
        assert quality is not None
        assert [finding for finding in quality["findings"] if finding["severity"] == "fault"] == []


def test_each_broken_episode_is_rejected_with_its_reason_and_the_others_are_taken(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_droid(raw / "a")
    cut = write_droid(raw / "b", offset=0.1) / "trajectory.h5"
    cut.write_bytes(cut.read_bytes()[:3000])
    video = write_droid(raw / "c", offset=0.2) / "recordings" / "MP4" / f"{WRIST}.mp4"
    video.write_bytes(b"no video")
    with h5py.File(write_droid(raw / "d", offset=0.3) / "trajectory.h5", "a") as file:
        del file["action"]
    with h5py.File(write_droid(raw / "e", offset=0.4) / "trajectory.h5", "a") as file:
        file["observation/words"] = ["a text"]
        file.create_dataset("observation/endless", (10**12,), dtype="f8", chunks=(1000,))
    with h5py.File(write_droid(raw / "g", offset=0.6) / "trajectory.h5", "a") as file:
        file["observation/stolen"] = h5py.ExternalLink(str(raw / "a" / "trajectory.h5"), "/action")
    (write_droid(raw / "f", offset=0.5) / f"metadata_{UUID}.json").write_text("{")
    with Catalog.open(tmp_path) as catalog:
        report = import_dataset(droid.open_dataset(raw, AS_IT_SAYS), tmp_path, catalog, lambda *_: None)
    assert {entry.source: entry.reason for entry in report.rejected} == {
        "b": "bad-file",
        "c": "broken-video",
        "d": "features-mismatch",
        "f": "bad-file",
        "g": "bad-file",
    }
    left = {entry.source: entry.not_carried for entry in report.imported}
    assert sorted(left) == ["a", "e"]
    assert {"observation/words", "observation/endless"} <= set(left["e"])


def test_it_is_recognised_as_a_file_a_folder_and_a_tree(lab: Path, tmp_path: Path) -> None:
    assert all(droid.recognises(path) for path in (lab, lab / DAY, lab / DAY / "trajectory.h5"))
    assert not droid.recognises(tmp_path)
    shutil.copytree(lab / DAY, tmp_path / "a/b/c/d/e/f/g/too_deep")
    assert not droid.recognises(tmp_path)
    with pytest.raises(ForeignDatasetError, match="up to 6 levels"):
        droid.open_dataset(tmp_path, AS_IT_SAYS)
    with pytest.raises(ForeignDatasetError, match="leave --map"):
        open_dataset(lab, ImportOptions(map=(("pose", "x:xyz_quat"),)))


def test_a_state_of_another_shape_is_refused(tmp_path: Path) -> None:
    with h5py.File(write_droid(tmp_path / "one") / "trajectory.h5", "a") as file:
        del file["action/cartesian_position"]
        file["action/cartesian_position"] = np.zeros((STEPS, 5))
    with pytest.raises(UnimportableError, match="no position and three angles") as refused:
        only(tmp_path)
    assert refused.value.reason == "wrong-shape"
