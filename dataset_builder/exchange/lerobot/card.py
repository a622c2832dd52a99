"""The dataset card that the Hugging Face hub shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataset_builder.exchange.lerobot import layout
from dataset_builder.manifest import BuildManifest


def card(manifest: BuildManifest, info: Mapping[str, Any]) -> str:
    """`README.md`, from the manifest and `meta/info.json`."""
    license = f"license: {manifest.license.lower()}\n" if manifest.license else ""
    splits = ", ".join(f"{split} {episodes}" for split, episodes in info["splits"].items())
    cameras = ", ".join(f"`{key}`" for key, feature in info["features"].items() if feature["dtype"] in _PICTURES)
    return _CARD.format(
        license=license,
        name=manifest.name,
        description=manifest.description,
        episodes=info["total_episodes"],
        frames=info["total_frames"],
        fps=info["fps"],
        tasks=info["total_tasks"],
        splits=splits,
        state=", ".join(info["features"][layout.STATE]["names"]),
        action=", ".join(info["features"][layout.ACTION]["names"]),
        sentence=manifest.action.sentence(),
        cameras=cameras,
    )


_PICTURES = ("image", "video")
_CARD = """---
{license}task_categories:
- robotics
tags:
- LeRobot
configs:
- config_name: default
  data_files: data/*/*.parquet
---

# {name}

{description}

LeRobotDataset v3.0, exported by teleloom: {episodes} episodes, {frames} frames at {fps} a second, {tasks} tasks.
Episodes by split: {splits}. `meta/stats.json` is of the train split alone; train on its episodes with
`--dataset.episodes`.

| feature | what it is |
|---|---|
| `observation.state` | {state}; gripper opening measured, 1 is open |
| `action` | {action}: {sentence} |
| {cameras} | the cameras |
| `next.reward`, `next.done`, `next.success` | reward is 1 at the last frame of a success |
| `teleloom.*` | what else is known of a step, in double precision; no policy reads it |

`teleloom.t_ns` is when a step was; `timestamp` is frame / fps, as LeRobot wants it.
"""
