"""Writing one shard, the unit of work: the same episodes give the same bytes, wherever and whenever it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dataset_builder.build.parts import RESULT_SUFFIX, SHARD_SUFFIX
from dataset_builder.build.work import Broken, ShardResult, ShardWork, TokenWork
from dataset_builder.codecs import get_codec
from dataset_builder.layouts import Layout, get_layout
from dataset_builder.layouts.contract import Images
from dataset_builder.ledger import UnfitEpisodeError
from dataset_builder.location import is_local, location
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.statistics import Statistics
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.questions.make import questions_of
from dataset_builder.questions.question import Plan, Question, to_jsonl
from dataset_builder.rlds.features import Tensor, Tree
from dataset_builder.rlds.images import resize_jpeg
from dataset_builder.rlds.jpeg import BadImageError, check_jpeg
from dataset_builder.rlds.records import Values, example_parts
from dataset_builder.rlds.tfrecord import FRAMING_BYTES, framed
from dataset_builder.source.candidates import Candidate
from dataset_builder.source.trajectory import Indices, Trajectory, read_trajectory
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.files import atomic_write_bytes, atomic_writer

IN_RECORDS = "steps/action_tokens"
_REMEDY = "restore the episode from a copy, or trim that part off in review"
_UPLOAD_BLOCK_BYTES = 8 * 1024 * 1024


def write_shard(task: str) -> None:
    """Do the ShardWork of which `task` is the JSON: leave the shard and, when it is whole, its ShardResult.

    An episode whose file turns out to be broken leaves a result that names it, and every other such one, and no shard.
    """
    work = ShardWork.model_validate_json(task)
    manifest, tokeniser = work.build_manifest(), _tokeniser(work)
    layout = get_layout(manifest.preset, manifest.action)
    parts, key = location(work.parts), work.key
    shard, digest = parts / f"{key}{SHARD_SUFFIX}", hashlib.sha256()
    num_bytes = 0
    questions, plans = [], []
    broken: list[Broken] = []
    with _new_file(shard) as file:
        for candidate in work.candidates():
            try:
                read = read_episode(candidate, manifest)
                images = resized(read.images, manifest)
            except UnfitEpisodeError as error:
                broken.append(Broken(episode_id=candidate.episode_id, reason=error.reason, detail=str(error)))
            if broken:
                continue
            features = record_features(read.trajectory, images, layout, tokeniser)
            for block in framed(example_parts(features)):
                digest.update(block)
                num_bytes += file.write(block)
            questions.append(to_jsonl(read.questions))
            plans.append(to_jsonl(read.plans))
    if broken:
        shard.unlink(missing_ok=True)  # Another build of this version may have been quicker.
        result = ShardResult(key=key, broken=tuple(broken))
    else:
        result = ShardResult(
            key=key,
            records=len(work.episodes),
            bytes=num_bytes,
            num_bytes=num_bytes - FRAMING_BYTES * len(work.episodes),
            sha256=digest.hexdigest(),
            questions=b"".join(questions).decode(),
            plans=b"".join(plans).decode(),
        )
    data = result.model_dump_json().encode()
    if is_local(parts):
        atomic_write_bytes(parts / f"{key}{RESULT_SUFFIX}", data)
    else:
        (parts / f"{key}{RESULT_SUFFIX}").write_bytes(data)


@dataclass(frozen=True)
class Reading:
    """An episode as it was read. images: JPEGs by image key, byte for byte as recorded, each one checked."""

    trajectory: Trajectory
    images: Images
    questions: Sequence[Question] = ()
    plans: Sequence[Plan] = ()


def read_episode(candidate: Candidate, manifest: BuildManifest) -> Reading:
    """Read all of a candidate that a dataset holds. Raises UnfitEpisodeError, also for a file that cannot be read."""
    try:
        with EpisodeReader(candidate.path) as reader:
            trajectory = read_trajectory(reader, candidate, manifest)
            images = {
                key: [_checked(data, trajectory, key, step) for step, data in enumerate(reader.frames(camera, rows))]
                for key, camera, rows in _shown(trajectory)
            }
            made = questions_of(reader, trajectory, manifest) if manifest.questions.asked_for else ((), ())
            return Reading(trajectory, images, *made)
    except BadEpisodeError as error:
        raise UnfitEpisodeError.unreadable(error) from None


def resized(images: Images, manifest: BuildManifest) -> Images:
    """The images in the sizes that the manifest asks for. Raises UnfitEpisodeError for one that cannot be decoded."""
    choices = {choice.key: choice for choice in manifest.cameras.values()}
    try:
        return {key: [resize_jpeg(data, choices[key]) for data in jpegs] for key, jpegs in images.items()}
    except BadImageError as error:
        raise UnfitEpisodeError("broken-image", f"{error}; {_REMEDY}") from None


def _shown(trajectory: Trajectory) -> Iterator[tuple[str, str, Indices]]:
    for key, camera in sorted(trajectory.cameras.items()):
        yield key, camera, trajectory.frames[key]


def _checked(data: bytes, trajectory: Trajectory, key: str, step: int) -> bytes:
    try:
        check_jpeg(data, *trajectory.recorded[key])
    except BadImageError as error:
        camera = trajectory.cameras[key]
        raise UnfitEpisodeError("broken-image", f"camera '{camera}', step {step}: {error}; {_REMEDY}") from None
    return data


def record_features(
    trajectory: Trajectory, images: Images, layout: Layout, tokeniser: ActionTokeniser | None
) -> dict[str, Values]:
    """Everything that the record of `trajectory` holds. tokeniser: puts tokens into it too."""
    features = layout.example(trajectory, images)
    if tokeniser is not None:
        features[IN_RECORDS] = tokeniser.encode_steps(layout.action(trajectory)).astype(np.int64)
    return features


def with_tokens(features: Tree, width: int, doc: str) -> Tree:
    """The features of a layout and the action tokens, `width` a step."""
    steps = features["steps"]
    assert isinstance(steps, Mapping)
    return {**features, "steps": {**steps, "action_tokens": Tensor("int32", (width,), doc)}}


def token_work(tokeniser: ActionTokeniser) -> TokenWork:
    """A tokeniser as plain data."""
    return TokenWork(
        codec=tokeniser.codec.name,
        options=tokeniser.codec.options,
        scheme=tokeniser.scheme,
        statistics=tokeniser.statistics.to_json(),
    )


def _tokeniser(work: ShardWork) -> ActionTokeniser | None:
    tokens = work.tokens
    if tokens is None:
        return None
    return ActionTokeniser(
        get_codec(tokens.codec, **tokens.options),
        Statistics.from_json(tokens.statistics),
        tokens.scheme,
        work.build_manifest().action,
    )


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to be written from its beginning. On this machine it is there whole or not at all; elsewhere half a one
    may stay, which counts for nothing as long as no result stands beside it."""
    if is_local(path):
        with atomic_writer(path) as temporary, temporary.open("wb") as file:
            yield file
    else:
        with path.open("wb", block_size=_UPLOAD_BLOCK_BYTES) as file:  # type: ignore[call-overload]
            yield file
