"""robomimic files: ours come back whole, and those of others are kept as they are."""

from __future__ import annotations

import json
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
from hypothesis import given
from hypothesis import strategies as st

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.build.shards import read_episode
from dataset_builder.exchange.exporting.run import ExportReport
from dataset_builder.exchange.importing.dataset import ForeignDatasetError, ImportOptions
from dataset_builder.exchange.importing.episode import UnimportableError
from dataset_builder.exchange.importing.episode_file import write_imported
from dataset_builder.exchange.robomimic.importer import open_dataset, recognises
from dataset_builder.exchange.robomimic.scaling import scaled
from dataset_builder.layouts.shared import actions


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Station:
    return furnished_station(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def plain(furnished: Station, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return exported(furnished, "robomimic", tmp_path_factory.mktemp("robomimic") / "plain")


@pytest.fixture(scope="module")
def with_next(furnished: Station, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """With everything that can be asked for."""
    options = {"next_obs": "yes", "compress": "gzip"}
    return exported(furnished, "robomimic", tmp_path_factory.mktemp("robomimic") / "next", **options)


def test_comes_back_as_it_went_out(furnished: Station, plain: ExportReport, with_next: ExportReport) -> None:
    assert_came_back(plain, imported(plain.path), furnished, jpegs=True)
    assert_came_back(with_next, imported(with_next.path / "kitchen.hdf5"), furnished, jpegs=True)


def test_the_file_is_as_robomimic_has_it(furnished: Station, plain: ExportReport) -> None:
    there = trajectories(furnished)
    sides = {"train": "train", "val": "valid", "test": "test"}
    with h5py.File(plain.path / "kitchen.hdf5") as file:
        assert file["data"].attrs["total"] == sum(len(t) for t in there.values())
        assert json.loads(file["data"].attrs["env_args"])["env_name"] == "kitchen"
        masks = {name: {demo.decode() for demo in file[f"mask/{name}"]} for name in file["mask"]}
        for number, entry in enumerate(plain.ledger.emitted):
            demo, trajectory = file[f"data/demo_{number}"], there[entry.episode_id]
            assert f"demo_{number}" in masks[sides[entry.split]]
            assert demo.attrs["num_samples"] == len(trajectory)
            assert json.loads(demo.attrs["ep_meta"])["lang"] == trajectory.instruction
            assert demo["rewards"][()].tolist() == [0] * (len(trajectory) - 1) + [trajectory.outcome == "success"]
            assert demo["dones"][()].tolist() == [0] * (len(trajectory) - 1) + [1]
            np.testing.assert_array_equal(demo["obs/robot0_joint_pos"][()], trajectory.joints)
            np.testing.assert_array_equal(demo["obs/robot0_eef_pos"][()], trajectory.ee_pose[:, :3])
            np.testing.assert_array_equal(demo["obs/robot0_eef_quat"][()], trajectory.ee_pose[:, 3:])
            recorded = read_episode(trajectory.candidate, MANIFEST).images["wrist_image"]
            shown = np.stack([simplejpeg.decode_jpeg(data) for data in recorded])
            np.testing.assert_array_equal(demo["obs/wrist_image"][()], shown)
            assert demo["obs/wrist_image"].chunks == (1, 48, 64, 3)
    assert sum(map(len, masks.values())) == len(there)


def test_actions_lie_within_one_and_can_be_turned_back(furnished: Station, plain: ExportReport) -> None:
    with h5py.File(plain.path / "kitchen.hdf5") as file:
        data = file["data"]
        low, high = data.attrs["action_low"], data.attrs["action_high"]
        np.testing.assert_array_equal(low[:-1], -high[:-1])
        train = [demo.decode() for demo in file["mask/train"]]
        largest = np.max([np.abs(data[f"{demo}/actions"][()]).max(axis=0) for demo in train], axis=0)
        np.testing.assert_allclose(largest, 1.0)
        for demo in train:
            there = data[f"{demo}/actions"][()]
            back = low + (there + 1) / 2 * (high - low)
            np.testing.assert_allclose(back[:, :-1], data[f"{demo}/teleloom/steps/action"][:, :-1], atol=1e-12)
            opening = data[f"{demo}/teleloom/steps/target"][:, 7]
            np.testing.assert_array_equal(there[:, -1], 1 - 2 * opening)
        for demo in data:
            assert np.abs(data[f"{demo}/actions"][()]).max() <= 1.0


@given(
    st.lists(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), min_size=1, max_size=20),
    st.lists(st.floats(0, 1), min_size=20, max_size=20),
)
def test_scaling_is_within_one_zero_stays_zero_and_it_turns_back(
    rows: list[list[float]], openings: list[float]
) -> None:
    values = np.array(rows)
    largest = np.abs(values).max(axis=0)
    opening = np.array(openings[: len(values)])
    there = scaled(values, opening, -largest, largest)
    assert np.abs(there).max() <= 1.0
    np.testing.assert_allclose((there * largest)[:, :-1], values[:, :-1], atol=1e-9)
    np.testing.assert_array_equal(there[:, -1], 1 - 2 * opening)
    np.testing.assert_allclose(scaled(np.zeros((1, 3)), np.ones(1), -largest, largest)[0, :-1], 0.0, atol=1e-15)


def test_absolute_actions_span_what_the_train_split_holds(furnished: Station, tmp_path: Path) -> None:
    semantics = ActionSemantics(kind="absolute", of="joint_position")
    manifest = MANIFEST.model_copy(update={"action": semantics})
    report = exported(furnished, "robomimic", tmp_path / "out", manifest)
    there = trajectories(furnished, manifest)
    train = [entry.episode_id for entry in report.ledger.emitted if entry.split == "train"]
    own = np.concatenate([actions(there[episode], semantics) for episode in train])
    with h5py.File(tmp_path / "out/kitchen.hdf5") as file:
        np.testing.assert_array_equal(file["data"].attrs["action_low"], own.min(axis=0))
        np.testing.assert_array_equal(file["data"].attrs["action_high"], own.max(axis=0))
    assert_came_back(report, imported(tmp_path / "out"), furnished, manifest, jpegs=True)


def test_next_obs_is_the_observation_of_the_step_after(with_next: ExportReport) -> None:
    with h5py.File(with_next.path / "kitchen.hdf5") as file:
        for demo in file["data"].values():
            for key in ("robot0_joint_pos", "image"):
                obs, after = demo[f"obs/{key}"][()], demo[f"next_obs/{key}"][()]
                np.testing.assert_array_equal(after[:-1], obs[1:])
                np.testing.assert_array_equal(after[-1], obs[-1])


def test_exports_are_the_same_bytes_again(furnished: Station, plain: ExportReport, tmp_path: Path) -> None:
    exported(furnished, "robomimic", tmp_path / "again")
    for file in ("kitchen.hdf5", "ledger.json", "export.json"):
        assert (tmp_path / "again" / file).read_bytes() == (plain.path / file).read_bytes(), file


# Files of others


def foreign(path: Path, **problem: str) -> Path:
    """Two demonstrations as robomimic's own converter leaves them, in robosuite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    environment = {"env_name": "Lift", "type": 1, "env_kwargs": {"robots": ["Panda"], "control_freq": 10}}
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps(environment)
        if problem:
            data.attrs["problem_info"] = json.dumps(problem)
        for number, steps in enumerate((3, 2)):
            demo = data.create_group(f"demo_{number}")
            demo.attrs["num_samples"] = steps
            demo.attrs["model_file"] = "<mujoco/>"
            demo.create_dataset("actions", data=rng.normal(size=(steps, 7)))
            demo.create_dataset("states", data=rng.normal(size=(steps, 32)))
            demo.create_dataset("rewards", data=[0.0] * (steps - 1) + [float(number)])
            demo.create_dataset("dones", data=[0] * (steps - 1) + [1])
            for kind in ("obs", "next_obs"):
                demo.create_dataset(f"{kind}/robot0_joint_pos", data=rng.normal(size=(steps, 7)))
                demo.create_dataset(f"{kind}/object", data=rng.normal(size=(steps, 10)))
                demo.create_dataset(f"{kind}/agentview_image", data=np.full((steps, 8, 10, 3), 70, np.uint8))
                demo.create_dataset(f"{kind}/depth", data=rng.normal(size=(steps, 8, 10, 1)))
        file.create_dataset("mask/train", data=np.array(["demo_0"], dtype="S"))
    return path


def test_a_file_of_others_is_kept_as_it_is(tmp_path: Path) -> None:
    path = foreign(tmp_path / "lift.hdf5", language_instruction=f'"{UNICODE}"')
    first, second = imported(path)
    assert (first.rate_hz, first.task, first.robot.name, first.instructions) == (10.0, "Lift", "Panda", (UNICODE,))
    assert (first.outcome, second.outcome, first.simulated) == ("unknown", "success", True)
    with h5py.File(path) as file:
        for name in ("actions", "states", "obs/object", "obs/robot0_joint_pos"):
            np.testing.assert_array_equal(first.raw[name].values, file[f"data/demo_0/{name}"][()], strict=True)
        np.testing.assert_array_equal(first.joints, file["data/demo_0/obs/robot0_joint_pos"][()])
    assert first.pose is None
    assert first.not_carried == ("obs/depth", "attribute model_file")
    assert "It was in the masks train." in first.notes
    assert not any("masks" in note for note in second.notes)
    assert simplejpeg.decode_jpeg(first.cameras["agentview_image"].frames[0]).shape == (8, 10, 3)
    fields = {entry.field for entry in open_dataset(path, ImportOptions()).not_carried}
    assert fields == {"mask", "next_obs"}
    write_imported(tmp_path / "station", first)


def test_what_only_libero_has_is_read(tmp_path: Path) -> None:
    path = foreign(tmp_path / "libero.hdf5", language_instruction="put it away")
    with h5py.File(path, "a") as file:
        del file["mask"]
        file["data"].attrs["macros_image_convention"] = "opengl"
        file["data"].attrs["tag"] = "libero-v1"
        for demo in file["data"].values():
            demo.attrs["ep_meta"] = json.dumps({"lang": "put it away", "layout_id": 3})
            demo["obs/joint_states"] = demo["obs/robot0_joint_pos"][()]
            del demo["obs/robot0_joint_pos"], demo["next_obs"], demo["obs/agentview_image"]
    first, _ = imported(path)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(first.joints, file["data/demo_0/obs/joint_states"][()])
    assert any("stand on their head" in note for note in first.notes)
    assert first.cameras == {}
    assert {"ep_meta layout_id", "obs/depth"} < set(first.not_carried)
    assert {entry.field for entry in open_dataset(path, ImportOptions()).not_carried} == {"attribute tag"}
    write_imported(tmp_path / "station", first)


def test_a_folder_of_files_is_one_dataset_and_a_bad_demonstration_is_rejected_by_itself(tmp_path: Path) -> None:
    foreign(tmp_path / "all/a.hdf5")
    with h5py.File(foreign(tmp_path / "all/b.hdf5"), "a") as file:
        del file["data/demo_1/actions"]
    sources = list(open_dataset(tmp_path / "all", ImportOptions(instruction="lift")).sources)
    assert [source.name for source in sources] == [f"{name}.hdf5/demo_{i}" for name in "ab" for i in (0, 1)]
    assert [len(source.read()) for source in sources[:3]] == [3, 2, 3]
    with pytest.raises(UnimportableError, match="demo_1 cannot be read"):
        sources[3].read()


def test_recognises_its_own_files_alone(tmp_path: Path, plain: ExportReport) -> None:
    assert recognises(plain.path)
    assert recognises(plain.path / "kitchen.hdf5")
    (tmp_path / "x.hdf5").write_bytes(b"nothing")
    assert not recognises(tmp_path)
    with pytest.raises(ForeignDatasetError, match="no sound robomimic file"):
        open_dataset(tmp_path, ImportOptions())
