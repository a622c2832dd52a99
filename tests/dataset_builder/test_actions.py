"""What actions mean, and that each meaning gives the commanded path back."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pydantic import ValidationError
from scipy.spatial.transform import Rotation as ScipyRotation

from dataset_builder.actions.chunks import chunks
from dataset_builder.actions.convert import actions_from, actions_of, begins, commands_of
from dataset_builder.actions.gripper import from_opening, to_opening
from dataset_builder.actions.rotations import ROTATIONS
from dataset_builder.actions.semantics import ActionSemantics
from teleloom import pose

GRIPPERS = ("opening", "closing", "sign_open", "sign_closed")
TOOL = [
    ActionSemantics(kind="delta", reference=reference, frame=frame, rotation=rotation, gripper=gripper)
    for reference, frame, rotation, gripper in product(
        ("previous_command", "measured"), ("base", "tool"), ROTATIONS, GRIPPERS
    )
] + [
    ActionSemantics(kind="absolute", rotation=rotation, gripper=gripper)
    for rotation, gripper in product(ROTATIONS, GRIPPERS)
]
JOINTS = [
    ActionSemantics(of="joint_position", kind=kind, gripper=gripper)
    for kind, gripper in product(("delta", "absolute"), GRIPPERS)
] + [
    ActionSemantics(of=of, reference=reference)
    for of, reference in product(("joint_position", "joint_velocity"), ("previous_command", "measured"))
]


def turned(angle: float, axis: np.ndarray) -> np.ndarray:
    return pose.quats_from_rotvecs(angle * axis[None] / np.linalg.norm(axis))[0]


def random_poses(rng: np.random.Generator, count: int) -> np.ndarray:
    """Tool poses (T, 7) that turn anywhere, among them by exactly or nearly half a turn, with either sign."""
    quats = pose.quats_normalize(rng.normal(size=(count, 4)))
    for k in range(0, count, 3):
        quats[k] = turned(np.pi - rng.choice([0.0, 1e-15, 1e-9, 1e-4]), rng.normal(size=3))
    quats[::2] *= -1.0
    return np.hstack([rng.uniform(-2.0, 2.0, (count, 3)), quats])


def assert_same_path(restored: np.ndarray, commands: np.ndarray, bound: float = 1e-9) -> None:
    assert restored.shape == commands.shape
    assert np.abs(restored[:, -1] - commands[:, -1]).max() < bound
    if commands.shape[1] == 8:
        assert np.abs(restored[:, :3] - commands[:, :3]).max() < bound
        between = pose.quats_multiply(restored[:, 3:7], pose.quats_conjugate(commands[:, 3:7]))
        assert np.abs(pose.rotvecs_from_quats(between)).max() < bound
    else:
        assert np.abs(restored - commands).max() < bound


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(TOOL), st.integers(0, 2**32 - 1), st.integers(1, 40), st.data())
def test_tool_actions_give_the_commanded_path_back_also_where_steps_were_left_out(
    semantics: ActionSemantics, seed: int, steps: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    commands = np.hstack([random_poses(rng, steps), rng.uniform(size=(steps, 1))])
    measured = random_poses(rng, steps)
    kept = data.draw(npst.arrays(bool, steps), "kept")
    kept[rng.integers(steps)] = True
    restarts = data.draw(npst.arrays(bool, int(kept.sum())), "restarts")
    actions = actions_of(commands[kept], measured[kept], semantics, restarts=restarts)
    assert actions.shape == (kept.sum(), semantics.width(7))
    assert_same_path(commands_of(actions, measured[kept], semantics, restarts=restarts), commands[kept])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(JOINTS), st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 8), st.booleans())
def test_joint_actions_give_the_commanded_path_back_over_any_steps_in_time(
    semantics: ActionSemantics, seed: int, steps: int, joints: int, cut: bool
) -> None:
    rng = np.random.default_rng(seed)
    commands = np.hstack([rng.uniform(-3.0, 3.0, (steps, joints)), rng.uniform(size=(steps, 1))])
    measured = rng.uniform(-3.0, 3.0, (steps, joints))
    given_as = {"seconds": rng.uniform(0.01, 2.0, steps), "restarts": rng.uniform(size=steps) < 0.3 * cut}
    actions = actions_of(commands, measured, semantics, **given_as)
    assert actions.shape == (steps, semantics.width(joints)) == (steps, joints + 1)
    assert_same_path(commands_of(actions, measured, semantics, **given_as), commands)


@pytest.mark.parametrize("semantics", [TOOL[0], TOOL[16], TOOL[-1]], ids=str)
def test_a_path_may_be_empty(semantics: ActionSemantics) -> None:
    actions = actions_of(np.empty((0, 8)), np.empty((0, 7)), semantics)
    assert actions.shape == (0, semantics.width(7))
    assert commands_of(actions, np.empty((0, 7)), semantics).shape == (0, 8)


def test_in_float32_a_long_path_returns_within_a_tenth_of_a_millimetre() -> None:
    rng, semantics = np.random.default_rng(3), ActionSemantics()
    actions = np.hstack([rng.normal(scale=0.01, size=(3000, 6)), np.ones((3000, 1))])
    exact = commands_of(actions, pose.IDENTITY, semantics)
    rounded = commands_of(actions_of(exact, pose.IDENTITY, semantics).astype(np.float32), pose.IDENTITY, semantics)
    assert np.abs(rounded[:, :3] - exact[:, :3]).max() < 1e-4


def test_a_turn_about_the_base_z_axis_is_about_the_tools_own_y_axis_when_it_lies_on_its_side() -> None:
    tool = pose.quat_from_rotvec([np.pi / 2, 0.0, 0.0])
    commands = [[0.0, 0.0, 0.3, *pose.quat_multiply(pose.quat_from_rotvec([0.0, 0.0, 0.1]), tool), 1.0]]
    start = pose.make([0, 0, 0], tool)
    from_base = actions_of(commands, start, ActionSemantics(frame="base"))[0]
    from_tool = actions_of(commands, start, ActionSemantics(frame="tool"))[0]
    assert from_base == pytest.approx([0, 0, 0.3, 0, 0, 0.1, 1.0], abs=1e-12)
    assert from_tool == pytest.approx([0, 0.3, 0, 0, 0.1, 0, 1.0], abs=1e-12)


def test_rotations_are_written_as_scipy_writes_them() -> None:
    quats = random_poses(np.random.default_rng(5), 300)[:, 3:]
    theirs = ScipyRotation.from_quat(quats)
    ours = {name: rotation.from_quats(quats) for name, rotation in ROTATIONS.items()}
    matrices = theirs.as_matrix()
    assert np.allclose(ours["rotation_6d"], np.hstack([matrices[:, :, 0], matrices[:, :, 1]]), atol=1e-12)
    assert np.allclose(ours["quaternion_xyzw"], theirs.as_quat(canonical=True), atol=1e-12)
    assert (ScipyRotation.from_euler("xyz", ours["euler_xyz"]) * theirs.inv()).magnitude().max() < 1e-12
    assert (ScipyRotation.from_rotvec(ours["rotation_vector"]) * theirs.inv()).magnitude().max() < 1e-12
    for name, rotation in ROTATIONS.items():
        assert ours[name].shape == (300, len(rotation.names)) == (300, len(rotation.neutral))
        assert np.allclose(rotation.to_quats(np.array([rotation.neutral])), [[0, 0, 0, 1]], atol=0)


@given(st.floats(-3.1, 3.1), st.floats(-3.1, 3.1), st.floats(1e-17, 1e-2), st.sampled_from([-1.0, 1.0]))
@example(1.0, 2.0, 0.0, 1.0)
def test_where_pitch_is_nearly_a_right_angle_the_angles_still_give_the_rotation_back(
    roll: float, yaw: float, off: float, sign: float
) -> None:
    quat = pose.quats_from_euler_xyz([[roll, sign * (np.pi / 2 - off), yaw]])
    angles = pose.euler_xyz_from_quats(quat)
    assert abs(angles[0, 1]) <= np.pi / 2
    between = pose.quats_multiply(pose.quats_from_euler_xyz(angles), pose.quats_conjugate(quat))
    assert np.abs(pose.rotvecs_from_quats(between)).max() < 1e-12


@pytest.mark.parametrize("rotation", ["quaternion_xyzw", "rotation_6d"])
def test_numbers_that_are_no_rotation_are_refused(rotation: str) -> None:
    with pytest.raises(ValueError, match="not a rotation"):
        ROTATIONS[rotation].to_quats(np.zeros((2, len(ROTATIONS[rotation].names))))


def test_columns_that_a_network_made_are_straightened_as_zhou_did() -> None:
    (quat,) = ROTATIONS["rotation_6d"].to_quats([[2.0, 0.0, 0.0, 5.0, 3.0, 0.0]])
    assert quat.tolist() == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("polarity", "closed", "half", "is_open"),
    [("opening", 0, 0.5, 1), ("closing", 1, 0.5, 0), ("sign_open", -1, 0, 1), ("sign_closed", 1, 0, -1)],
)
def test_gripper_polarities(polarity: str, closed: float, half: float, is_open: float) -> None:
    assert from_opening([0.0, 0.5, 1.0], polarity).tolist() == [closed, half, is_open]
    assert to_opening([closed, half, is_open], polarity).tolist() == [0.0, 0.5, 1.0]


def test_a_joint_velocity_is_the_change_over_the_time_since_the_command_before() -> None:
    commands = [[0.1, 1.0], [0.3, 1.0], [0.3, 0.0]]
    velocities = actions_of(
        commands, [[0.0], [9.0], [9.0]], ActionSemantics(of="joint_velocity"), seconds=[0.1, 0.4, 0.1]
    )
    assert velocities == pytest.approx(np.array([[1.0, 1.0], [0.5, 1.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="seconds"):
        actions_of(commands, [[0.0]], ActionSemantics(of="joint_velocity"))


def test_after_a_cut_a_change_begins_at_what_was_measured() -> None:
    commands, measured = np.array([[1.0, 0], [2.0, 0], [7.0, 0]]), np.array([[0.0], [1.5], [6.5]])
    semantics = ActionSemantics(of="joint_position")
    assert begins(commands, measured, semantics, [False, False, True]).ravel().tolist() == [0.0, 1.0, 6.5]
    assert actions_of(commands, measured, semantics, restarts=[False, False, True])[:, 0].tolist() == [1.0, 1.0, 0.5]


def test_measurements_that_are_missing_are_missed() -> None:
    commands = np.zeros((3, 3))
    for given_as in ({"reference": "measured"}, {}):
        semantics = ActionSemantics(of="joint_position", **given_as)
        with pytest.raises(ValueError, match="several of 3 steps, not at 1 rows"):
            actions_of(commands, np.zeros((1, 2)), semantics, restarts=[False, True, False])
        with pytest.raises(ValueError, match="several of 3 steps, not at 1 rows"):
            commands_of(commands, np.zeros(2), semantics, restarts=[False, True, False])


def test_one_action_at_a_time_is_sent_from_where_its_change_begins() -> None:
    rng, semantics = np.random.default_rng(8), ActionSemantics(frame="tool", rotation="rotation_6d")
    commands = np.hstack([random_poses(rng, 5), rng.uniform(size=(5, 1))])
    start = random_poses(rng, 1)[0]
    before = start
    for action, command in zip(actions_of(commands, start, semantics), commands, strict=True):
        (sent,) = commands_of(action[None], before, semantics)
        assert_same_path(sent[None], command[None])
        before = sent[:7]


def test_what_another_pilot_asked_for_begins_where_the_commanded_change_does() -> None:
    commands, asked = np.array([[1.0, 0], [2.0, 1]]), np.array([[1.5, 1], [1.2, 0]])
    semantics = ActionSemantics(of="joint_position")
    start = begins(commands, [[0.0]], semantics)
    assert actions_from(asked, start, semantics) == pytest.approx(np.array([[1.5, 1], [0.2, 0]]))


@pytest.mark.parametrize("semantics", [*TOOL, *JOINTS], ids=str)
def test_names_units_mask_and_width_agree(semantics: ActionSemantics) -> None:
    width = semantics.width(6)
    assert len(semantics.names(6)) == len(semantics.units(6)) == len(semantics.mask(6)) == width
    assert len(semantics.is_absolute(6)) == len(semantics.neutral(6)) == width
    assert len(set(semantics.names(6))) == width
    assert semantics.mask(6) == (True,) * (width - 1) + (False,)
    assert semantics.names(6)[-1] == "gripper"
    assert ActionSemantics.model_validate(semantics.model_dump(mode="json")) == semantics


def test_names_of_the_default_and_of_others() -> None:
    assert ActionSemantics().names(7) == ("dx", "dy", "dz", "drx", "dry", "drz", "gripper")
    assert ActionSemantics().units(7) == ("m", "m", "m", "rad", "rad", "rad", "fraction")
    assert ActionSemantics(kind="absolute", rotation="euler_xyz").names(7)[3:6] == ("roll", "pitch", "yaw")
    assert ActionSemantics(of="joint_velocity").names(2) == ("joint1_velocity", "joint2_velocity", "gripper")
    assert ActionSemantics(of="joint_velocity").units(2) == ("rad/s", "rad/s", "fraction")
    assert "rotation applied on the left" in ActionSemantics().sentence()
    assert len({semantics.sentence() for semantics in (*TOOL, *JOINTS)}) == len({*TOOL, *JOINTS})


@pytest.mark.parametrize(
    ("given_keys", "remedy"),
    [
        ({"of": "joint_velocity", "kind": "absolute"}, "of: joint_position"),
        ({"of": "joint_position", "frame": "tool"}, "of: tool_pose"),
        ({"of": "joint_position", "rotation": "euler_xyz"}, "of: tool_pose"),
        ({"kind": "absolute", "frame": "tool"}, "kind: delta"),
        ({"kind": "absolute", "reference": "measured"}, "kind: delta"),
    ],
)
def test_what_would_mean_nothing_is_refused_with_what_would(given_keys: dict[str, str], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        ActionSemantics.model_validate(given_keys)


@settings(deadline=None)
@given(st.sampled_from([*TOOL, *JOINTS]), st.integers(1, 12), st.integers(1, 20), st.integers(0, 1000))
def test_a_chunk_is_the_next_actions_and_then_no_motion(
    semantics: ActionSemantics, steps: int, length: int, seed: int
) -> None:
    actions = np.random.default_rng(seed).normal(size=(steps, semantics.width(7)))
    windows = chunks(actions, length, semantics)
    assert windows.shape == (steps, length, actions.shape[1])
    for t in range(steps):
        inside = min(length, steps - t)
        assert np.array_equal(windows[t, :inside], actions[t : t + inside])
        for past in windows[t, inside:]:
            held = np.where(semantics.is_absolute(7), actions[-1], semantics.neutral(7))
            assert np.array_equal(past, held)


def test_past_the_end_of_a_chunk_the_robot_stays_where_it_was_sent() -> None:
    rng = np.random.default_rng(1)
    commands = np.hstack([random_poses(rng, 3), rng.uniform(size=(3, 1))])
    for semantics in (TOOL[0], TOOL[4], TOOL[8], TOOL[12], TOOL[-1]):
        actions = actions_of(commands, commands[:1, :7], semantics)
        path = commands_of(chunks(actions, 6, semantics)[0], commands[:1, :7], semantics)
        assert_same_path(path, commands[[0, 1, 2, 2, 2, 2]])
