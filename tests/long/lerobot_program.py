"""Run in lerobot's own environment: `read ROOT OUT.npz` iterates a dataset, `write ROOT` makes one."""

from __future__ import annotations

import json
import sys

import numpy as np
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.datasets.utils import dataset_to_policy_features

ARM = ["pan", "lift", "gripper"]


def read(root: str, out: str) -> None:
    """Every frame with its image, then windows of a part of the episodes through a DataLoader with workers."""
    dataset = LeRobotDataset("local/export", root=root, video_backend="pyav")
    rows = [dataset[i] for i in range(len(dataset))]
    camera = dataset.meta.camera_keys[0]
    window = {"action": [0.0, 1 / dataset.fps, 2 / dataset.fps], camera: [-1 / dataset.fps, 0.0]}
    part = LeRobotDataset("local/export", root=root, video_backend="pyav", episodes=[1], delta_timestamps=window)
    loader = torch.utils.data.DataLoader(part, batch_size=4, num_workers=2)
    batches = list(loader)
    facts = {
        "episodes": dataset.num_episodes,
        "fps": dataset.fps,
        "tasks": [row["task"] for row in rows],
        "camera": camera,
        "policy_features": sorted(dataset_to_policy_features(dataset.features)),
        "window": [list(batches[0]["action"].shape), list(batches[0][camera].shape)],
        "windows": sum(len(batch["index"]) for batch in batches),
        "episode_1": int(dataset.meta.episodes[1]["length"]),
        "stats": {key: sorted(own) for key, own in dataset.meta.stats.items()},
    }
    np.savez(
        out,
        facts=json.dumps(facts),
        action=np.stack([row["action"] for row in rows]),
        state=np.stack([row["observation.state"] for row in rows]),
        t_ns=np.array([int(row["teleloom.t_ns"]) for row in rows]),
        exact=np.stack([row["teleloom.action"] for row in rows]),
        episode=np.array([int(row["episode_index"]) for row in rows]),
        image=np.stack([(row[camera].numpy() * 255).round().astype(np.uint8).transpose(1, 2, 0) for row in rows]),
    )


def write(root: str) -> None:
    """Three episodes of 5, 1 and 7 frames, one camera as video and one as images."""
    vector = {"dtype": "float32", "shape": (3,), "names": ARM}
    picture = {"shape": (48, 64, 3), "names": ["height", "width", "channels"]}
    dataset = LeRobotDataset.create(
        "local/made",
        fps=10,
        root=root,
        robot_type="so100",
        features={
            "observation.state": vector,
            "action": vector,
            "observation.images.front": {"dtype": "video", **picture},
            "observation.images.wrist": {"dtype": "image", **picture},
        },
    )
    for episode, (count, task) in enumerate(((5, "push é"), (1, "pull"), (7, "push é"))):
        for i in range(count):
            dataset.add_frame(
                {
                    "observation.state": np.array([i, episode, 0.1], np.float32),
                    "action": np.array([i + 1, episode, 0.2], np.float32),
                    "observation.images.front": np.full((48, 64, 3), 20 * i + 5 * episode, np.uint8),
                    "observation.images.wrist": np.full((48, 64, 3), 30 * i, np.uint8),
                    "task": task,
                }
            )
        dataset.save_episode()
    dataset.finalize()


if __name__ == "__main__":
    {"read": read, "write": write}[sys.argv[1]](*sys.argv[2:])
