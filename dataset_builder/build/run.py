"""A build: read, part, gather statistics, write shards, and put the finished dataset in place.

The dataset appears whole under its name and version, or not at all. An episode whose images turn out to be broken
while its shard is written is rejected, and the rest is parted and counted anew, as if it had never been selected.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.build import documents
from dataset_builder.source.candidates import Selection
from dataset_builder.build.card import dataset_card
from dataset_builder.codecs import Codec, get_codec
from dataset_builder.layouts import Layout, get_layout
from dataset_builder.rlds.features import to_json
from dataset_builder.source.gather import Progress, gather
from dataset_builder.ledger import Emitted, Ledger, Rejected
from dataset_builder.manifest import BuildManifest
from dataset_builder.build.place import folder_in_place, tidy
from dataset_builder.source.splits import TEST, TRAIN, VAL, assign, position
from dataset_builder.normalisation.statistics import Statistics, statistics_document
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.source.trajectory import Trajectory
from dataset_builder.build.shards import BrokenEpisodeError, Shard, plan_shards, read_images, with_tokens, write_shard
from teleloom import __version__
from teleloom.files import write_json


class NothingToBuildError(RuntimeError):
    """No episode is fit for the dataset. The message counts the reasons."""


class DatasetExistsError(FileExistsError):
    """The version exists already. The message names the folder and both ways out."""


@dataclass(frozen=True)
class BuildResult:
    """path: the dataset's folder, which a dry run leaves alone. splits: episodes in each. num_bytes: of all records."""

    path: Path
    ledger: Ledger
    splits: dict[str, int]
    num_bytes: int


@dataclass(frozen=True)
class _Plan:
    """Everything decided before the first shard is written."""

    shards: list[Shard]
    layout: Layout
    action: Statistics
    statistics: dict[str, Any]


def build_dataset(
    selection: Selection, manifest: BuildManifest, out: Path, *, force: bool = False, progress: Progress | None = None
) -> BuildResult:
    """Write the dataset `out/name/version` from the selected episodes.

    Raises DatasetExistsError unless `force`, NothingToBuildError when no episode is left, PluginError for an unknown
    codec, and OSError when the disk refuses; what was there before then stays as it was.
    """
    report = progress or _silent
    final = out / manifest.name / manifest.version
    tidy(final)
    if final.exists() and not force:
        raise DatasetExistsError(f"{final} exists already; build a new --version, or replace this one with --force")
    codec = get_codec(manifest.codec.name, **manifest.codec.options)
    trajectories, unfit = gather(selection.candidates, manifest, report)
    rejected = [*selection.rejected, *unfit]
    while True:
        plan = _plan(trajectories, rejected, manifest)
        ledger = _ledger(selection, plan.shards, rejected)
        try:
            with folder_in_place(final) as folder:
                num_bytes = _write_shards(folder, plan, ActionTokeniser(codec, plan.action), report)
                _write_documents(folder, plan, codec, manifest, ledger, num_bytes)
                write_json(folder / documents.LOCK, _lock(manifest, selection, plan.shards, final))
        except BrokenEpisodeError as error:
            rejected.append(Rejected(error.episode_id, error.reason, str(error)))
            trajectories = [t for t in trajectories if t.candidate.episode_id != error.episode_id]
        else:
            return BuildResult(final, ledger, _split_sizes(ledger), sum(num_bytes.values()))


def dry_run(selection: Selection, manifest: BuildManifest, out: Path, progress: Progress | None = None) -> BuildResult:
    """What `build_dataset` would emit and reject, images checked, nothing written. num_bytes is 0."""
    report = progress or _silent
    get_codec(manifest.codec.name, **manifest.codec.options)
    trajectories, unfit = gather(selection.candidates, manifest, report)
    rejected = [*selection.rejected, *unfit]
    sound = []
    for done, trajectory in enumerate(trajectories):
        report("checking", done, len(trajectories))
        try:
            read_images(trajectory)
            sound.append(trajectory)
        except BrokenEpisodeError as error:
            rejected.append(Rejected(error.episode_id, error.reason, str(error)))
    ledger = _ledger(selection, _plan(sound, rejected, manifest).shards, rejected)
    return BuildResult(out / manifest.name / manifest.version, ledger, _split_sizes(ledger), 0)


