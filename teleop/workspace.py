"""Whether a workspace fits its arm: bounds that can never engage protect nothing."""

from __future__ import annotations

import numpy as np

from teleloom.config import ConfigError
from teleop.config import WorkspaceConfig
from teleop.kinematics import Kinematics
from teleop.supervisor import inside

SAMPLES = 400


def check_workspace(workspace: WorkspaceConfig, kinematics: Kinematics) -> list[str]:
    """Warnings about walls that the arm cannot reach.

    Raises ConfigError when the tool's home lies outside, or when no wall can be reached at all. Reach is sampled over
    the joints' ranges, the same postures every time.
    """
    spec = kinematics.spec
    home = kinematics.pose_at(spec.home_q)[:3]
    if not inside(home, workspace):
        raise ConfigError(
            f"workspace: the tool of '{spec.name}' starts at {_metres(home)}, outside {_metres(workspace.lower_m)} to "
            f"{_metres(workspace.upper_m)}; widen workspace.lower_m/upper_m or change the robot's home_q"
        )
    postures = np.random.default_rng(0).uniform(spec.q_min, spec.q_max, size=(SAMPLES, len(spec.q_min)))
    places = np.array([kinematics.pose_at(q)[:3] for q in postures])
    lowest, highest = places.min(axis=0), places.max(axis=0)
    walls = [(f"lower {'xyz'[i]}", workspace.lower_m[i], bool(workspace.lower_m[i] > lowest[i])) for i in range(3)]
    walls += [(f"upper {'xyz'[i]}", workspace.upper_m[i], bool(workspace.upper_m[i] < highest[i])) for i in range(3)]
    if not any(reached for _, _, reached in walls):
        raise ConfigError(
            f"workspace: none of its walls can be reached by '{spec.name}' (reach {_metres(lowest)} to "
            f"{_metres(highest)}), so it would never act; narrow workspace.lower_m/upper_m"
        )
    return [
        f"workspace: the {name} wall at {wall:.2f} m is beyond the reach of '{spec.name}' and never acts"
        for name, wall, reached in walls
        if not reached
    ]


def _metres(point: tuple[float, float, float] | np.ndarray) -> str:
    return "(" + ", ".join(f"{value:.2f}" for value in point) + ") m"
