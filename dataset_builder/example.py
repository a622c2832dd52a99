"""One trajectory as the flat features of one record: the keys of `features.dataset_features`, filled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dataset_builder.records import Values
from dataset_builder.trajectory import Trajectory


def example_features(
    trajectory: Trajectory, images: Mapping[str, Sequence[bytes]], tokens: NDArray[np.int32]
) -> dict[str, Values]:
    """The features of a record. images: T JPEGs by image key; tokens: (T, 7)."""
    count = np.arange(len(trajectory))
    is_last = count == len(trajectory) - 1
    texts = {
        "episode_id": trajectory.candidate.episode_id,
        "file_path": trajectory.candidate.file_path,
        "task": trajectory.task,
        "operator": trajectory.operator,
        "outcome": trajectory.outcome,
        "instructions": json.dumps(trajectory.instructions, ensure_ascii=False),
    }
    return {
        **{f"steps/observation/{key}": frames for key, frames in images.items()},
        "steps/observation/state": trajectory.state,
        "steps/observation/joint_state": trajectory.joint_state,
        "steps/action": trajectory.action,
        "steps/action_tokens": tokens,
        "steps/language_instruction": [trajectory.instruction.encode()] * len(trajectory),
        "steps/discount": np.ones(len(trajectory), dtype=np.float32),
        "steps/reward": (is_last & (trajectory.outcome == "success")).astype(np.float32),
        "steps/is_first": count == 0,
        "steps/is_last": is_last,
        "steps/is_terminal": is_last,
        "steps/is_intervention": trajectory.is_intervention,
        "steps/is_valid": trajectory.is_valid,
        **{f"episode_metadata/{key}": [text.encode()] for key, text in texts.items()},
        "episode_metadata/weight": np.array([trajectory.candidate.view.weight], dtype=np.float32),
    }
