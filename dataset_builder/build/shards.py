"""Writing one shard, the unit of work: the same trajectories give the same bytes, wherever and whenever it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_builder.source.candidates import UnfitEpisodeError
import numpy as np
from dataset_builder.layouts import Layout
from dataset_builder.rlds.jpeg import BadImageError, check_jpeg
from dataset_builder.rlds.features import Tensor, Tree
from dataset_builder.rlds.records import Values, encode_example
from dataset_builder.rlds.tfrecord import write_record
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.source.trajectory import Trajectory
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.files import atomic_writer


@dataclass(frozen=True)
class Shard:
    """A shard to write: its file name, its split and its trajectories in the order of their records."""

    name: str
    split: str
    trajectories: tuple[Trajectory, ...]


class BrokenEpisodeError(UnfitEpisodeError):
    """An episode that turned out to be broken while its shard was written."""

    def __init__(self, episode_id: str, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.episode_id = episode_id


def plan_shards(
    name: str, split: str, trajectories: Sequence[Trajectory], max_bytes: int, max_episodes: int
) -> list[Shard]:
    """Part `trajectories`, in their order, into shards whose source files weigh at most `max_bytes` together.

    An episode that is larger than that gets a shard to itself.
    """
    parts: list[list[Trajectory]] = []
    size = 0
    for trajectory in trajectories:
        file_bytes = trajectory.candidate.file_bytes
        if not parts or len(parts[-1]) == max_episodes or size + file_bytes > max_bytes:
            parts.append([])
            size = 0
        parts[-1].append(trajectory)
        size += file_bytes
    return [
        Shard(f"{name}-{split}.tfrecord-{i:05d}-of-{len(parts):05d}", split, tuple(part))
        for i, part in enumerate(parts)
    ]


def write_shard(folder: Path, shard: Shard, layout: Layout, tokeniser: ActionTokeniser) -> int:
    """Write `folder/shard.name`, whole or not at all. Returns the bytes of its records, without their framing.

    Raises BrokenEpisodeError naming the first episode whose images cannot be used.
    """
    num_bytes = 0
    with atomic_writer(folder / shard.name) as temporary, temporary.open("wb") as file:
        for trajectory in shard.trajectories:
            record = encode_example(record_features(trajectory, layout, tokeniser))
            write_record(file, record)
            num_bytes += len(record)
    return num_bytes


def record_features(trajectory: Trajectory, layout: Layout, tokeniser: ActionTokeniser) -> dict[str, Values]:
    """Everything that the record of `trajectory` holds. Raises BrokenEpisodeError."""
    tokens = tokeniser.encode(layout.action(trajectory))
    return layout.example(trajectory, read_images(trajectory)) | {"steps/action_tokens": tokens.astype(np.int64)}


def with_tokens(features: Tree, width: int, doc: str) -> Tree:
    """The features of a layout and the action tokens, `width` a step."""
    steps = features["steps"]
    assert isinstance(steps, Mapping)
    return {**features, "steps": {**steps, "action_tokens": Tensor("int32", (width,), doc)}}


def read_images(trajectory: Trajectory) -> dict[str, list[bytes]]:
    """The JPEGs of a trajectory by image key, byte for byte as recorded, each one checked.

    Raises BrokenEpisodeError for one that is not a JPEG of the declared size, or a file that can no longer be read.
    """
    episode = trajectory.candidate.episode_id
    images: dict[str, list[bytes]] = {}
    try:
        with EpisodeReader(trajectory.candidate.path) as reader:
            for key, camera in sorted(trajectory.cameras.items()):
                images[key] = list(reader.frames(camera, trajectory.frames[key]))
                _check_images(episode, camera, images[key], trajectory.recorded[key])
    except BadEpisodeError as error:
        raise BrokenEpisodeError(episode, "bad-file", error.fault) from None
    return images


def _check_images(episode: str, camera: str, images: Sequence[bytes], size: tuple[int, int]) -> None:
    for step, data in enumerate(images):
        try:
            check_jpeg(data, *size)
        except BadImageError as error:
            raise BrokenEpisodeError(episode, "broken-image", f"camera '{camera}', step {step}: {error}") from None