def _silent(what: str, done: int, total: int) -> None:
    pass


def _plan(trajectories: Sequence[Trajectory], rejected: Sequence[Rejected], manifest: BuildManifest) -> _Plan:
    if not trajectories:
        reasons = Counter(entry.reason for entry in rejected)
        counted = ", ".join(f"{reason} ({count})" for reason, count in sorted(reasons.items()))
        raise NothingToBuildError(f"no episode is left to build from: {counted or 'there are none'}; see --dry-run")
    sides = assign({t.candidate.episode_id: t.group for t in trajectories}, manifest.splits)
    # By the hash of their ids, episodes of all tasks and times are mixed within each shard, and always in one order.
    ordered = sorted(trajectories, key=lambda t: (position(t.candidate.episode_id), t.candidate.episode_id))
    shards: list[Shard] = []
    for split in (TRAIN, VAL, TEST):
        own = [t for t in ordered if sides[t.candidate.episode_id] == split]
        shards += plan_shards(manifest.name, split, own, manifest.shards.max_bytes, manifest.shards.max_episodes)
    train = [t for t in ordered if sides[t.candidate.episode_id] == TRAIN]
    layout = get_layout(manifest.preset, manifest.action)
    action, document = statistics_document(
        manifest.name, [layout.action(t) for t in train], [layout.proprio(t) for t in train]
    )
    return _Plan(shards, layout, action, document)


def _ledger(selection: Selection, shards: Sequence[Shard], rejected: Sequence[Rejected]) -> Ledger:
    emitted = [Emitted(t.candidate.episode_id, s.split, s.name, len(t)) for s in shards for t in s.trajectories]
    ledger = Ledger(selection.inputs, tuple(emitted), tuple(rejected))
    ledger.check()
    return ledger


def _write_shards(
    folder: Path, plan: _Plan, tokeniser: ActionTokeniser, progress: Progress
) -> dict[str, int]:
    num_bytes = {}
    total = sum(len(shard.trajectories) for shard in plan.shards)
    done = 0
    for shard in plan.shards:
        progress("writing", done, total)
        num_bytes[shard.name] = write_shard(folder, shard, plan.layout, tokeniser)
        done += len(shard.trajectories)
    progress("writing", total, total)
    return num_bytes


def _write_documents(
    folder: Path,
    plan: _Plan,
    codec: Codec,
    manifest: BuildManifest,
    ledger: Ledger,
    num_bytes: dict[str, int],
) -> None:
    first = plan.shards[0].trajectories[0]
    tokens = f"{codec.name} codec v{codec.version} of the q99-normalised action"
    features = with_tokens(plan.layout.features(first.shape), 7, tokens)
    rates = [t.rate_hz for shard in plan.shards for t in shard.trajectories]
    metadata = documents.metadata(manifest, codec, first.robot, rates)
    write_json(folder / documents.FEATURES, to_json(features))
    write_json(folder / documents.DATASET_INFO, documents.dataset_info(manifest, plan.shards, num_bytes))
    write_json(folder / documents.METADATA, metadata)
    write_json(folder / documents.STATISTICS, plan.statistics)
    write_json(folder / documents.LEDGER, ledger.to_json())
    (folder / documents.CARD).write_text(dataset_card(manifest, metadata, plan.statistics, ledger), encoding="utf-8")


def _lock(manifest: BuildManifest, selection: Selection, shards: Sequence[Shard], final: Path) -> dict[str, Any]:
    source = Path(os.path.relpath(selection.root.resolve(), final.resolve())).as_posix()
    return documents.lock(manifest, __version__, source, shards)


def _split_sizes(ledger: Ledger) -> dict[str, int]:
    return dict(Counter(entry.split for entry in ledger.emitted))
