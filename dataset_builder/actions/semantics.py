"""What an action of the dataset means, as data, so that no reader has to guess it.

By default an action is the step from one COMMANDED tool pose to the next, in the robot's base frame: translation in
metres, rotation as a rotation vector multiplied on the left, and the gripper opening commanded. Differences of
commanded poses add up: integrated from the tool pose measured at the first step they return the commanded path, and
the lag of the arm cannot creep in as it does with differences to measured poses.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from dataset_builder.actions.gripper import WORDS, GripperPolarity
from dataset_builder.actions.rotations import ROTATIONS, RotationName
from teleloom.config import Config

_POSITION = ("x", "y", "z")


class ActionSemantics(Config):
    """The meaning of an action; the gripper is its last dimension and always absolute.

    kind: the change since `reference`, or where to go. of: what is commanded; a joint velocity is the change of the
    commanded joints over the time it was given, rad/s. reference: where a change begins: at the command before, or
    at what is measured at the step. At the first step, and after steps that were cut out, it is what is measured.
    frame: of a change of the tool pose; "base" turns about the base's axes (from the left), "tool" is seen from the
    tool where it begins (from the right). rotation: how it is written. gripper: what its values mean. chunk_length:
    how many actions in a row a model predicts at once.
    """

    kind: Literal["delta", "absolute"] = "delta"
    of: Literal["tool_pose", "joint_position", "joint_velocity"] = "tool_pose"
    reference: Literal["previous_command", "measured"] = "previous_command"
    frame: Literal["base", "tool"] = "base"
    rotation: RotationName = "rotation_vector"
    gripper: GripperPolarity = "opening"
    chunk_length: int = Field(default=1, ge=1, le=1000)

    @model_validator(mode="after")
    def _nothing_without_meaning(self) -> Self:
        if self.of == "joint_velocity" and self.kind == "absolute":
            raise ValueError("a joint_velocity is a change over time: leave kind out, or take of: joint_position")
        if self.of != "tool_pose" and (self.frame, self.rotation) != ("base", "rotation_vector"):
            raise ValueError(f"frame and rotation mean nothing for {self.of}: leave them out, or take of: tool_pose")
        if self.kind == "absolute" and (self.frame, self.reference) != ("base", "previous_command"):
            raise ValueError("frame and reference are of a change: leave them out, or take kind: delta")
        return self

    def names(self, joints: int) -> tuple[str, ...]:
        """Of the dimensions, for an arm of this many joints."""
        if self.of == "tool_pose":
            moved = _POSITION + ROTATIONS[self.rotation].names
        else:
            suffix = "_velocity" if self.of == "joint_velocity" else ""
            moved = tuple(f"joint{i + 1}{suffix}" for i in range(joints))
        prefix = "d" if self.kind == "delta" and self.of != "joint_velocity" else ""
        return (*(prefix + name for name in moved), "gripper")

    def units(self, joints: int) -> tuple[str, ...]:
        """Of the dimensions; "1" where there is none."""
        if self.of == "tool_pose":
            rotation = ROTATIONS[self.rotation]
            moved = ("m", "m", "m", *(rotation.unit for _ in rotation.names))
        else:
            moved = ("rad/s" if self.of == "joint_velocity" else "rad",) * joints
        return (*moved, "fraction" if self.gripper in ("opening", "closing") else "1")

    def width(self, joints: int) -> int:
        """The number of dimensions."""
        return len(self.names(joints))

    def mask(self, joints: int) -> tuple[bool, ...]:
        """Which dimensions normalisation scales: all but the gripper."""
        return (True,) * (self.width(joints) - 1) + (False,)

    def is_absolute(self, joints: int) -> tuple[bool, ...]:
        """Which dimensions say where to go; the others say how far."""
        return (self.kind == "absolute",) * (self.width(joints) - 1) + (True,)

    def neutral(self, joints: int) -> tuple[float, ...]:
        """The action that moves nothing, as far as a change can say so; 0 where a dimension is absolute."""
        if self.kind == "absolute" or self.of != "tool_pose":
            return (0.0,) * self.width(joints)
        return (0.0, 0.0, 0.0, *ROTATIONS[self.rotation].neutral, 0.0)

    def sentence(self) -> str:
        """The same in words, for `features.json`."""
        return f"{self._motion()}; gripper commanded, absolute, {WORDS[self.gripper]}"

    def _motion(self) -> str:
        begins = {
            "previous_command": "since the command before; the first step begins at what is measured",
            "measured": "from what is measured at the step",
        }[self.reference]
        if self.of == "joint_velocity":
            return f"change of the commanded joints over the time it was given, rad/s, {begins}"
        if self.of == "joint_position":
            return (
                "commanded joints, rad" if self.kind == "absolute" else f"change of the commanded joints, rad, {begins}"
            )
        written = f"xyz m, {ROTATIONS[self.rotation].words}"
        if self.kind == "absolute":
            return f"commanded tool pose in the robot's base frame: {written}"
        seen = {
            "base": "in the robot's base frame, rotation applied on the left",
            "tool": "seen from the tool where it begins, rotation applied on the right",
        }[self.frame]
        return f"change of the commanded tool pose {begins}; {seen}: {written}"
