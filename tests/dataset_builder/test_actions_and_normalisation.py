"""Actions, statistics, normalisation and splits: the formulas, on arrays."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataset_builder.actions.semantics import deltas, integrate
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.schemes import normalise_q99, unnormalise_q99
from dataset_builder.normalisation.statistics import ACTION_MASK, Statistics, statistics_document
from dataset_builder.source.splits import TRAIN, VAL, Splits, assign
from teleloom import pose


def random_path(seed: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Commanded targets (T, 8) and the pose they start from."""
    rng = np.random.default_rng(seed)
    start = pose.make(rng.normal(size=3), pose.quat_normalize(rng.normal(size=4)))
    targets = [[*rng.normal(size=3), *pose.quat_normalize(rng.normal(size=4)), rng.uniform()] for _ in range(steps)]
    return np.array(targets), start


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_integrating_the_deltas_returns_the_commanded_path(seed: int, steps: int) -> None:
    targets, start = random_path(seed, steps)
    restored = integrate(deltas(targets, start), start)
    for expected, got in zip(targets, restored, strict=True):
        metres, radians = pose.distance(expected[:7], got[:7])
        assert metres < 1e-12
        assert radians < 1e-7
    assert np.array_equal(restored[:, 7], targets[:, 7])


def test_in_float32_a_long_path_returns_within_a_tenth_of_a_millimetre() -> None:
    rng = np.random.default_rng(3)
    actions = np.concatenate([rng.normal(scale=0.01, size=(3000, 6)), np.ones((3000, 1))], axis=1)
    exact = integrate(actions, pose.IDENTITY)
    rounded = integrate(deltas(exact, pose.IDENTITY).astype(np.float32), pose.IDENTITY)
    assert np.abs(rounded[:, :3] - exact[:, :3]).max() < 1e-4


def test_a_rotation_about_the_base_z_axis_is_a_delta_about_z_whatever_the_tools_orientation() -> None:
    tool = pose.quat_from_rotvec([np.pi / 2, 0.0, 0.0])
    turned = pose.quat_multiply(pose.quat_from_rotvec([0.0, 0.0, 0.1]), tool)
    action = deltas([[0.0, 0.0, 0.0, *turned, 1.0]], pose.make([0, 0, 0], tool))
    assert action[0] == pytest.approx([0, 0, 0, 0, 0, 0.1, 1.0], abs=1e-12)


def test_q99_goldens() -> None:
    statistics = Statistics.of(np.linspace(0.0, 100.0, 101)[:, None] * [1.0, 1.0], [True, False])
    assert statistics.q01.tolist() == [1.0, 1.0]
    assert statistics.q99.tolist() == [99.0, 99.0]
    normalised = normalise_q99([[1.0, 1.0], [50.0, 50.0], [99.0, 99.0], [100.0, 100.0]], statistics)
    assert normalised[:, 0] == pytest.approx([-1.0, 0.0, 1.0, 1.0], abs=1e-9)
    assert normalised[:, 1].tolist() == [1.0, 50.0, 99.0, 100.0]
    assert unnormalise_q99(normalised, statistics)[:3, 0] == pytest.approx([1.0, 50.0, 99.0], abs=1e-7)


def test_a_dimension_that_never_moved_becomes_zero_and_comes_back() -> None:
    statistics = Statistics.of([[0.25, 1.0]] * 5, [True, False])
    assert normalise_q99([[0.25, 1.0]], statistics).tolist() == [[0.0, 0.0]]
    assert unnormalise_q99([[0.0, 0.0]], statistics).tolist() == [[0.25, 1.0]]


def test_the_statistics_file_has_openvlas_form_and_reads_back_exactly() -> None:
    rng = np.random.default_rng(0)
    actions = [rng.normal(size=(20, 7)).astype(np.float32), rng.normal(size=(30, 7)).astype(np.float32)]
    states = [rng.normal(size=(20, 8)), rng.normal(size=(30, 8))]
    action, document = statistics_document("kitchen", actions, states)
    entry = json.loads(json.dumps(document))["kitchen"]
    assert (entry["num_transitions"], entry["num_trajectories"]) == (50, 2)
    assert set(entry["action"]) == {"mean", "std", "min", "max", "q01", "q99", "mask"}
    assert entry["action"]["mask"] == list(ACTION_MASK)
    again = Statistics.from_json(entry["action"])
    for name in ("mean", "std", "minimum", "maximum", "q01", "q99", "mask"):
        assert np.array_equal(getattr(again, name), getattr(action, name))


def test_statistics_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        Statistics.of(np.empty((0, 7)))


def test_groups_stay_whole_and_keep_their_side_when_data_is_added() -> None:
    few = {f"e{i}": f"group {i // 3}" for i in range(300)}
    more = few | {f"late {i}": f"late group {i}" for i in range(300)}
    before, after = assign(few, Splits()), assign(more, Splits())
    assert all(after[episode] == split for episode, split in before.items())
    assert all(len({before[f"e{3 * g + i}"] for i in range(3)}) == 1 for g in range(100))
    assert 0.04 < sum(split == VAL for split in after.values()) / 600 < 0.16


@given(st.sets(st.text(max_size=4), min_size=1, max_size=4))
def test_something_is_always_left_to_train_on(groups: set[str]) -> None:
    assert TRAIN in assign({group: group for group in groups}, Splits(val_fraction=0.5, test_fraction=0.499)).values()


def test_a_manifest_refuses_image_keys_that_collide() -> None:
    with pytest.raises(ValidationError, match="share an image key"):
        BuildManifest(name="x", cameras={"front": "image", "side": "image"})
    with pytest.raises(ValidationError, match="cannot be an image key"):
        BuildManifest(name="x", cameras={"front": "state"})
