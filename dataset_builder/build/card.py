"""The dataset card: the README that travels with a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataset_builder.actions.semantics import ACTION_NAMES
from dataset_builder.ledger import Ledger
from dataset_builder.manifest import BuildManifest


def dataset_card(
    manifest: BuildManifest, metadata: Mapping[str, Any], statistics: Mapping[str, Any], ledger: Ledger
) -> str:
    """Markdown, made from the documents beside it alone."""
    counts = ledger.to_json()["counts"]
    splits = sorted({entry.split for entry in ledger.emitted})
    tokens = metadata["action_tokens"]
    rates = ", ".join(f"{rate:g}" for rate in metadata["step_rates_hz"])
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        manifest.description,
        "",
        "```python",
        "import tensorflow_datasets as tfds",
        "",
        'builder = tfds.builder_from_directory("path/to/this/folder")',
        'episodes = builder.as_dataset(split="train")',
        "```",
        "",
        "## What is in it",
        "",
        *_table(
            ["split", "episodes", "steps"],
            [[split, *_totals(ledger, split)] for split in splits],
        ),
        "",
        f"Robot `{metadata['robot']}`, steps at {rates} Hz, images "
        + ", ".join(f"`{choice.key}` (camera {camera})" for camera, choice in manifest.cameras.items())
        + ". Images are the JPEG bytes that the cameras recorded.",
        "",
        "## Actions",
        "",
        f"{manifest.action.sentence().capitalize()}. `metadata.json` says the same as data.",
        f"`action_tokens` are {tokens['codec']} tokens (version {tokens['codec_version']}, "
        f"{_options(tokens['options'])}) of the action normalised by `{tokens['statistics']}` "
        f"({tokens['normalisation']}, {tokens['statistics_split']} split).",
        "",
        *_table(["", "mean", "std", "min", "max", "q01", "q99"], _statistics_rows(statistics[manifest.name]["action"])),
        "",
        "## Where it comes from",
        "",
        f"Episodes looked at: {counts['inputs']}; in: {counts['emitted']}; not in: {counts['rejected']}. "
        "`ledger.json` names each with its reason; `build.lock.json` pins their content and their annotations.",
        "",
    ]
    if counts["rejected"]:
        rows = [list(row) for row in counts["rejected_by_reason"].items()]
        lines += [*_table(["not in, because", "episodes"], rows), ""]
    return "\n".join(lines)


def _totals(ledger: Ledger, split: str) -> tuple[int, int]:
    steps = [entry.steps for entry in ledger.emitted if entry.split == split]
    return len(steps), sum(steps)


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "no options"


def _statistics_rows(action: Mapping[str, Any]) -> list[list[Any]]:
    columns = [action[name] for name in ("mean", "std", "min", "max", "q01", "q99")]
    return [[name, *(f"{column[i]:.5f}" for column in columns)] for i, name in enumerate(ACTION_NAMES)]


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]


def _row(cells: list[Any]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
