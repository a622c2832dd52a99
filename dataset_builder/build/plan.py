"""What is decided before the first shard is written: who goes to which split, and which shards there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_builder.layouts import Layout
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.sharding import Sized, cut
from dataset_builder.rules.splits import TEST, TRAIN, VAL, assign
from dataset_builder.source.candidates import Candidate
from dataset_builder.source.rounds import Contribution
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Episode:
    """What is kept of a trajectory while a dataset is built: T steps as numbers, no images.

    action: (T, D) and proprio: (T, P) as the record will hold them.
    """

    candidate: Candidate
    robot: str
    joint_names: tuple[str, ...]
    gripper_max_m: float
    shape: Shape
    rate_hz: float
    group: str
    task: str
    contribution: Contribution
    action: Floats
    proprio: Floats

    @classmethod
    def of(cls, trajectory: Trajectory, layout: Layout) -> Episode:
        return cls(
            candidate=trajectory.candidate,
            robot=trajectory.robot,
            joint_names=trajectory.joint_names,
            gripper_max_m=trajectory.gripper_max_m,
            shape=trajectory.shape,
            rate_hz=trajectory.rate_hz,
            group=trajectory.group,
            task=trajectory.task,
            contribution=Contribution.of(trajectory),
            action=layout.action(trajectory),
            proprio=layout.proprio(trajectory),
        )

    @property
    def id(self) -> str:
        return self.candidate.episode_id

    def __len__(self) -> int:
        return len(self.action)


@dataclass(frozen=True)
class Shard:
    """A shard of the dataset: its file name, its split, and its episodes in the order of their records."""

    name: str
    split: str
    episodes: tuple[Episode, ...]


def plan_shards(episodes: Sequence[Episode], manifest: BuildManifest) -> list[Shard]:
    """All shards, train first."""
    sides = assign({episode.id: episode.group for episode in episodes}, manifest.splits)
    shards: list[Shard] = []
    for split in (TRAIN, VAL, TEST):
        own = {episode.id: episode for episode in episodes if sides[episode.id] == split}
        shards += _shards_of(manifest, split, own)
    return shards


def _shards_of(manifest: BuildManifest, split: str, own: Mapping[str, Episode]) -> list[Shard]:
    sized = [Sized(identity, episode.candidate.file_bytes) for identity, episode in own.items()]
    parts = cut(sized, manifest.shards)
    return [
        Shard(shard_name(manifest.name, split, i, len(parts)), split, tuple(own[item.episode_id] for item in part))
        for i, part in enumerate(parts)
    ]


def shard_name(dataset: str, split: str, number: int, count: int) -> str:
    """The file name that TensorFlow Datasets looks for."""
    return f"{dataset}-{split}.tfrecord-{number:05d}-of-{count:05d}"
