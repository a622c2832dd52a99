"""Parts of mixtures for the tests: datasets, questions and a tokenizer, and a manifest that brings them together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
import yaml
from conftest import TASKS, Station
from PIL import Image
from synthetic_episodes import Episode
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from dataset_builder.dataset import Dataset
from dataset_builder.manifest import BuildManifest
from dataset_builder.mixture.manifest import MixtureManifest
from dataset_builder.mixture.mixture import Mixture
from dataset_builder.rlds.records import decode_example
from dataset_builder.rlds.tfrecord import read_records
from dataset_builder.rules.splits import Splits

ONLY_ROBOTS = {"questions": None}

CORPUS = [
    "Q: what action should the robot take to do it? A: 0 128 91 241 5 101 127 217",
    "In: What action should the robot take to please do it?\nOut: yes",
    "Instruction: put the apple into the bowl. Plan: pick up the apple. Action: 0 1 2 3",
    *(str(number) for number in range(256)),
]


def byte_level_tokenizer(path: Path, size: int = 800) -> Path:
    """A byte-level BPE, of Qwen's kind, trained on little."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<s>", "</s>", "<pad>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([f"<extra-{i}>" for i in range(size - tokenizer.get_vocab_size())])
    tokenizer.save(str(path))
    return path


def llama_like_tokenizer(path: Path) -> Path:
    """A BPE that writes a space as `▁` and puts one before the text, as Llama 2's does."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    tokenizer.train_from_iterator((line.replace(" ", "▁") for line in CORPUS), trainer)
    tokenizer.save(str(path))
    return path


def write_questions(folder: Path, count: int = 12) -> Path:
    """A JSONL file of questions about pictures beside it, a JPEG or a PNG each, and one about text alone."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [{"id": "text", "question": "What is red and green?", "answer": "An apple."}]
    for i in range(count - 1):
        pixels = np.full((40, 60, 3), 20 * i, dtype=np.uint8)
        name = f"{i}.png" if i % 2 else f"{i}.jpg"
        if i % 2:
            Image.fromarray(pixels).save(folder / name)
        else:
            (folder / name).write_bytes(simplejpeg.encode_jpeg(pixels, 95))
        rows.append({"id": f"q{i}", "question": f"How bright is it, {i}?", "answer": f"{20 * i}", "image": name})
    path = folder / "vqa.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Kitchen:
    """folder: holds tokenizer.json, vqa/, and the datasets below rlds/. episodes: ids by seed."""

    folder: Path
    station: Station
    dataset: Path
    episodes: tuple[str, ...]

    def document(self, **keys: Any) -> dict[str, Any]:
        """A mixture of the dataset and the questions; `keys` on top, and those that are None are left out."""
        document: dict[str, Any] = {
            "robots": [{"path": str(self.dataset)}],
            "questions": [{"path": "vqa/vqa.jsonl"}],
            "tokenizer": {"path": "tokenizer.json"},
            "placement": {"name": "last", "vocab_size": 800},
            "images": {"size": [32, 40]},
            "batch_size": 8,
            "max_length": 120,
            "cache": "cache",
        }
        return {key: value for key, value in {**document, **keys}.items() if value is not None}

    def open(self, **keys: Any) -> Mixture:
        return Mixture(MixtureManifest.model_validate(self.document(**keys)), self.folder)

    def write(self, name: str = "mixture.yaml", **keys: Any) -> Path:
        """The same as a file."""
        path = self.folder / name
        path.write_text(yaml.safe_dump(self.document(**keys)), encoding="utf-8")
        return path


def build(station: Station, out: Path, name: str, **keys: Any) -> Path:
    """A dataset of everything approved at the station."""
    manifest = BuildManifest.model_validate({"name": name, "splits": Splits(val_fraction=0.3), **keys})
    return station.build(out, manifest).path


def shared_kitchen(folders: pytest.TempPathFactory) -> Kitchen:
    """The one kitchen of a test run, for tests that leave its records as they are."""
    return make_kitchen_once(folders.getbasetemp() / "mixture")


def make_kitchen(folder: Path, episodes: int = 8, **keys: Any) -> Kitchen:
    station = Station(folder / "station")
    station.root.mkdir(parents=True)
    ids = tuple(station.add(Episode(seed=seed, task=TASKS[seed % 3])) for seed in range(episodes))
    byte_level_tokenizer(folder / "tokenizer.json")
    write_questions(folder / "vqa")
    return Kitchen(folder, station, build(station, folder / "rlds", "kitchen", **keys), ids)


make_kitchen_once = cache(make_kitchen)


def records(dataset: Path, split: str = "train") -> list[dict]:
    """The records of a split, decoded, in their order."""
    shards = [shard.name for shard in Dataset.open(dataset).shards() if shard.split == split]
    return [decode_example(record) for name in shards for record in read_records(dataset / name)]
