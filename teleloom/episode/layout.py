"""Names that the writer and the reader of an episode file share, and where the files of a station lie."""

from __future__ import annotations

import re
from pathlib import Path

FORMAT = "teleloom.episode"
VERSION = 1
EPISODES_FOLDER = "episodes"
SUFFIX = ".h5"
IMPORTED_STREAM = "imported"
"""The stream that only imported episodes have: the arrays of the foreign format, verbatim."""

EPISODE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

STEP_COLUMNS = (
    "t_ns",
    "state",
    "ee_pose",
    "action",
    "action_joint",
    "action_human",
    "action_policy",
    "control_mode",
    "is_intervention",
    "handover",
)
ALIGNED_COLUMNS = ("index", "age_ns", "valid")


def episode_path(root: Path, episode_id: str) -> Path:
    """Where the file of an episode lies under a station's root. Raises ValueError for an id that is no plain name."""
    if not EPISODE_ID.fullmatch(episode_id):
        raise ValueError(f"episode id {episode_id!r}: only letters, digits, - and _, at most 64 of them")
    return root / EPISODES_FOLDER / f"{episode_id}{SUFFIX}"
