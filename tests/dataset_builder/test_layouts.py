"""What each layout puts into a record, from synthetic episodes as the builder reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Station
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_episodes import Episode

from dataset_builder.actions.convert import commands_of
from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.build.shards import read_episode
from dataset_builder.layouts import LAYOUTS, Layout, LayoutError, get_layout, shared
from dataset_builder.manifest import BuildManifest
from dataset_builder.presets import Preset
from dataset_builder.rlds.features import Image, Tensor, flatten
from dataset_builder.rlds.images import black_jpeg
from dataset_builder.rlds.records import Values, decode_example, encode_example
from dataset_builder.source.trajectory import Trajectory
from teleloom import pose
from teleloom.messages import ControlMode

PRESETS: list[Preset] = list(LAYOUTS)
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Station:
    """One episode of 4 s: a policy drives, a person takes over from 1 s to 2 s, nobody drives from 3 s on."""
    station = Station(tmp_path_factory.mktemp("corrected"))
    segments = [
        {"start_ns": SECOND_NS, "end_ns": 2 * SECOND_NS, "label": "reach", "outcome": "success"},
        {"start_ns": 2 * SECOND_NS, "end_ns": 3 * SECOND_NS, "label": "place"},
    ]
    station.add(
        Episode(seed=5, seconds=4.0, policy="round-2", corrections=((1.0, 2.0),), holds=((3.0, 4.0),)),
        {"kind": "segments", "segments": segments},
        {"kind": "instruction", "action": "add", "text": "Put it in"},
        {"kind": "weight", "weight": 2.0},
    )
    return station


def read(station: Station, **given_keys: Any) -> tuple[Layout, Trajectory, dict[str, Any]]:
    """The layout, the trajectory and the record, read back from its bytes, of a station's only episode."""
    manifest = BuildManifest.model_validate({"name": "kitchen", **given_keys})
    reading = read_episode(station.select().candidates[0], manifest)
    layout = get_layout(manifest.preset, manifest.action)
    record: dict[str, Values] = layout.example(reading.trajectory, reading.images)
    return layout, reading.trajectory, decode_example(encode_example(record))


def column(record: dict[str, Any], key: str) -> np.ndarray:
    return np.reshape(record[key], (len(record["steps/is_first"]), -1))


def text(record: dict[str, Any], key: str) -> str:
    (value,) = record[f"episode_metadata/{key}"]
    return bytes(value).decode()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_record_holds_what_the_features_say_and_its_numbers_read_back(corrected: Station, preset: Preset) -> None:
    layout, trajectory, record = read(corrected, preset=preset)
    leaves = dict(flatten(layout.features(trajectory.shape)))
    assert leaves.keys() == record.keys()
    for key, leaf in leaves.items():
        rows = len(trajectory) if key.startswith("steps/") else 1
        width = int(np.prod(leaf.shape)) if isinstance(leaf, Tensor) else 1
        assert len(record[key]) == rows * width, key
    assert np.array_equal(layout.recorded_action(record), layout.action(trajectory))
    assert np.array_equal(layout.recorded_proprio(record), layout.proprio(trajectory))
    assert layout.action(trajectory).dtype == layout.proprio(trajectory).dtype == np.float32


@pytest.mark.parametrize("preset", PRESETS)
def test_the_recorded_action_gives_the_commanded_path_back(corrected: Station, preset: Preset) -> None:
    layout, trajectory, record = read(corrected, preset=preset)
    of_tool = layout.semantics.of == "tool_pose"
    commanded = trajectory.target if of_tool else trajectory.joint_target
    measured = trajectory.ee_pose if of_tool else trajectory.joints
    path = commands_of(layout.recorded_action(record), measured, layout.semantics, restarts=trajectory.after_cut)
    assert np.abs(path[:, -1] - commanded[:, -1]).max() < 1e-7
    for there, here in zip(path, commanded, strict=True):
        if of_tool:
            metres, radians = pose.distance(there[:7], here[:7])
            assert metres < 1e-5
            assert radians < 1e-5
        else:
            assert np.abs(there - here).max() < 1e-6


