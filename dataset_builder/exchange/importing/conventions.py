"""From other projects' conventions to ours: tool poses and grippers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions.gripper import to_opening
from teleloom import pose

Floats = NDArray[np.float64]

_ROTATIONS: Mapping[str, tuple[int, Callable[[Floats], Floats]]] = {
    "quat": (4, pose.quats_normalize),
    "quat_wxyz": (4, lambda quats: pose.quats_normalize(quats[:, [1, 2, 3, 0]])),
    "rotvec": (3, pose.quats_from_rotvecs),
    "euler": (3, pose.quats_from_euler_xyz),
    "matrix": (9, lambda rows: np.reshape([pose.quat_from_matrix(row.reshape(3, 3)) for row in rows], (-1, 4))),
}
POSE_FORMS = {f"xyz_{name}": 3 + width for name, (width, _) in _ROTATIONS.items()} | {"matrix": 16}
"""How a tool pose may be written, and how many columns that takes. Quaternions x y z w, or w x y z; Euler angles rad
about the fixed axes x, y, z in this order (scipy's `xyz`); `matrix` is 4x4, row by row."""

GRIPPER_FORMS = {
    **dict.fromkeys(("opening", "closing", "sign_open", "sign_closed", "width_m", "finger_m"), 1),
    "fingers_m": 2,
}
"""How a gripper may be written: opening 1 is open, closing 1 is closed, signs from -1 to +1, the distance between the
fingers or how far one of them (or both, mirrored) lies from the middle."""


def poses(values: NDArray, form: str) -> Floats:
    """Tool poses (T, 7) of rows in one of POSE_FORMS; a row with NaN stays NaN.

    Raises ValueError for rows of another width, and for what is no rotation.
    """
    rows = _rows(values, form, POSE_FORMS[form])
    if form == "matrix":
        rows, form = np.hstack([rows[:, [3, 7, 11]], rows[:, [0, 1, 2, 4, 5, 6, 8, 9, 10]]]), "xyz_matrix"
    known = np.isfinite(rows).all(axis=1)
    found = np.full((len(rows), 7), np.nan)
    found[known, :3] = rows[known, :3]
    found[known, 3:] = _continuous(_ROTATIONS[form.removeprefix("xyz_")][1](rows[known, 3:]))
    return found


def _continuous(quats: Floats) -> Floats:
    """The same rotations (N, 4), each with the sign that lies nearer to the one before."""
    turned = np.einsum("ni,ni->n", quats[1:], quats[:-1]) < 0.0
    signs = np.cumprod(np.concatenate([[1.0], np.where(turned, -1.0, 1.0)]))[: len(quats)]
    return quats * signs[:, None]


def openings(values: NDArray, form: str, widest_m: float) -> Floats:
    """Gripper openings (T,), 1 is open, of rows in one of GRIPPER_FORMS. widest_m: between the fingers when open.

    Raises ValueError for rows of another width.
    """
    rows = _rows(values, form, GRIPPER_FORMS[form])
    match form:
        case "width_m":
            return rows[:, 0] / widest_m
        case "finger_m":
            return 2.0 * rows[:, 0] / widest_m
        case "fingers_m":
            return (rows[:, 0] - rows[:, 1]) / widest_m
        case "opening" | "closing" | "sign_open" | "sign_closed":
            return to_opening(rows[:, 0], form)
    raise ValueError(f"no gripper is written as {form!r}")


def _rows(values: NDArray, form: str, width: int) -> Floats:
    rows = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    if rows.shape[1] != width:
        raise ValueError(f"{form} has {width} columns, not {rows.shape[1]}")
    return rows


def next_poses(measured: Floats) -> Floats:
    """For each step the tool pose measured at the next one, for the last its own: about what was commanded."""
    return np.concatenate([measured[1:], measured[-1:]])
