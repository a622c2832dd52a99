"""Poses, joints and grippers of an RLDS record, measured and commanded, where the map says what is what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.importing import conventions
from dataset_builder.exchange.importing.episode import Floats, UnimportableError, unknown_robot
from dataset_builder.exchange.rlds.mapping import GRIPPER_TARGETS, JOINT_TARGETS, NEXT_POSE, POSE_TARGETS
from dataset_builder.exchange.rlds.plan import Plan
from teleloom.specs import RobotSpec


def robot_of(plan: Plan, raw: Mapping[str, NDArray]) -> RobotSpec:
    """A robot of which nothing is known but its name and how many joints the dataset has of it."""
    widths = [
        plan.taken[ours].rows(raw[plan.taken[ours].name]).shape[1] for ours in JOINT_TARGETS if ours in plan.taken
    ]
    count = widths[0] if widths else 0
    told = plan.profile.joint_names
    names = told if len(told) == count else tuple(f"joint{i + 1}" for i in range(count))
    return unknown_robot(plan.profile.robot, names, plan.profile.gripper_max_m)


def quantities_of(raw: Mapping[str, NDArray], plan: Plan, robot: RobotSpec, rate_hz: float) -> dict[str, Any]:
    """Our own quantities, by the name of ImportedEpisode's field, those that the map knows."""
    known: dict[str, Any] = {}
    for ours in (*JOINT_TARGETS, *POSE_TARGETS, *GRIPPER_TARGETS):
        entry = plan.taken.get(ours)
        if entry is None or entry.name == NEXT_POSE:
            continue
        rows = entry.rows(raw[entry.name])
        try:
            if ours in POSE_TARGETS:
                known[ours] = conventions.poses(rows, entry.form)
            elif ours in GRIPPER_TARGETS:
                known[ours] = conventions.openings(rows, entry.form, robot.gripper_max_m)
            else:
                known[ours] = rows.astype(np.float64)
        except ValueError as error:
            raise UnimportableError("wrong-shape", f"{ours}: {entry.name} does not fit its form: {error}") from None
    if "pose_target" in plan.taken and plan.taken["pose_target"].name == NEXT_POSE and "pose" in known:
        known["pose_target"] = conventions.next_poses(known["pose"])
    known |= {name: values for name, values in _commanded(raw, plan, known, rate_hz).items() if name not in known}
    return known


def _commanded(
    raw: Mapping[str, NDArray], plan: Plan, known: Mapping[str, Floats], rate_hz: float
) -> dict[str, Floats]:
    """What the actions command, where the map says what they mean and the dataset what they start from."""
    if plan.action is None:
        return {}
    entry, semantics = plan.taken["action"], plan.action.semantics
    is_pose = semantics.of == "tool_pose"
    measured = known.get("pose" if is_pose else "joints")
    if measured is None:
        return {}
    actions = entry.rows(raw[entry.name]).astype(np.float64)
    path = plan.action.commands(actions, measured, rate_hz, raw.get("after_cut"))
    return {"pose_target" if is_pose else "joint_target": path[:, :-1], "gripper_target": path[:, -1]}
