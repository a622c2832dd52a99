"""What a preset says for a manifest, and what it refuses because its loaders could not read it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from dataset_builder.layouts import LAYOUTS, get_layout
from dataset_builder.manifest import BuildManifest
from dataset_builder.presets import PRESETS, Preset, needs, with_preset


def manifest(**given: Any) -> BuildManifest:
    return BuildManifest.model_validate({"name": "kitchen", **given})


def test_each_preset_has_rules_and_a_layout() -> None:
    assert set(get_args(Preset)) == set(PRESETS) == set(LAYOUTS)
    for preset in PRESETS:
        chosen = manifest(preset=preset)
        assert get_layout(preset, chosen.action).semantics == chosen.action


@pytest.mark.parametrize(
    ("preset", "cameras", "rate", "gripper", "width"),
    [
        ("teleloom", {"image": None, "wrist_image": None}, None, "opening", 7),
        ("openvla", {"image": (256, 256), "wrist_image": (256, 256)}, None, "sign_closed", 7),
        ("openvla-bridge", {"image_0": (256, 256), "image_1": (256, 256)}, 5.0, "opening", 7),
        ("octo", {"image_primary": (256, 256), "image_wrist": (128, 128)}, None, "opening", 7),
        ("openpi-droid", {"exterior_image_1_left": (180, 320), "wrist_image_left": (180, 320)}, 15.0, "closing", 8),
    ],
)
def test_what_each_preset_says(
    preset: Preset, cameras: dict[str, Any], rate: float | None, gripper: str, width: int
) -> None:
    chosen = manifest(preset=preset)
    assert {choice.key: choice.size for choice in chosen.cameras.values()} == cameras
    assert (chosen.step_rate_hz, chosen.action.gripper, chosen.action.width(7)) == (rate, gripper, width)


def test_what_is_given_wins_key_by_key_but_cameras_are_taken_whole() -> None:
    chosen = manifest(
        preset="openpi-droid",
        action={"chunk_length": 10},
        cameras={"side": "exterior_image_1_left", "hand": "wrist_image_left"},
    )
    assert (chosen.action.chunk_length, chosen.action.of, chosen.action.gripper) == (10, "joint_position", "closing")
    assert sorted(chosen.cameras) == ["hand", "side"]
    assert chosen.cameras["side"].size is None


def test_a_codec_of_another_name_does_not_inherit_the_presets_options() -> None:
    assert with_preset({"preset": "openvla", "codec": {"options": {"vocab_size": 999}}})["codec"] == {
        "name": "openvla",
        "options": {"vocab_size": 999},
    }
    assert with_preset({"preset": "openvla", "codec": {"name": "rt1"}})["codec"] == {"name": "rt1"}


def test_a_manifest_says_the_same_when_read_back_whole() -> None:
    for preset in PRESETS:
        chosen = manifest(preset=preset)
        assert BuildManifest.model_validate(chosen.model_dump(mode="json")) == chosen
        assert BuildManifest.model_validate(chosen.model_dump()) == chosen


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"preset": "openvla", "cameras": {"hand": "wrist_image"}}, "no camera is mapped to the image key 'image'"),
        ({"preset": "openvla", "cameras": {"a": "image", "b": "side_image"}}, "only image, wrist_image"),
        ({"preset": "openvla", "action": {"gripper": "opening"}}, "action.gripper is sign_closed, not opening"),
        ({"preset": "openvla", "action": {"rotation": "rotation_6d"}}, "rotation_vector or euler_xyz"),
        ({"preset": "openvla-bridge", "action": {"gripper": "sign_closed"}}, "gripper of 1 open"),
        ({"preset": "openvla-bridge", "cameras": {"a": "image_1"}}, "'image_0'"),
        ({"preset": "octo", "action": {"kind": "absolute"}}, "action.kind is delta"),
        ({"preset": "openpi-droid", "cameras": {"a": "exterior_image_1_left"}}, "'wrist_image_left'"),
        ({"preset": "openpi-droid", "action": {"of": "joint_velocity", "kind": "delta"}}, "action.kind is absolute"),
        ({"preset": "nonsense"}, "preset"),
    ],
)
def test_what_the_loaders_could_not_read_is_refused_with_what_would_do(given: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        manifest(**given)


def test_what_an_episode_must_know() -> None:
    def of(**given: Any) -> frozenset[str]:
        chosen = manifest(**given)
        return needs(chosen.preset, chosen.action)

    assert of() == {"tool_pose"}
    assert of(action={"of": "joint_position"}) == {"joints"}
    assert of(preset="octo") == {"tool_pose"}
    assert of(preset="openpi-droid") == {"tool_pose", "joints"}


def test_a_manifest_refuses_image_keys_that_collide() -> None:
    with pytest.raises(ValidationError, match="share an image key"):
        manifest(cameras={"front": "image", "side": "image"})
    with pytest.raises(ValidationError, match="cannot be an image key"):
        manifest(cameras={"front": "state"})
