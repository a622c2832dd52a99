"""What the layouts have in common: the step's flags, where a step and its episode come from, and tool poses written
as loaders want them.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions.convert import actions_from, actions_of, begins
from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.layouts.contract import Floats, Record
from dataset_builder.rlds.features import Tensor, Text, Tree
from dataset_builder.rlds.records import Values
from dataset_builder.source.trajectory import Trajectory
from teleloom import pose
from teleloom.clock import NS_PER_S

LED_TO_INTERVENTION = -10

STEP: Tree = {
    "language_instruction": Text(),
    "discount": Tensor("float32"),
    "reward": Tensor("float32", doc="1 at the last step of a success, else 0"),
    "is_first": Tensor("bool"),
    "is_last": Tensor("bool"),
    "is_terminal": Tensor("bool", doc="the last step: a demonstration ends where its operator ended it"),
    "is_intervention": Tensor("bool", doc="a human corrected a policy in this step"),
    "action_mode": Tensor("int32", doc="-1 human demonstration, 0 policy, 1 intervention, as austin_sirius has it"),
    "intv_label": Tensor("int32", doc="action_mode, but -10 where a policy led to an intervention"),
    "weight": Tensor("float32", doc="how much the step counts in training"),
}
EPISODE_METADATA: Tree = {
    "episode_id": Text(),
    "file_path": Text("the source episode, relative to the station's root"),
    "task": Text(),
    "scene": Text(),
    "robot": Text(),
    "operator": Text(),
    "outcome": Text("success, partial, failure or unknown"),
    "instructions": Text("every way the task was said, a JSON list of texts"),
    "policy_version": Text("of the policy that drove, empty where none did"),
    "step_rate_hz": Tensor("float32"),
    "weight": Tensor("float32", doc="sampling weight given in review"),
}


def step_values(trajectory: Trajectory) -> dict[str, Values]:
    """The values of STEP, by their key in the record."""
    count = np.arange(len(trajectory))
    is_last = count == len(trajectory) - 1
    mode = trajectory.action_mode.astype(np.int64)
    return {
        "steps/language_instruction": texts(trajectory.instruction, len(trajectory)),
        "steps/discount": np.ones(len(trajectory), dtype=np.float32),
        "steps/reward": (is_last & (trajectory.outcome == "success")).astype(np.float32),
        "steps/is_first": count == 0,
        "steps/is_last": is_last,
        "steps/is_terminal": is_last,
        "steps/is_intervention": trajectory.is_intervention,
        "steps/action_mode": mode,
        "steps/intv_label": np.where(trajectory.led_to_takeover, LED_TO_INTERVENTION, mode),
        "steps/weight": trajectory.weight,
    }


def metadata_values(trajectory: Trajectory) -> dict[str, Values]:
    """The values of EPISODE_METADATA, by their key in the record."""
    written = {
        "episode_id": trajectory.candidate.episode_id,
        "file_path": trajectory.candidate.file_path,
        "task": trajectory.task,
        "scene": trajectory.scene,
        "robot": trajectory.robot,
        "operator": trajectory.operator,
        "outcome": trajectory.outcome,
        "instructions": json.dumps(trajectory.instructions, ensure_ascii=False),
        "policy_version": trajectory.policy_version or "",
    }
    numbers = {"step_rate_hz": trajectory.rate_hz, "weight": trajectory.candidate.view.weight}
    return {
        **{f"episode_metadata/{key}": [text.encode()] for key, text in written.items()},
        **{f"episode_metadata/{key}": np.array([number], dtype=np.float32) for key, number in numbers.items()},
    }


def actions(trajectory: Trajectory, semantics: ActionSemantics) -> NDArray[np.float64]:
    """The actions (T, D) of what was commanded."""
    return actions_of(
        *_commanded(trajectory, semantics),
        semantics,
        seconds=_seconds(trajectory),
        restarts=trajectory.after_cut,
    )


def actions_asked_for(
    targets: NDArray[np.float64], trajectory: Trajectory, semantics: ActionSemantics
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What a pilot asked for, tool poses `targets` (T, 8), as actions (T, D) that begin where those commanded do, and
    where there is one (T,); zeros where there is none.
    """
    asked = np.asarray(np.isfinite(targets).all(axis=1))
    start = begins(*_commanded(trajectory, semantics), semantics, trajectory.after_cut)
    wanted = np.zeros((len(trajectory), semantics.width(trajectory.shape.joints)))
    wanted[asked] = actions_from(targets[asked], start[asked], semantics)
    return wanted, asked


def roll_pitch_yaw(quats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Roll, pitch and yaw (T, 3) without jumps of a turn, rad, for loaders that subtract them step from step.

    Roll begins in [-π/2, 3π/2): a tool that points down has a roll of about π, and half of all episodes would
    otherwise begin at -π.
    """
    angles = np.unwrap(pose.euler_xyz_from_quats(quats), axis=0)
    angles[:, 0] += 2.0 * np.pi * (angles[0, 0] < -np.pi / 2.0)
    return angles


def rows(record: Record, key: str) -> Floats:
    """The values of a step feature of a record, a row for each step."""
    return np.asarray(record[key], dtype=np.float32).reshape(len(record["steps/is_first"]), -1)


def texts(text: str, count: int) -> list[bytes]:
    """One text for every step."""
    return [text.encode()] * count


def _commanded(trajectory: Trajectory, semantics: ActionSemantics) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The commanded path and what was measured, of what the actions are about."""
    if semantics.of == "tool_pose":
        return trajectory.target, trajectory.ee_pose
    return trajectory.joint_target, trajectory.joints


def _seconds(trajectory: Trajectory) -> NDArray[np.float64]:
    """Since the command before (T,): a period at the first step and after a cut."""
    elapsed = np.diff(trajectory.t_ns, prepend=trajectory.t_ns[0] - trajectory.period_ns)
    return np.where(trajectory.after_cut, trajectory.period_ns, elapsed) / NS_PER_S
