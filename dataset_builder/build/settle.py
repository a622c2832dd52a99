"""The plan of a build in which every episode is sound, ledger and tokeniser included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_builder.build.numbers import Numbers
from dataset_builder.build.plan import Episode, Shard, plan_shards
from dataset_builder.build.shards import token_work
from dataset_builder.build.work import Broken, ShardWork
from dataset_builder.codecs import CodecOptionError
from dataset_builder.layouts import Layout
from dataset_builder.ledger import Emitted, Ledger, Rejected, why_none
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.rules.splits import TEST, TRAIN, VAL, Placed, check_leaks, empty_splits
from dataset_builder.source.candidates import Selection
from dataset_builder.source.gather import Gathered

SPLITS = (TRAIN, VAL, TEST)


@dataclass(frozen=True)
class BuildPlan:
    """Everything decided before the first shard is written. works: what each shard is made of, by its name."""

    shards: list[Shard]
    works: dict[str, ShardWork]
    numbers: Numbers
    tokeniser: ActionTokeniser
    ledger: Ledger
    warnings: tuple[str, ...]

    @property
    def episodes(self) -> list[Episode]:
        return [episode for shard in self.shards for episode in shard.episodes]

    @property
    def splits(self) -> dict[str, int]:
        return split_sizes(self.ledger)


Make = Callable[[BuildPlan, list[Shard]], list[Broken]]
"""Sees to shards that are not there; what comes back are the episodes for which that failed."""


class NothingToBuildError(RuntimeError):
    """No episode is fit for the dataset. The message counts the reasons, with an example of each."""


def settle(
    gathered: Gathered[Episode],
    selection: Selection,
    manifest: BuildManifest,
    layout: Layout,
    parts: Path,
    done: Mapping[str, object],
    make: Make,
) -> BuildPlan:
    """The plan in which every episode is sound: those that `make` finds broken are rejected and the rest is planned
    anew, which leaves every shard as it is that had none of them."""
    episodes, rejected = gathered.kept, [*selection.rejected, *gathered.rejected]
    warnings = (*selection.warnings, *gathered.warnings)
    while True:
        plan = _plan(episodes, rejected, selection, manifest, layout, parts, warnings)
        broken = make(plan, [shard for shard in plan.shards if plan.works[shard.name].key not in done])
        if not broken:
            return plan
        tasks = {episode.id: episode.task for episode in episodes}
        rejected += [Rejected(b.episode_id, b.reason, b.detail, tasks[b.episode_id]) for b in broken]
        lost = {entry.episode_id for entry in broken}
        episodes = [episode for episode in episodes if episode.id not in lost]


def _plan(
    episodes: Sequence[Episode],
    rejected: Sequence[Rejected],
    selection: Selection,
    manifest: BuildManifest,
    layout: Layout,
    parts: Path,
    warnings: tuple[str, ...],
) -> BuildPlan:
    if not episodes:
        raise NothingToBuildError(f"no episode is left to build from:{why_none(rejected)}")
    layout.features(episodes[0].shape)
    shards = plan_shards(episodes, manifest)
    train = [episode for shard in shards if shard.split == TRAIN for episode in shard.episodes]
    numbers = Numbers.of(train, manifest)
    tokeniser = numbers.tokeniser(train, manifest)
    if manifest.codec.in_records and tokeniser.codec.chunked:
        raise CodecOptionError(
            f"codec '{manifest.codec.name}' makes tokens of whole chunks, as many as they need, and a record has the "
            "same number in every step; leave out codec.in_records: the tokens lie beside the shards"
        )
    tokens = token_work(tokeniser) if manifest.codec.in_records else None
    root = selection.root.resolve()
    works = {
        shard.name: ShardWork.of(manifest, [episode.candidate for episode in shard.episodes], tokens, root, parts)
        for shard in shards
    }
    placed = [
        Placed(episode.id, shard.split, episode.group, episode.candidate.content_hash)
        for shard in shards
        for episode in shard.episodes
    ]
    check_leaks(placed)
    groups, sides = {each.episode_id: each.group for each in placed}, {each.episode_id: each.split for each in placed}
    emitted = [
        Emitted(episode.id, shard.split, shard.name, len(episode), episode.task)
        for shard in shards
        for episode in shard.episodes
    ]
    ledger = Ledger(selection.inputs, tuple(emitted), tuple(rejected))
    ledger.check()
    empty = empty_splits(groups, sides, manifest.splits)
    return BuildPlan(shards, works, numbers, tokeniser, ledger, (*warnings, *empty))


def split_sizes(ledger: Ledger) -> dict[str, int]:
    """How many episodes are in each split."""
    found = Counter(entry.split for entry in ledger.emitted)
    return {split: found[split] for split in SPLITS if split in found}
