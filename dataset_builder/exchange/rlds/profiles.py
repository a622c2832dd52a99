"""Ready-made maps for well-known RLDS datasets, and for what this builder itself writes.

Sources: the datasets' own cards and the transforms of Octo and OpenVLA for them. LIBERO's actions are the input of
robosuite's OSC_POSE controller: 1 is 0.05 m or 0.5 rad, from the pose measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.exchange.rlds.mapping import Entries
from dataset_builder.exchange.rlds.schema import Field


@dataclass(frozen=True)
class Profile:
    """needs: fields and the shape of each by which the dataset is known. rate_hz: of its control, None where it varies.

    joint_names: () where the dataset does not say. gripper_max_m: between the fingers when open.
    notes: what a reviewer has to know.
    """

    name: str
    needs: Mapping[str, tuple[int, ...]]
    entries: Entries
    robot: str
    rate_hz: float | None
    joint_names: tuple[str, ...] = ()
    gripper_max_m: float = 0.08
    simulated: bool = False
    notes: tuple[str, ...] = ()


_LIBERO_ACTION = "rotation=rotation_vector,reference=measured,gripper=sign_closed,scale=0.05/0.05/0.05/0.5/0.5/0.5"
PROFILES = (
    Profile(
        name="droid",
        needs={"observation/cartesian_position": (6,), "action_dict/joint_position": (7,)},
        entries=(
            ("pose", "observation/cartesian_position:xyz_euler"),
            ("joints", "observation/joint_position"),
            ("gripper", "observation/gripper_position:closing"),
            ("pose_target", "action_dict/cartesian_position:xyz_euler"),
            ("joint_target", "action_dict/joint_position"),
            ("gripper_target", "action_dict/gripper_position:closing"),
            ("camera.exterior_1", "observation/exterior_image_1_left"),
            ("camera.exterior_2", "observation/exterior_image_2_left"),
            ("camera.wrist", "observation/wrist_image_left"),
        ),
        robot="franka",
        rate_hz=15.0,
        gripper_max_m=0.085,
    ),
    Profile(
        name="libero",
        needs={
            "observation/image": (256, 256, 3),
            "observation/wrist_image": (256, 256, 3),
            "observation/state": (8,),
            "observation/joint_state": (7,),
            "action": (7,),
        },
        entries=(
            ("pose", "observation/state[0:6]:xyz_rotvec"),
            ("gripper", "observation/state[6:8]:fingers_m"),
            ("joints", "observation/joint_state"),
            ("action", f"action:{_LIBERO_ACTION}"),
            ("camera.front", "observation/image"),
            ("camera.wrist", "observation/wrist_image"),
        ),
        robot="panda",
        rate_hz=20.0,
        simulated=True,
        notes=("Commanded poses are the measured ones moved by the action, 1 being 0.05 m or 0.5 rad.",),
    ),
    Profile(
        name="bridge",
        needs={"observation/image_0": (), "observation/state": (7,), "action": (7,)},
        entries=(
            ("pose", "observation/state[0:6]:xyz_euler"),
            ("gripper", "observation/state[6]:opening"),
            ("pose_target", "next_pose"),
            ("gripper_target", "action[6]:opening"),
            ("camera.front", "observation/image_0"),
        ),
        robot="widowx",
        rate_hz=5.0,
        notes=("Commanded poses are those measured at the next step, as Octo and OpenVLA relabel this dataset.",),
    ),
)
RAW = Profile(
    name="raw",
    needs={},
    entries=(),
    robot="unknown",
    rate_hz=None,
    notes=("Only raw arrays, images and texts were taken: say with --map where pose, joints and gripper are.",),
)


def find_profile(fields: Mapping[str, Field]) -> Profile:
    """The first profile whose fields are all there, in their shapes (() stands for any); RAW when none is."""
    shapes = {field.name: field.shape for field in fields.values()}
    for profile in PROFILES:
        if all(key in shapes and shape in ((), shapes[key]) for key, shape in profile.needs.items()):
            return profile
    return RAW


def own_profile(metadata: Mapping[str, Any], fields: Mapping[str, Field]) -> Profile | None:
    """The profile of a dataset that `teleloom build` wrote, from its `metadata.json`; None for any other."""
    action, cameras = metadata.get("action"), metadata.get("cameras")
    if not isinstance(action, Mapping) or not isinstance(cameras, Mapping):
        return None
    shapes = {field.name: field.shape for field in fields.values()}
    first_form = action.get("of") == "commanded_tool_pose"  # before there was a choice: what is the default now
    said = {} if first_form else action
    written = ",".join(f"{key}={said[key]}" for key in sorted(ActionSemantics.model_fields) if key in said)
    is_droid = "action_dict/joint_position" in shapes  # whose `action` is of the tool, whatever loaders read
    entries = [("action", f"action:{written}")] if "action" in shapes and not is_droid else []
    keys = {name: choice["key"] if isinstance(choice, Mapping) else choice for name, choice in cameras.items()}
    entries += [(f"camera.{name}", f"observation/{key}") for name, key in keys.items()]
    for (key, shape), entry in _OWN_STATES:
        if key in shapes and shape in ((), shapes[key]):
            entries += [pair for pair in entry if pair[0] not in dict(entries)]
    rates = metadata.get("step_rates_hz") or []
    return Profile(
        name="teleloom",
        needs={},
        entries=tuple(entries),
        robot=str(metadata.get("robot", "unknown")),
        rate_hz=float(rates[0]) if len(rates) == 1 else None,
        joint_names=tuple(str(name) for name in metadata.get("joint_names", ())),
        gripper_max_m=float(metadata.get("gripper_max_m", 0.08)),
    )


_OWN_STATES: tuple[tuple[tuple[str, tuple[int, ...]], Entries], ...] = (
    (
        ("observation/state", (8,)),
        (("pose", "observation/state[0:6]:xyz_rotvec"), ("gripper", "observation/state[6:8]:fingers_m")),
    ),
    (
        ("observation/state", (7,)),
        (("pose", "observation/state[0:6]:xyz_euler"), ("gripper", "observation/state[6]:opening")),
    ),
    (
        ("observation/proprio", (8,)),
        (("pose", "observation/proprio[0:6]:xyz_euler"), ("gripper", "observation/proprio[7]:opening")),
    ),
    (("action_dict/cartesian_position", (6,)), (("pose_target", "action_dict/cartesian_position:xyz_euler"),)),
    (("action_dict/joint_position", ()), (("joint_target", "action_dict/joint_position"),)),
    (("action_dict/gripper_position", ()), (("gripper_target", "action_dict/gripper_position:closing"),)),
    (("observation/cartesian_position", (6,)), (("pose", "observation/cartesian_position:xyz_euler"),)),
    (("observation/joint_state", ()), (("joints", "observation/joint_state"),)),
    (("observation/joint_position", ()), (("joints", "observation/joint_position"),)),
    (("observation/gripper_state", (1,)), (("gripper", "observation/gripper_state:opening"),)),
    (("observation/gripper_position", ()), (("gripper", "observation/gripper_position:closing"),)),
)
