"""Whatever a station holds comes back from an export, bit for bit."""

from __future__ import annotations

import pytest
from conftest import Station
from exchange_round_trips import assert_came_back, exported, imported
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_episodes import Episode


@pytest.mark.parametrize(("target", "options"), [("aloha", {}), ("lerobot", {"images": "image"}), ("robomimic", {})])
@settings(max_examples=6, deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=40),
    seconds=st.floats(0.4, 1.2),
    size=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    joints=st.integers(1, 8),
)
def test_whatever_was_recorded_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    target: str,
    options: dict[str, str],
    text: str,
    seconds: float,
    size: tuple[int, int],
    joints: int,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    station = Station(folder / "station")
    station.root.mkdir()
    spoken = {"kind": "instruction", "action": "replace", "text": text}
    station.add(Episode(seed=3, seconds=seconds, size=size, joints=joints), spoken)
    report = exported(station, target, folder / "out", **options)
    assert_came_back(report, imported(folder / "out"), station, jpegs=True)
