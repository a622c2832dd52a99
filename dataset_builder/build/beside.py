"""Everything of a dataset but its shards, written into a folder: documents, lock, card, tokens, questions, plans."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataset_builder.build import documents
from dataset_builder.build.card import card_document, card_markdown
from dataset_builder.build.plots import ACTIONS_PICTURE, LENGTHS_PICTURE, actions_picture, lengths_picture
from dataset_builder.build.settle import BuildPlan
from dataset_builder.build.shards import with_tokens
from dataset_builder.build.tokens import tokens_file, write_tokens
from dataset_builder.build.work import ShardResult
from dataset_builder.layouts import Layout
from dataset_builder.manifest import BuildManifest
from dataset_builder.rlds.features import Tree, to_json
from dataset_builder.rules.filters import FilterCounts
from dataset_builder.source.gather import Progress
from teleloom.files import dumps_json


def write_beside(
    folder: Path,
    plan: BuildPlan,
    manifest: BuildManifest,
    layout: Layout,
    filtered: FilterCounts,
    results: Mapping[str, ShardResult],
    lock: Mapping[str, Any],
    report: Progress,
) -> None:
    """Write all that lies beside the shards into a folder of our own, the lock too. results: by shard name."""
    metadata = documents.metadata(manifest, plan.episodes, plan.numbers, plan.tokeniser, filtered)
    statistics = plan.numbers.documents(manifest.name)
    _put(folder / documents.FEATURES, to_json(_features(plan, manifest, layout)))
    _put(folder / documents.DATASET_INFO, documents.dataset_info(manifest, plan.shards, results))
    _put(folder / documents.METADATA, metadata)
    for name, document in statistics.items():
        _put(folder / name, document)
    _put(folder / documents.LEDGER, plan.ledger.to_json())
    _write_card(folder, plan, manifest, metadata)
    _write_tokens(folder, plan, report)
    _write_questions(folder, plan, manifest, results)
    _put(folder / documents.LOCK, lock)


def _put(path: Path, document: object) -> None:
    """Write a document where nobody looks yet: it is on the disk when the whole folder comes into place."""
    path.write_text(dumps_json(document), encoding="utf-8")


def _write_card(folder: Path, plan: BuildPlan, manifest: BuildManifest, metadata: Mapping[str, Any]) -> None:
    action, names = plan.numbers.action, metadata["action"]["names"]
    card = card_document(manifest, metadata, plan.shards, action, plan.tokeniser, plan.ledger, plan.warnings)
    _put(folder / documents.CARD_DATA, card)
    pictures = {
        ACTIONS_PICTURE: (
            "How each action is spread over the train split",
            actions_picture(plan.shards, names, action),
        ),
        LENGTHS_PICTURE: ("How long the episodes are", lengths_picture(plan.shards)),
    }
    for name, (_, picture) in pictures.items():
        (folder / name).write_text(picture, encoding="utf-8")
    shown = [(text, name) for name, (text, _) in pictures.items()]
    (folder / documents.CARD).write_text(card_markdown(card, shown), encoding="utf-8")


def _features(plan: BuildPlan, manifest: BuildManifest, layout: Layout) -> Tree:
    features = layout.features(plan.episodes[0].shape)
    if not manifest.codec.in_records:
        return features
    codec = plan.tokeniser.codec
    what = f"{codec.name} codec v{codec.version} of the action normalised by {plan.tokeniser.scheme}"
    return with_tokens(features, plan.tokeniser.width, what)


def _write_tokens(folder: Path, plan: BuildPlan, report: Progress) -> None:
    total, count = len(plan.episodes), 0

    def on_done() -> None:
        nonlocal count
        count += 1
        report("tokenising", count, total)

    for split in plan.splits:
        own = (episode for shard in plan.shards if shard.split == split for episode in shard.episodes)
        ids = ((episode.id, plan.tokeniser.encode(episode.action)) for episode in own)
        write_tokens(folder / tokens_file(split), ids, on_done)


def _write_questions(
    folder: Path, plan: BuildPlan, manifest: BuildManifest, results: Mapping[str, ShardResult]
) -> None:
    """One file of questions and one of plans for each split, in the order of the records."""
    for split in plan.splits:
        own = [results[shard.name] for shard in plan.shards if shard.split == split]
        if manifest.questions.kinds:
            questions = "".join(result.questions for result in own)
            (folder / documents.questions_file(split)).write_text(questions, encoding="utf-8")
        if manifest.questions.plans:
            plans = "".join(result.plans for result in own)
            (folder / documents.plans_file(split)).write_text(plans, encoding="utf-8")
