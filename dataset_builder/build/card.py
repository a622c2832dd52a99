"""The dataset card: the README that travels with a dataset, and the same as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dataset_builder.build.plan import Episode, Shard
from dataset_builder.ledger import Ledger
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.roundtrip import quantisation_error
from dataset_builder.normalisation.statistics import Statistics
from dataset_builder.normalisation.tokeniser import ActionTokeniser
from dataset_builder.rules.splits import TRAIN

MAX_MEASURED = 200
"""The error of tokens is measured on so many episodes at most, evenly spread over the train split."""

Rows = Sequence[Sequence[object]]


def card_document(
    manifest: BuildManifest,
    metadata: Mapping[str, Any],
    shards: Sequence[Shard],
    action: Statistics,
    tokeniser: ActionTokeniser,
    ledger: Ledger,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """`card.json`: what the dataset holds, what its numbers mean, how it was parted and where it comes from.

    action: statistics of the train split. Token errors are in the units of the action, see `quantisation_error`.
    """
    train = [episode for shard in shards if shard.split == TRAIN for episode in shard.episodes]
    measured = [episode.action for episode in train[:: -(-len(train) // MAX_MEASURED)]]
    error = quantisation_error(tokeniser, measured)
    meaning = metadata["action"]
    return {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "license": manifest.license,
        "preset": manifest.preset,
        "robot": metadata["robot"],
        "step_rates_hz": metadata["step_rates_hz"],
        "images": [
            {"key": key, "height": height, "width": width, "camera": _camera(manifest, key)}
            for key, height, width in shards[0].episodes[0].shape.images
        ],
        "splits": {split: _extent(own) for split, own in _by_split(shards).items()},
        "grouped_by": list(manifest.splits.group_by),
        "groups": {split: len({episode.group for episode in own}) for split, own in _by_split(shards).items()},
        "tasks": _tasks(shards),
        "action": {
            "sentence": meaning["sentence"],
            "dimensions": [
                {
                    "name": name,
                    "unit": unit,
                    **{key: float(values[i]) for key, values in _columns(action)},
                    "token_error_mean": float(error.mean[i]),
                    "token_error_max": float(error.maximum[i]),
                    "clipped": float(error.clipped[i]),
                }
                for i, (name, unit) in enumerate(zip(meaning["names"], meaning["units"], strict=True))
            ],
        },
        "action_tokens": {key: metadata["action_tokens"][key] for key in ("codec", "codec_version", "normalisation")},
        "rounds": metadata["rounds"],
        "filtered": metadata["filtered"],
        "inputs": ledger.to_json()["counts"],
        "warnings": list(warnings),
    }


def card_markdown(card: Mapping[str, Any], pictures: Sequence[tuple[str, str]]) -> str:
    """`README.md` of a card. pictures: alternative text and file name of each plot."""
    sections = (_head(card), _content(card), _actions(card), _origin(card))
    plots = [line for text, name in pictures for line in (f"![{text}]({name})", "")]
    if plots:
        plots = ["## Plots", "", *plots, "Dashed lines are q01 and q99 of the train split.", ""]
    return "\n".join([line for section in sections for line in section] + plots)


def _camera(manifest: BuildManifest, key: str) -> str | None:
    """The camera behind an image key; None for one that the preset fills."""
    return next((camera for camera, choice in manifest.cameras.items() if choice.key == key), None)


def _by_split(shards: Sequence[Shard]) -> dict[str, list[Episode]]:
    found: dict[str, list[Episode]] = {}
    for shard in shards:
        found.setdefault(shard.split, []).extend(shard.episodes)
    return found


def _extent(episodes: Sequence[Episode]) -> dict[str, float]:
    seconds = sum(len(episode) / episode.rate_hz for episode in episodes)
    return {"episodes": len(episodes), "steps": sum(map(len, episodes)), "hours": round(seconds / 3600.0, 4)}


def _tasks(shards: Sequence[Shard]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for split, episodes in _by_split(shards).items():
        for episode in episodes:
            counts.setdefault(episode.task, Counter())[split] += 1
    return {task: dict(counts[task]) for task in sorted(counts)}


def _columns(action: Statistics) -> Iterator[tuple[str, Any]]:
    yield from (("mean", action.mean), ("std", action.std), ("min", action.minimum), ("max", action.maximum))
    yield from (("q01", action.q01), ("q99", action.q99))


def _head(card: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"# {card['name']} {card['version']}", "", card["description"], "")
    if card["license"]:
        yield from (f"License: {card['license']}.", "")
    yield from ("```python", "import tensorflow_datasets as tfds", "")
    yield from ('builder = tfds.builder_from_directory("path/to/this/folder")',)
    yield from ('episodes = builder.as_dataset(split="train")', "```", "")
    for warning in card["warnings"]:
        yield from (f"> **Note:** {warning}", "")


def _content(card: Mapping[str, Any]) -> Iterator[str]:
    rates = ", ".join(f"{rate:g}" for rate in card["step_rates_hz"])
    images = ", ".join(
        f"`{image['key']}` {image['width']}x{image['height']} ({_origin_of(image)})" for image in card["images"]
    )
    yield from ("## What is in it", "")
    rows = [
        (split, extent["episodes"], extent["steps"], _duration(extent["hours"]), card["groups"][split])
        for split, extent in card["splits"].items()
    ]
    yield from _table(("split", "episodes", "steps", "duration", "groups"), rows)
    groups = ", ".join(card["grouped_by"])
    yield from ("", f"Episodes that share {groups} are one group, and a group is in one split alone.", "")
    yield from (
        f"Robot `{card['robot']}`, steps at {rates} Hz, keys of the preset `{card['preset']}`. Images: {images}.",
        "",
    )
    splits = list(card["splits"])
    tasks = [(task, *(counts.get(split, 0) for split in splits)) for task, counts in card["tasks"].items()]
    yield from (*_table(("task", *splits), tasks), "")
    yield from _filtered(card["filtered"])


def _duration(hours: float) -> str:
    """With two significant digits."""
    seconds = hours * 3600.0
    value, unit = (hours, "h") if hours >= 1.0 else (hours * 60.0, "min") if seconds >= 60.0 else (seconds, "s")
    return f"{float(f'{value:.1e}'):g} {unit}"


def _filtered(tasks: Mapping[str, Any]) -> Iterator[str]:
    """What the filters took from each task; nothing where they took nothing."""
    taken = {task: counts for task, counts in tasks.items() if counts["left_out"]}
    if not taken:
        return
    names = sorted({name for counts in taken.values() for name in counts["left_out"]})
    rows = [
        (task, counts["steps"], *(counts["left_out"].get(name, 0) for name in names), counts["episodes_lost"])
        for task, counts in taken.items()
    ]
    yield from ("Steps that the filters took, and episodes of which they left none:", "")
    yield from (*_table(("task", "steps before", *names, "episodes lost"), rows), "")


def _origin_of(image: Mapping[str, Any]) -> str:
    return f"camera {image['camera']}" if image["camera"] else "no camera: the preset's loader wants the key"


def _actions(card: Mapping[str, Any]) -> Iterator[str]:
    action, tokens = card["action"], card["action_tokens"]
    sentence = action["sentence"]
    yield from ("## Actions", "", f"{sentence[0].upper()}{sentence[1:]}. `metadata.json` says the same as data.", "")
    names = ("mean", "std", "min", "max", "q01", "q99")
    rows = [
        (
            each["name"],
            each["unit"],
            *(f"{each[name]:.5f}" for name in names),
            f"{each['clipped']:.1%}",
            f"{each['token_error_mean']:.2g}",
            f"{each['token_error_max']:.2g}",
        )
        for each in action["dimensions"]
    ]
    yield from _table(("", "unit", *names, "clipped", "token error, mean", "and max"), rows)
    yield from (
        "",
        f"Tokens: {tokens['codec']} codec, version {tokens['codec_version']}, of the action normalised by "
        f"`{tokens['normalisation']}`, in `action_tokens-*.tfrecord`. Statistics are of the train split alone. The "
        "token error is what encoding and decoding changes, in the action's unit, where normalisation does not clip.",
        "",
    )


def _origin(card: Mapping[str, Any]) -> Iterator[str]:
    counts = card["inputs"]
    yield from (
        "## Where it comes from",
        "",
        f"Episodes looked at: {counts['inputs']}; in: {counts['emitted']}; not in: {counts['rejected']}. "
        "`ledger.json` names each with its reason; `build.lock.json` pins their content and their annotations.",
        "",
    )
    if counts["rejected"]:
        yield from (*_table(("not in, because", "episodes"), list(counts["rejected_by_reason"].items())), "")
    names = (
        "round",
        "policy_version",
        "trained_on",
        "episodes",
        "steps",
        "human_steps",
        "intervention_steps",
        "corrections",
    )
    rows = [[each[name] if each[name] not in (None, "") else "–" for name in names] for each in card["rounds"]]
    head = ("round", "policy", "trained on", "episodes", "steps", "by a person", "of them corrections", "takeovers")
    yield from (*_table(head, rows), "")


def _table(head: Sequence[object], rows: Rows) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"