def test_after_a_flag_was_cut_out_no_action_jumps_over_it(corrected: Station, tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.add(
        Episode(seed=5, seconds=4.0),
        {"kind": "flag", "label": "mistake", "start_ns": SECOND_NS, "end_ns": 3 * SECOND_NS},
    )
    layout, trajectory, record = read(station, filters={"drop_flags": ["mistake"]})
    assert trajectory.after_cut.sum() == 1
    assert trajectory.left_out == {"flag:mistake": 21}
    steps = np.linalg.norm(layout.recorded_action(record)[:, :3], axis=1)
    assert steps.max() < 0.03
    path = commands_of(
        layout.recorded_action(record), trajectory.ee_pose, layout.semantics, restarts=trajectory.after_cut
    )
    assert np.abs(path[:, :3] - trajectory.target[:, :3]).max() < 1e-6
    over_it = commands_of(layout.recorded_action(record), trajectory.ee_pose, layout.semantics)
    assert np.abs(over_it[:, :3] - trajectory.target[:, :3]).max() > 0.03


def test_joint_velocities_are_per_second_of_the_time_that_passed(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.add(Episode(seed=5, seconds=4.0, still=((1.0, 2.0),)))
    layout, trajectory, record = read(station, action={"of": "joint_velocity"}, filters={"no_ops": "libero"})
    seconds = np.diff(trajectory.t_ns, prepend=trajectory.t_ns[0] - trajectory.period_ns) / SECOND_NS
    assert seconds.max() > 0.5
    path = commands_of(layout.recorded_action(record), trajectory.joints, layout.semantics, seconds=seconds)
    assert np.abs(path - trajectory.joint_target).max() < 1e-5


def test_who_acted_is_named_as_in_austin_sirius(corrected: Station) -> None:
    _, trajectory, record = read(
        corrected, weights={"intervention": 3.0, "pre_intervention": 0.5, "pre_intervention_steps": 4}
    )
    seconds = (trajectory.t_ns - trajectory.t_ns[0]) / SECOND_NS
    mode, label = record["steps/action_mode"], record["steps/intv_label"]
    (takeover,) = np.flatnonzero(np.diff(mode) == 1) + 1
    assert abs(seconds[takeover] - 1.0) < 0.2
    assert set(mode.tolist()) == {0, 1}
    assert np.array_equal(mode, trajectory.action_mode)
    assert np.array_equal(mode == 1, record["steps/is_intervention"] == 1)
    assert label[takeover - 4 : takeover].tolist() == [-10] * 4
    assert np.array_equal(
        np.delete(label, range(takeover - 4, takeover)), np.delete(mode, range(takeover - 4, takeover))
    )
    assert set(record["steps/weight"][label == -10].tolist()) == {1.0}
    assert set(record["steps/weight"][mode == 1].tolist()) == {6.0}
    assert (text(record, "policy_version"), record["episode_metadata/weight"].tolist()) == ("round-2", [2.0])


def test_a_demonstration_is_minus_one_throughout(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.add(Episode(seed=1))
    _, _, record = read(station)
    assert set(record["steps/action_mode"].tolist()) == set(record["steps/intv_label"].tolist()) == {-1}
    assert (text(record, "policy_version"), text(record, "scene"), text(record, "robot")) == ("", "kitchen", "panda")


def test_what_each_pilot_asked_for_is_an_action_from_the_same_beginning(corrected: Station) -> None:
    layout, trajectory, record = read(corrected)
    action = column(record, "steps/action")
    for pilot, targets in (("policy", trajectory.policy_target), ("human", trajectory.human_target)):
        asked = record[f"steps/has_action_{pilot}"] == 1
        values = column(record, f"steps/action_{pilot}")
        assert 0 < asked.sum() < len(asked)
        assert np.array_equal(asked, np.isfinite(targets).all(axis=1))
        assert not values[~asked].any()
        same = asked & np.isclose(targets, trajectory.target, equal_nan=True).all(axis=1)
        assert np.allclose(values[same], action[same], atol=1e-6)
        wanted = commands_of(values[asked], _begins(trajectory)[asked], ActionSemantics(reference="measured"))
        assert np.abs(wanted[:, :3] - targets[asked, :3]).max() < 1e-6
        assert np.abs(wanted[:, 7] - targets[asked, 7]).max() < 1e-7
    assert layout.semantics.reference == "previous_command"


def _begins(trajectory: Trajectory) -> np.ndarray:
    return np.vstack([trajectory.ee_pose[:1], trajectory.target[:-1, :7]])


def test_control_mode_handover_and_subtask_say_what_happened(corrected: Station) -> None:
    _, trajectory, record = read(corrected)
    mode = record["steps/control_mode"]
    assert set(mode.tolist()) == {int(m) for m in (ControlMode.POLICY, ControlMode.HUMAN, ControlMode.HOLD)}
    assert np.flatnonzero(record["steps/handover"]).tolist() == (np.flatnonzero(np.diff(mode)) + 1).tolist()
    labels = [bytes(label).decode() for label in record["steps/subtask"]]
    for label, t_ns in zip(labels, trajectory.t_ns, strict=True):
        assert label == (
            "reach" if SECOND_NS <= t_ns < 2 * SECOND_NS else "place" if 2 * SECOND_NS <= t_ns < 3 * SECOND_NS else ""
        )
    assert set(labels) == {"", "reach", "place"}
    assert json.loads(text(record, "instructions")) == ["Do it", "Please do it", "Put it in"]


def test_joint_actions_in_the_teleloom_layout_need_no_tool_pose(corrected: Station) -> None:
    layout, trajectory, record = read(corrected, action={"of": "joint_position", "kind": "absolute"})
    assert np.allclose(column(record, "steps/action"), trajectory.joint_target)
    assert "steps/observation/state" not in record
    assert "steps/action_human" not in record
    assert np.allclose(layout.proprio(trajectory), np.hstack([trajectory.joints, trajectory.gripper[:, None]]))


def test_libero_has_its_gripper_the_other_way_round(corrected: Station) -> None:
    _, trajectory, record = read(corrected, preset="openvla")
    raw = column(record, "steps/action")[:, -1]
    assert set(raw.tolist()) == {-1.0, 1.0}
    # What libero_dataset_transform makes of it: 1 - clip(raw, 0, 1), 1 for open.
    assert np.array_equal(1.0 - np.clip(raw, 0.0, 1.0), trajectory.target[:, 7])
    state = column(record, "steps/observation/state")
    assert np.allclose(state[:, 6], -state[:, 7])
    assert np.allclose(state[:, 6], trajectory.gripper * trajectory.gripper_max_m / 2)


def test_bridge_marks_the_images_that_no_camera_took(corrected: Station) -> None:
    _, trajectory, record = read(
        corrected, preset="openvla-bridge", cameras={"front": {"key": "image_0", "size": [96, 128]}}
    )
    for number in range(4):
        assert record[f"episode_metadata/has_image_{number}"].tolist() == [number == 0]
        frames = record[f"steps/observation/image_{number}"]
        assert (set(frames) == {black_jpeg(96, 128)}) == (number > 0)
    assert record["episode_metadata/has_language"].tolist() == [1]
    assert column(record, "steps/observation/state").shape == (len(trajectory), 7)


def test_what_bridges_loaders_subtract_never_jumps_by_a_turn() -> None:
    def quats(rolls: np.ndarray) -> np.ndarray:
        return pose.quats_from_euler_xyz(np.stack([rolls, 0.1 * rolls, -3.0 * np.ones_like(rolls)], axis=1))

    for begin in (np.pi - 0.2, -np.pi + 0.2, -0.3, 2.0):
        rolls = begin + np.linspace(0.0, 2.0, 40) * np.sign(begin)
        angles = shared.roll_pitch_yaw(quats(rolls))
        assert np.abs(np.diff(angles, axis=0)).max() < 0.2
        assert -np.pi / 2 <= angles[0, 0] < 3 * np.pi / 2
        turned = pose.quats_multiply(pose.quats_from_euler_xyz(angles), pose.quats_conjugate(quats(rolls)))
        assert np.abs(pose.rotvecs_from_quats(turned)).max() < 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_tools_that_point_down_all_begin_with_a_roll_of_about_half_a_turn(seed: int) -> None:
    wobble = np.random.default_rng(seed).normal(scale=0.05, size=(5, 3))
    down = pose.quats_multiply(pose.quats_from_rotvecs(wobble), np.tile([1.0, 0.0, 0.0, 0.0], (5, 1)))
    assert np.abs(shared.roll_pitch_yaw(down)[:, 0] - np.pi).max() < 0.5


def test_octo_gets_the_eight_dimensions_of_its_proprioception(corrected: Station) -> None:
    layout, trajectory, record = read(corrected, preset="octo")
    proprio = layout.recorded_proprio(record)
    assert np.allclose(proprio[:, :3], trajectory.ee_pose[:, :3])
    assert not proprio[:, 6].any()
    assert np.allclose(proprio[:, 7], trajectory.gripper)
    turned = pose.quats_multiply(
        pose.quats_from_euler_xyz(proprio[:, 3:6]), pose.quats_conjugate(trajectory.ee_pose[:, 3:])
    )
    assert np.abs(pose.rotvecs_from_quats(turned)).max() < 1e-5


def test_droid_has_joints_gripper_and_velocities_in_its_own_units(corrected: Station) -> None:
    layout, trajectory, record = read(corrected, preset="openpi-droid")
    assert trajectory.rate_hz == 15.0
    step = {key.split("/")[-1]: column(record, key) for key in record if key.startswith("steps/action_dict/")}
    assert np.allclose(step["joint_position"], trajectory.joint_target[:, :7])
    assert np.allclose(step["gripper_position"][:, 0], 1.0 - trajectory.target[:, 7])
    assert np.allclose(step["joint_velocity"] * 0.2, trajectory.joint_target[:, :7] - trajectory.joints, atol=1e-6)
    assert np.allclose(
        step["cartesian_velocity"][:, :3] * 0.075, trajectory.target[:, :3] - trajectory.ee_pose[:, :3], atol=1e-6
    )
    change = pose.quats_from_euler_xyz(step["cartesian_velocity"][:, 3:] * 0.15)
    reached = pose.quats_multiply(change, trajectory.ee_pose[:, 3:])
    off = pose.rotvecs_from_quats(pose.quats_multiply(reached, pose.quats_conjugate(trajectory.target[:, 3:7])))
    assert np.abs(off).max() < 1e-6
    closing = 1.0 - trajectory.gripper
    assert np.allclose(step["gripper_velocity"][:, 0] * 0.25, step["gripper_position"][:, 0] - closing, atol=1e-6)
    action = column(record, "steps/action")
    assert np.array_equal(action, np.hstack([step["cartesian_position"], step["gripper_position"]]))
    assert np.allclose(layout.recorded_proprio(record)[:, -1], closing)


def test_droid_says_its_outcome_in_the_path_and_repeats_what_it_lacks(corrected: Station, tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.add(Episode(seed=1, outcome="failure"))
    _, _, record = read(station, preset="openpi-droid")
    assert text(record, "file_path").startswith("failure/episodes/")
    assert text(record, "recording_folderpath") == "episodes"
    assert record["episode_metadata/has_exterior_image_2"].tolist() == [0]
    assert record["steps/observation/exterior_image_2_left"] == record["steps/observation/exterior_image_1_left"]
    said = [bytes(record[f"steps/language_instruction{n}"][0]).decode() for n in ("", "_2", "_3")]
    assert said == ["Do it", "Please do it", "Do it"]
    _, _, record = read(corrected, preset="openpi-droid")
    said = [bytes(record[f"steps/language_instruction{n}"][0]).decode() for n in ("", "_2", "_3")]
    assert said == ["Do it", "Please do it", "Put it in"]
    assert text(record, "file_path").startswith("success/episodes/")


def test_droid_of_another_arm_is_refused_with_what_would_do(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.add(Episode(seed=1, joints=6))
    manifest = BuildManifest(name="kitchen", preset="openpi-droid")
    trajectory = read_episode(station.select().candidates[0], manifest).trajectory
    with pytest.raises(LayoutError, match="reads 7 joints, and this robot has 6: use another preset"):
        get_layout("openpi-droid", manifest.action).features(trajectory.shape)


@pytest.mark.parametrize("preset", PRESETS)
def test_images_are_declared_in_the_sizes_that_the_preset_asks_for(corrected: Station, preset: Preset) -> None:
    manifest = BuildManifest(name="kitchen", preset=preset)
    layout, trajectory, _ = read(corrected, preset=preset)
    leaves = dict(flatten(layout.features(trajectory.shape)))
    for choice in manifest.cameras.values():
        leaf = leaves[f"steps/observation/{choice.key}"]
        assert isinstance(leaf, Image)
        assert (leaf.height, leaf.width) == (choice.size or (48, 64))
