"""Presets: what a manifest says when it only names the family of loaders that is to read the dataset."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dataset_builder.actions.semantics import ActionSemantics

Preset = Literal["teleloom", "openvla", "openvla-bridge", "octo", "openpi-droid"]
Needs = Literal["tool_pose", "joints"]


@dataclass(frozen=True)
class PresetRules:
    """What a preset says for a manifest, and what its loaders take for granted.

    defaults: parts of a manifest. required, optional: image keys; None allows any. fixed: values of the action's
    meaning that the loader's own transform builds on; why: what it does with them. also_needs: what the record holds
    besides the action.
    """

    defaults: Mapping[str, Any]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] | None = None
    fixed: Mapping[str, tuple[str, ...]] | None = None
    why: str = ""
    also_needs: frozenset[Needs] = frozenset()


def _camera(key: str, height: int, width: int) -> dict[str, Any]:
    return {"key": key, "size": (height, width)}


_OPENVLA_CODEC = {"name": "openvla", "options": {"vocab_size": 32000}}
_TOOL_DELTA = {"kind": ("delta",), "of": ("tool_pose",), "rotation": ("rotation_vector", "euler_xyz")}

PRESETS: dict[str, PresetRules] = {
    "teleloom": PresetRules({}),
    # LIBERO as OpenVLA's authors converted it; `libero_dataset_transform` clips the gripper to [0, 1] and inverts it.
    "openvla": PresetRules(
        {
            "cameras": {"front": _camera("image", 256, 256), "wrist": _camera("wrist_image", 256, 256)},
            "action": {"gripper": "sign_closed"},
            "normalisation": {"scheme": "q99"},
            "codec": _OPENVLA_CODEC,
        },
        required=("image",),
        optional=("wrist_image",),
        fixed={**_TOOL_DELTA, "gripper": ("sign_closed",)},
        why="libero_dataset_transform takes 7 dimensions and inverts the gripper, in LIBERO -1 open and +1 closed",
        also_needs=frozenset({"tool_pose"}),
    ),
    # Bridge V2 from its own site; `bridge_orig_dataset_transform` binarises the gripper and replaces the other six.
    "openvla-bridge": PresetRules(
        {
            "cameras": {"front": _camera("image_0", 256, 256), "wrist": _camera("image_1", 256, 256)},
            "step_rate_hz": 5.0,
            "action": {"rotation": "euler_xyz"},
            "normalisation": {"scheme": "q99"},
            "codec": _OPENVLA_CODEC,
        },
        required=("image_0",),
        optional=("image_1", "image_2", "image_3"),
        fixed={**_TOOL_DELTA, "rotation": ("euler_xyz",), "gripper": ("opening",)},
        why="bridge_orig_dataset_transform takes 7 dimensions, angles as roll, pitch and yaw, and a gripper of 1 open",
        also_needs=frozenset({"tool_pose"}),
    ),
    "octo": PresetRules(
        {
            "cameras": {"front": _camera("image_primary", 256, 256), "wrist": _camera("image_wrist", 128, 128)},
            "action": {"rotation": "euler_xyz"},
            "normalisation": {"scheme": "q99"},
            "codec": {"name": "octo", "options": {}},
        },
        required=("image_primary",),
        optional=("image_secondary", "image_wrist"),
        fixed={**_TOOL_DELTA, "gripper": ("opening",)},
        why="Octo was trained on 7 dimensions with a gripper of 1 open",
        also_needs=frozenset({"tool_pose"}),
    ),
    # DROID 1.0.1; openpi's DroidRldsDataset reads joint positions unless told otherwise, and chunks of 16.
    "openpi-droid": PresetRules(
        {
            "cameras": {
                "front": _camera("exterior_image_1_left", 180, 320),
                "wrist": _camera("wrist_image_left", 180, 320),
            },
            "step_rate_hz": 15.0,
            "action": {"kind": "absolute", "of": "joint_position", "gripper": "closing", "chunk_length": 16},
            "normalisation": {"scheme": "openpi"},
            "codec": {"name": "fast", "options": {}},
        },
        required=("exterior_image_1_left", "wrist_image_left"),
        optional=("exterior_image_2_left",),
        fixed={"kind": ("absolute",), "of": ("joint_position",), "gripper": ("closing",)},
        why="openpi's DROID loader takes action_dict's joint positions, where the gripper is 1 closed",
        also_needs=frozenset({"tool_pose", "joints"}),
    ),
}


def with_preset(given: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest `given` on top of what its preset says: a section's own keys win one by one, except that cameras,
    and a codec of another name, are taken whole. A preset that is unknown says nothing.
    """
    rules = PRESETS.get(str(given.get("preset", "teleloom")))
    merged = dict(rules.defaults) if rules else {}
    for key, value in given.items():
        default = merged.get(key)
        if isinstance(default, Mapping) and isinstance(value, Mapping) and not _whole(key, default, value):
            merged[key] = {**default, **value}
        else:
            merged[key] = value
    return merged


def check_preset(preset: Preset, image_keys: Collection[str], action: ActionSemantics) -> None:
    """Raise ValueError where a manifest says what the preset's loaders cannot read."""
    rules = PRESETS[preset]
    for key in rules.required:
        if key not in image_keys:
            raise ValueError(f"preset {preset}: no camera is mapped to the image key '{key}', which its loader reads")
    if rules.optional is not None:
        known = (*rules.required, *rules.optional)
        for key in sorted(image_keys):
            if key not in known:
                raise ValueError(f"preset {preset}: its loader knows no image key '{key}', only {', '.join(known)}")
    for field, allowed in (rules.fixed or {}).items():
        value = getattr(action, field)
        if value not in allowed:
            wanted = " or ".join(allowed)
            raise ValueError(f"preset {preset}: action.{field} is {wanted}, not {value}, since {rules.why}")


def needs(preset: Preset, action: ActionSemantics) -> frozenset[Needs]:
    """What every episode must know: its tool poses, its joints, or both, measured and commanded."""
    of_action: Needs = "tool_pose" if action.of == "tool_pose" else "joints"
    return PRESETS[preset].also_needs | {of_action}


def _whole(key: str, default: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    return key == "cameras" or (key == "codec" and value.get("name", default["name"]) != default["name"])
