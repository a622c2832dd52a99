"""ACT / ALOHA files: ours come back whole, and those of others are kept as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import simplejpeg
from conftest import Station
from exchange_round_trips import (
    MANIFEST,
    UNICODE,
    assert_came_back,
    exported,
    furnished_station,
    imported,
    trajectories,
)

from dataset_builder.exchange.aloha import layout
from dataset_builder.exchange.aloha.importer import open_dataset, recognises
from dataset_builder.exchange.exporting.run import ExportReport
from dataset_builder.exchange.importing.dataset import ForeignDatasetError, ImportOptions
from dataset_builder.exchange.importing.episode import UnimportableError
from dataset_builder.exchange.importing.episode_file import write_imported
from dataset_builder.exchange.importing.identity import imported_id
from dataset_builder.layouts.shared import actions


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Station:
    return furnished_station(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def padded(furnished: Station, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return exported(furnished, "aloha", tmp_path_factory.mktemp("aloha") / "padded")


@pytest.mark.parametrize("images", ["jpeg", "pixels"])
def test_comes_back_as_it_went_out(furnished: Station, padded: ExportReport, tmp_path: Path, images: str) -> None:
    report = padded if images == "jpeg" else exported(furnished, "aloha", tmp_path / "out", images=images)
    assert_came_back(report, imported(report.path), furnished, jpegs=True)


def test_files_are_as_acts_reader_takes_them(furnished: Station, padded: ExportReport) -> None:
    there = trajectories(furnished)
    for number, entry in enumerate(padded.ledger.emitted):
        trajectory = there[entry.episode_id]
        with h5py.File(padded.path / f"episode_{number}.hdf5") as file:
            assert (bool(file.attrs["compress"]), bool(file.attrs["sim"])) == (True, len(trajectory) > 1)
            qpos, qvel, action = (file[key][()] for key in ("observations/qpos", "observations/qvel", "action"))
            assert qpos.shape == qvel.shape == action.shape == (len(trajectory), 8)
            np.testing.assert_array_equal(action, trajectory.joint_target)
            np.testing.assert_array_equal(qpos[:, -1], trajectory.gripper)
            assert np.isfinite(qvel).all()
            lengths = file["compress_len"][()]
            for row, camera in enumerate(sorted(file["observations/images"])):
                data = file[f"observations/images/{camera}"]
                assert data.chunks == (1, data.shape[1])
                for step in range(len(trajectory)):
                    # As ACT reads it: the whole padded row goes to the decoder.
                    assert simplejpeg.decode_jpeg(data[step].tobytes()).shape == (48, 64, 3)
                    assert data[step, int(lengths[row, step]) - 2 :][:2].tobytes() == b"\xff\xd9"
                    assert not data[step, int(lengths[row, step]) :].any()
            np.testing.assert_array_equal(
                file["teleloom/steps/action"][()], actions(trajectory, MANIFEST.action), strict=True
            )


def test_an_export_that_fails_leaves_what_was_there(
    furnished: Station, padded: ExportReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(padded.path, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dataset_builder.exchange.our_group.write_ours", full)
    for folder in (out, tmp_path / "new"):
        with pytest.raises(OSError, match="No space left"):
            exported(furnished, "aloha", folder, force=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# Files of others


def foreign(path: Path, *, steps: int = 4, width: int = 14, compress: bool = False, language: bool = False) -> Path:
    """A file as Mobile ALOHA writes it, or ACT where it is not compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs["sim"] = False
        for name in ("observations/qpos", "observations/qvel", "observations/effort", "action"):
            file.create_dataset(name, data=rng.normal(size=(steps, width)).astype(np.float32))
        file.create_dataset("base_action", data=rng.normal(size=(steps, 2)))
        pixels = np.full((steps, 12, 16, 3), 90, np.uint8)
        if compress:
            file.attrs["compress"] = True
            frames = [simplejpeg.encode_jpeg(image, 50 + 10 * i) for i, image in enumerate(pixels)]
            width = max(map(len, frames)) + 5
            rows = np.zeros((steps, width), np.uint8)
            for row, frame in zip(rows, frames, strict=True):
                row[: len(frame)] = np.frombuffer(frame, np.uint8)
            file.create_dataset("observations/images/cam_high", data=rows, chunks=(1, width))
            file.create_dataset("compress_len", data=np.array([list(map(len, frames))], np.float32))
        else:
            file.create_dataset("observations/images/cam_high", data=pixels, chunks=(1, 12, 16, 3))
        if language:
            file.create_dataset("language_raw", data=np.array([UNICODE.encode()]))
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_two_arms_of_aloha_are_kept_as_they_are(tmp_path: Path, compress: bool) -> None:
    path = foreign(tmp_path / "pour/episode_0.hdf5", compress=compress, language=True)
    (episode,) = imported(path.parent)
    assert (episode.rate_hz, episode.task, episode.instructions) == (50.0, "pour", (UNICODE,))
    with h5py.File(path) as file:
        for name in ("observations/qpos", "action", "base_action"):
            np.testing.assert_array_equal(episode.raw[name].values, file[name][()], strict=True)
        arms = [i for i in range(14) if i not in (6, 13)]
        np.testing.assert_array_equal(episode.joints, file["observations/qpos"][()][:, arms])
        np.testing.assert_array_equal(episode.joint_target, file["action"][()][:, arms])
    assert episode.raw["action"].names == layout.NAMES
    assert episode.robot.joint_names[:2] == ("left_waist", "left_shoulder")
    assert episode.cameras["cam_high"].quality == (None if compress else 95)
    assert simplejpeg.decode_jpeg(episode.cameras["cam_high"].frames[2]).shape == (12, 16, 3)
    write_imported(tmp_path / "station", episode)


