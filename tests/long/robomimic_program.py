"""Run in robomimic's own environment: `FILE OUT.npz` iterates the training part of a file as a policy would."""

from __future__ import annotations

import json
import sys

import numpy as np
import robomimic.utils.obs_utils as ObsUtils
import torch
from robomimic.utils.dataset import SequenceDataset

ARM = ("robot0_joint_pos", "robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos")
CAMERAS = ("image", "wrist_image")


def main(path: str, out: str) -> None:
    ObsUtils.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": list(ARM), "rgb": list(CAMERAS)}})

    def opened(frame_stack: int, seq_length: int) -> SequenceDataset:
        return SequenceDataset(
            hdf5_path=path,
            obs_keys=ARM + CAMERAS,
            dataset_keys=("actions", "rewards", "dones"),
            frame_stack=frame_stack,
            seq_length=seq_length,
            filter_by_attribute="train",
            load_next_obs=True,
            hdf5_cache_mode="low_dim",
        )

    dataset, steps = opened(2, 4), opened(1, 1)
    batches = list(torch.utils.data.DataLoader(dataset, batch_size=8))
    whole = [steps.get_trajectory_at_index(i) for i in range(steps.n_demos)]
    processed = ObsUtils.process_obs(batches[0]["obs"]["image"], obs_key="image")
    facts = {
        "demos": dataset.demos,
        "samples": len(dataset),
        "seen": sum(len(batch["actions"]) for batch in batches),
        "window": list(batches[0]["actions"].shape),
        "image": list(processed.shape),
        "image_range": [float(processed.min()), float(processed.max())],
    }
    np.savez(
        out,
        facts=json.dumps(facts),
        actions=np.concatenate([each["actions"] for each in whole]),
        joints=np.concatenate([each["obs"]["robot0_joint_pos"] for each in whole]),
        image=np.concatenate([each["obs"]["image"] for each in whole]),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
