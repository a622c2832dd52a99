"""The demo as a stranger runs it: one command, and everything that it leaves behind."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dataset_builder.dataset import Dataset
from teleloom.catalog import Catalog
from teleloom.episode.reader import EpisodeReader

SEED = 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "station", *arguments], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, dict[str, Any]]]:
    """The same demo twice."""
    made = []
    for _ in range(2):
        out = tmp_path_factory.mktemp("demo") / "out"
        done = run("demo", "--out", str(out), "--seed", str(SEED), "--json")
        assert done.returncode == 0, done.stderr
        made.append((out, json.loads(done.stdout)))
    return made


def files(folder: Path, pattern: str) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob(pattern))
    }


def test_records_at_least_five_episodes_of_three_tasks_and_rejects_the_spoiled_one(
    demos: list[tuple[Path, dict[str, Any]]],
) -> None:
    out, summary = demos[0]
    episodes = summary["episodes"]
    assert len(episodes) >= 6
    approved = [episode for episode in episodes if episode["status"] == "approved"]
    rejected = [episode for episode in episodes if episode["status"] == "rejected"]
    assert len(approved) >= 5
    assert len({episode["task"] for episode in approved}) >= 3
    assert [episode["verdict"] for episode in rejected] == ["bad"]
    assert "front" in rejected[0]["reason"]
    assert "frozen" in rejected[0]["reason"]
    with Catalog.open(out / "station") as catalog:
        decided_by = {catalog.view(row.id).decided_by for row in catalog.episodes()}
    assert decided_by == {"demo"}


def test_every_episode_has_two_cameras_and_a_balanced_ledger(demos: list[tuple[Path, dict[str, Any]]]) -> None:
    out, summary = demos[0]
    for episode in summary["episodes"]:
        with EpisodeReader(out / "station" / "episodes" / f"{episode['id']}.h5") as reader:
            assert set(reader.cameras) == {"front", "wrist"}
            for stream, account in reader.ledger["streams"].items():
                dropped = sum(account["dropped"].values())
                assert account["received"] == account["written"] + dropped, stream
                assert dropped == 0
            for stream in reader.stream_names:
                seq = reader.stream(stream)["seq"]
                assert (seq[1:] - seq[:-1] == 1).all(), f"{stream} skips numbers"


def test_the_same_seed_gives_the_same_shards_and_stream_hashes(demos: list[tuple[Path, dict[str, Any]]]) -> None:
    (first, _), (second, _) = demos
    shards = files(first, "*.tfrecord-*")
    assert shards
    assert shards == files(second, "*.tfrecord-*")
    paths = sorted((first / "station" / "episodes").glob("*.h5"))
    for path in paths:
        with EpisodeReader(path) as a, EpisodeReader(second / "station" / "episodes" / path.name) as b:
            assert a.stream_hashes() == b.stream_hashes()
            assert a.content_hash() == b.content_hash()


def test_inputs_are_emitted_or_rejected_with_a_reason(demos: list[tuple[Path, dict[str, Any]]]) -> None:
    out, summary = demos[0]
    ledger = Dataset.open(out / summary["dataset"]["path"]).ledger
    counts = ledger["counts"]
    assert counts["inputs"] == len(summary["episodes"])
    assert counts["inputs"] == counts["emitted"] + counts["rejected"]
    assert all(entry["reason"] for entry in ledger["rejected"])
    assert summary["verify"]["sound"]
    assert summary["verify"]["compared"] == counts["emitted"]


def test_leaves_a_report_with_a_page_for_every_episode(demos: list[tuple[Path, dict[str, Any]]]) -> None:
    out, summary = demos[0]
    index = (out / summary["report"]).read_text()
    for episode in summary["episodes"]:
        assert f"episodes/{episode['id']}.html" in index
        assert (out / "report" / "episodes" / f"{episode['id']}.html").exists()
    assert "not yet" not in index


def test_replaces_an_earlier_demo_but_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    refused = run("demo", "--out", str(tmp_path))
    assert refused.returncode == 1
    assert "no demo made" in refused.stderr
    assert "--out" in refused.stderr
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