@pytest.mark.parametrize("kind", ["padded to one length", "each of its own length"])
def test_images_that_are_one_string_of_bytes_each_are_kept(tmp_path: Path, kind: str) -> None:
    """As RDT has them, and RoboTwin."""
    path = foreign(tmp_path / "pour/episode_0.hdf5")
    frames = [simplejpeg.encode_jpeg(np.full((12, 16, 3), 40 * i, np.uint8), 90) for i in range(4)]
    with h5py.File(path, "a") as file:
        del file["observations/images/cam_high"]
        if kind == "padded to one length":
            padded = [frame.ljust(2000, b"\0") for frame in frames]
            file.create_dataset("observations/images/cam_high", data=padded, dtype="S2000")
        else:
            array = file.create_dataset("observations/images/cam_high", (4,), h5py.vlen_dtype(np.uint8))
            for i, frame in enumerate(frames):
                array[i] = np.frombuffer(frame, np.uint8)
    (episode,) = imported(path.parent, instruction="pour")
    assert list(episode.cameras["cam_high"].frames) == frames
    assert episode.cameras["cam_high"].quality is None


def test_of_another_robot_nothing_is_made_up(tmp_path: Path) -> None:
    foreign(tmp_path / "pour/episode_0.hdf5", width=7)
    (episode,) = imported(tmp_path / "pour", instruction="pour", rate_hz=25.0)
    assert (episode.joints, episode.pose, episode.gripper, episode.rate_hz) == (None, None, None, 25.0)
    assert episode.raw["action"].values.shape == (4, 7)
    (silent,) = imported(tmp_path / "pour")
    with pytest.raises(UnimportableError, match="give --instruction"):
        write_imported(tmp_path / "station", silent)


def test_episodes_come_in_the_order_of_their_numbers_and_a_bad_one_by_itself(tmp_path: Path) -> None:
    for number in (10, 2, 0):
        foreign(tmp_path / f"pour/episode_{number}.hdf5")
    data = (tmp_path / "pour/episode_2.hdf5").read_bytes()
    (tmp_path / "pour/episode_2.hdf5").write_bytes(data[: len(data) // 2])
    sources = list(open_dataset(tmp_path / "pour", ImportOptions(instruction="pour")).sources)
    assert [source.name for source in sources] == ["episode_0.hdf5", "episode_2.hdf5", "episode_10.hdf5"]
    assert len(sources[0].read()) == len(sources[2].read()) == 4
    with pytest.raises(UnimportableError, match=r"episode_2\.hdf5 cannot be read"):
        sources[1].read()


@pytest.mark.parametrize("path", ["base_action", "observations/images/cam_high"])
def test_an_array_that_claims_to_be_huge_is_refused_unread(tmp_path: Path, path: str) -> None:
    with h5py.File(foreign(tmp_path / "pour/episode_0.hdf5"), "a") as file:
        del file[path]
        shape = (4, 10**12) if path == "base_action" else (10**12, 8, 8, 3)
        file.create_dataset(path, shape, "u1", chunks=(1, 8) if len(shape) == 2 else (1, 8, 8, 3))
    source = next(iter(open_dataset(tmp_path / "pour", ImportOptions(instruction="pour")).sources))
    with pytest.raises(UnimportableError, match=r"claims? \d{13} "):
        source.read()


def test_the_same_pixels_are_the_same_episode_however_they_are_encoded(tmp_path: Path) -> None:
    foreign(tmp_path / "pour/episode_0.hdf5")
    one, other = (imported(tmp_path / "pour", instruction="pour", jpeg_quality=q)[0] for q in (90, 60))
    assert one.cameras["cam_high"].frames != other.cameras["cam_high"].frames
    assert imported_id(one) == imported_id(other)


def test_recognises_its_own_files_alone(tmp_path: Path, padded: ExportReport) -> None:
    (tmp_path / "episode_0.hdf5").write_bytes(b"nothing")
    assert recognises(padded.path)
    assert recognises(padded.path / "episode_0.hdf5")
    assert not recognises(tmp_path)
    assert not recognises(tmp_path / "missing")
    with pytest.raises(ForeignDatasetError, match="has no episode_"):
        open_dataset(tmp_path / "missing", ImportOptions())
