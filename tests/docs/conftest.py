"""What the pages' examples are run on: one real station with one real episode, and a dataset built from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def teleloom(*arguments: str | Path) -> str:
    """What the real command prints; it must succeed."""
    command = [sys.executable, "-m", "station", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a station with one approved episode."""
    root = tmp_path_factory.mktemp("docs") / "station"
    teleloom("record", root, "--lockstep", "--episodes", "1", "--json")
    teleloom("review", "approve", root, "--all-unreviewed", "--by", "anna")
    return root


@pytest.fixture(scope="session")
def episode(station: Path) -> Path:
    """Its episode file."""
    (path,) = (station / "episodes").glob("*.h5")
    return path


@pytest.fixture(scope="session")
def dataset(station: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset built from it."""
    out = tmp_path_factory.mktemp("datasets")
    teleloom("build", station, "--name", "kitchen", "--out", out)
    return out / "kitchen" / "1.0.0"
