"""Where in a foreign RLDS dataset our own quantities are, and in which convention they are written there.

An entry `ours=theirs` reads `pose=observation/state[0:6]:xyz_euler`: key without `steps/`, columns, form. Columns and
form may be left out where there is no choice. The form of `action` says what its values mean, in the words of
ActionSemantics, and what 1 stands for: `action=action:reference=measured,gripper=closing,scale=0.05/0.05/0.05/1/1/1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dataset_builder.actions.convert import commands_of
from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.exchange.importing.conventions import GRIPPER_FORMS, POSE_FORMS
from dataset_builder.exchange.importing.dataset import ForeignDatasetError
from dataset_builder.exchange.importing.episode import UnimportableError
from teleloom.config import describe

Floats = NDArray[np.float64]
Entries = tuple[tuple[str, str], ...]
"""Pairs of our name and where it is in the dataset."""

JOINT_TARGETS = ("joints", "joint_velocity", "joint_target", "effort")
POSE_TARGETS = ("pose", "pose_target")
GRIPPER_TARGETS = ("gripper", "gripper_target")
TARGETS = (*JOINT_TARGETS, *POSE_TARGETS, *GRIPPER_TARGETS, "is_intervention", "instruction", "action")
CAMERA = "camera."
NEXT_POSE = "next_pose"
"""In place of a key for `pose_target`: what was commanded is the pose measured at the next step."""

_ENTRY = re.compile(r"(?P<key>[^\[\]:]+)(\[(?P<columns>[-0-9:,]+)\])?(:(?P<form>.*))?")


@dataclass(frozen=True)
class Taken:
    """Where one quantity is: the field's name, its columns (None: all), and the form it is written in."""

    name: str
    columns: str | None
    form: str

    def rows(self, values: NDArray) -> NDArray:
        """The chosen columns (T, D) of a field (T, ...). Raises ForeignDatasetError where it has no such columns."""
        flat = values.reshape(len(values), -1)
        if self.columns is None:
            return flat
        width = flat.shape[1]
        chosen: list[int] = []
        for part in self.columns.split(","):
            first, colon, last = part.partition(":")
            try:
                if max(int(first or 0), int(last or 0)) > width:
                    raise IndexError(part)
                found = (
                    range(width)[slice(int(first or 0), int(last or width))] if colon else (range(width)[int(first)],)
                )
            except (ValueError, IndexError):
                raise ForeignDatasetError(f"{self.name} has {width} columns, and no [{part}] among them") from None
            chosen += found
        return flat[:, chosen]


@dataclass(frozen=True, eq=False)
class ActionMeaning:
    """What the values of an action are. scale: (D-1,) what 1 stands for, in m and rad; None where it is just that."""

    semantics: ActionSemantics
    scale: Floats | None

    def commands(self, actions: Floats, measured: Floats, rate_hz: float, restarts: NDArray | None) -> Floats:
        """The commanded path (T, 8) or (T, J+1) of actions (T, D), as `commands_of` has it.

        Raises UnimportableError when they do not fit.
        """
        joints = measured.shape[1]
        if actions.shape[1] != self.semantics.width(joints):
            detail = (
                f"an action has {actions.shape[1]} values; what --map says of it takes {self.semantics.width(joints)}"
            )
            raise UnimportableError("wrong-shape", detail)
        moved = actions if self.scale is None else np.hstack([actions[:, :-1] * self.scale, actions[:, -1:]])
        try:
            return commands_of(moved, measured, self.semantics, seconds=1.0 / rate_hz, restarts=restarts)
        except ValueError as error:
            raise UnimportableError("not-finite", f"the action leads to no pose: {error}") from None


def parse(entries: Iterable[tuple[str, str]]) -> dict[str, Taken]:
    """The map of `(ours, theirs)` pairs. Raises ForeignDatasetError for names and forms that do not exist."""
    return {ours: _taken(ours, theirs) for ours, theirs in entries}


def action_meaning(form: str) -> ActionMeaning:
    """The meaning that the form of an `action` entry spells out. Raises ForeignDatasetError for a wrong one."""
    words = dict(part.partition("=")[::2] for part in form.split(",") if part)
    scale = words.pop("scale", None)
    try:
        semantics = ActionSemantics.model_validate(words)
        return ActionMeaning(semantics, None if scale is None else np.array([float(v) for v in scale.split("/")]))
    except ValidationError as error:
        raise ForeignDatasetError(f"--map action: {describe(error, ActionSemantics)}") from None
    except ValueError:
        raise ForeignDatasetError(f"--map action: scale={scale} is no list of numbers like 0.05/0.05/0.05") from None


def _taken(ours: str, theirs: str) -> Taken:
    if ours not in TARGETS and not (ours.startswith(CAMERA) and ours.removeprefix(CAMERA).isidentifier()):
        raise ForeignDatasetError(f"--map {ours}: no such quantity; there are {', '.join(TARGETS)} and camera.NAME")
    match = _ENTRY.fullmatch(theirs)
    if match is None:
        raise ForeignDatasetError(f"--map {ours}={theirs}: write it like {ours}=observation/state[0:7]:FORM")
    key, form = match["key"].removeprefix("steps/"), match["form"] or ""
    if key == NEXT_POSE:
        if ours != "pose_target" or form:
            raise ForeignDatasetError(f"--map {ours}={theirs}: {NEXT_POSE} is for pose_target alone, and has no form")
        return Taken(key, None, "")
    forms: Mapping[str, int] = {}
    if ours in POSE_TARGETS or ours in GRIPPER_TARGETS:
        forms = POSE_FORMS if ours in POSE_TARGETS else GRIPPER_FORMS
    if ours != "action" and (form not in forms if forms else form):
        allowed = f"needs one of the forms {', '.join(forms)}" if forms else "takes no form"
        raise ForeignDatasetError(f"--map {ours}={theirs}: {ours} {allowed}")
    return Taken(key, match["columns"], form)
