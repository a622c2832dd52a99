"""Whatever a station holds comes back from an export, bit for bit; what is broken stays behind alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Station
from exchange_round_trips import assert_came_back, broken_episode, exported, imported
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_episodes import Episode

KEEPS_JPEGS: dict[str, dict[str, str]] = {"aloha": {}, "lerobot": {"images": "image"}, "robomimic": {}}


@settings(max_examples=6, deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=40),
    seconds=st.floats(0.4, 1.2),
    size=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    joints=st.integers(1, 8),
)
def test_whatever_was_recorded_comes_back(
    tmp_path_factory: pytest.TempPathFactory, text: str, seconds: float, size: tuple[int, int], joints: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    station = Station(folder / "station")
    station.root.mkdir()
    spoken = {"kind": "instruction", "action": "replace", "text": text}
    station.add(Episode(seed=3, seconds=seconds, size=size, joints=joints), spoken)
    for target, options in KEEPS_JPEGS.items():
        report = exported(station, target, folder / target, **options)
        assert_came_back(report, imported(folder / target), station, jpegs=True)


@pytest.fixture(scope="module")
def with_a_broken_one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Station, str]:
    """Three sound episodes, and the id of one with an image that cannot be decoded."""
    station = Station(tmp_path_factory.mktemp("broken") / "station")
    station.root.mkdir()
    for seed in range(3):
        station.add(Episode(seed=seed, seconds=0.6))
    return station, broken_episode(station)


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("aloha", {"images": "jpeg"}),
        ("aloha", {"images": "pixels"}),
        ("lerobot", {}),
        ("robomimic", {}),
    ],
)
def test_an_image_that_cannot_be_decoded_rejects_its_episode_alone(
    with_a_broken_one: tuple[Station, str], tmp_path: Path, target: str, options: dict[str, str]
) -> None:
    station, broken = with_a_broken_one
    report = exported(station, target, tmp_path / "out", **options)
    assert [(entry.episode_id, entry.reason) for entry in report.ledger.rejected] == [(broken, "broken-image")]
    report.ledger.check()
    counts = json.loads((tmp_path / "out/ledger.json").read_text())["counts"]
    assert (counts["emitted"], counts["rejected_by_reason"]) == (3, {"broken-image": 1})
    assert len(imported(tmp_path / "out")) == 3
