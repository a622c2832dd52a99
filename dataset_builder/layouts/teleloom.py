"""teleloom's own layout: LIBERO's names for what LIBERO has, and everything else that an episode knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.layouts import libero, shared
from dataset_builder.layouts.contract import Floats, Images, Record
from dataset_builder.rlds.features import Image, Leaf, Tensor, Text, Tree
from dataset_builder.rlds.records import Values
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory


class TeleloomLayout:
    """See docs/building.md for the table of keys.

    Actions of joints have `gripper_state` in place of `state`, so that a robot without a known tool pose fits, and no
    `action_policy` and `action_human`, as pilots ask for tool poses.
    """

    name = "teleloom"

    def __init__(self, semantics: ActionSemantics) -> None:
        self.semantics = semantics
        self._of_tool = semantics.of == "tool_pose"

    def features(self, shape: Shape) -> Tree:
        width = self.semantics.width(shape.joints)
        observation: dict[str, Leaf | Tree] = {key: Image(height, width) for key, height, width in shape.images}
        if self._of_tool:
            observation["state"] = libero.STATE
        else:
            observation["gripper_state"] = Tensor("float32", (1,), "measured gripper opening, 1 is open")
        if shape.joints:
            observation["joint_state"] = Tensor("float32", (shape.joints,), "measured joint positions, rad")
        step: dict[str, Leaf | Tree] = {
            **shared.STEP,
            "observation": observation,
            "action": Tensor("float32", (width,), self.semantics.sentence()),
            "is_valid": Tensor("bool", doc="every observation of this step was fresh when the step was taken"),
            "control_mode": Tensor("int32", doc="who moved the arm: 0 nobody, 1 human, 2 policy, 3 a blend of both"),
            "handover": Tensor("bool", doc="control_mode is not that of the step recorded before"),
            "after_cut": Tensor(
                "bool", doc="steps were cut out right before; a change begins at what is measured here"
            ),
            "subtask": Text("of the review's segment in which the step lies, empty outside of them"),
        }
        if self._of_tool:
            for pilot in ("policy", "human"):
                step[f"action_{pilot}"] = Tensor("float32", (width,), f"what the {pilot} asked for, like action; or 0")
                step[f"has_action_{pilot}"] = Tensor("bool", doc=f"the {pilot} asked for something in this step")
        return {"steps": step, "episode_metadata": shared.EPISODE_METADATA}

    def action(self, trajectory: Trajectory) -> Floats:
        return shared.actions(trajectory, self.semantics).astype(np.float32)

    def proprio(self, trajectory: Trajectory) -> Floats:
        if trajectory.shape.joints:
            trajectory.require_joints(commanded=False)
        if self._of_tool:
            return libero.state(trajectory).astype(np.float32)
        return np.hstack([trajectory.joints, trajectory.gripper[:, None]]).astype(np.float32)

    def example(self, trajectory: Trajectory, images: Images) -> dict[str, Values]:
        proprio = self.proprio(trajectory)
        record: dict[str, Values] = {
            **{f"steps/observation/{key}": frames for key, frames in images.items()},
            **shared.step_values(trajectory),
            **shared.metadata_values(trajectory),
            "steps/action": self.action(trajectory),
            "steps/is_valid": trajectory.is_valid,
            "steps/control_mode": trajectory.control_mode.astype(np.int64),
            "steps/handover": trajectory.handover,
            "steps/after_cut": trajectory.after_cut,
            "steps/subtask": _subtasks(trajectory),
        }
        if trajectory.shape.joints:
            record["steps/observation/joint_state"] = trajectory.joints.astype(np.float32)
        if not self._of_tool:
            return record | {"steps/observation/gripper_state": proprio[:, -1:]}
        record["steps/observation/state"] = proprio
        asked_for = (("policy", trajectory.policy_target), ("human", trajectory.human_target))
        for pilot, targets in asked_for:
            wanted, asked = shared.actions_asked_for(targets, trajectory, self.semantics)
            record |= {f"steps/action_{pilot}": wanted.astype(np.float32), f"steps/has_action_{pilot}": asked}
        return record

    def recorded_action(self, record: Record) -> Floats:
        return shared.rows(record, "steps/action")

    def recorded_proprio(self, record: Record) -> Floats:
        if self._of_tool:
            return shared.rows(record, "steps/observation/state")
        keys = ("steps/observation/joint_state", "steps/observation/gripper_state")
        return np.hstack([shared.rows(record, key) for key in keys])


def _subtasks(trajectory: Trajectory) -> list[bytes]:
    labels = [b""] * len(trajectory)
    for segment in trajectory.segments:
        inside: NDArray[np.int64] = np.flatnonzero(
            (trajectory.t_ns >= segment.start_ns) & (trajectory.t_ns < segment.end_ns)
        )
        for step in inside:
            labels[step] = segment.label.encode()
    return labels
