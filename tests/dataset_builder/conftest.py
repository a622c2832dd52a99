"""A station folder with synthetic episodes and a catalog, and a dataset built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from synthetic_episodes import Episode, write

from dataset_builder.build.run import BuildResult, build_dataset
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.query import Query
from dataset_builder.rules.sharding import Sharding
from dataset_builder.rules.splits import Splits
from dataset_builder.source.candidates import Selection
from dataset_builder.source.gather import Gathered, gather
from dataset_builder.source.select import EVERYTHING, select_episodes
from dataset_builder.source.trajectory import Trajectory
from teleloom.catalog import Catalog, parse
from teleloom.episode.layout import episode_path
from teleloom.episode.streams import Stream

TASKS = ("put_in_bowl", "stack", "close_drawer")
MANIFEST = BuildManifest(name="kitchen", shards=Sharding(max_episodes=3), splits=Splits(val_fraction=0.3))


@dataclass(frozen=True)
class Station:
    """A root folder. add: write an episode and say something about it."""

    root: Path

    def add(
        self,
        episode: Episode,
        *annotations: dict[str, object],
        approve: bool = True,
        spoil: Mapping[str, Stream] | None = None,
    ) -> str:
        identity = write(self.root, episode, spoil)
        with Catalog.open(self.root) as catalog:
            catalog.register(episode_path(self.root, identity))
        verdict = [{"kind": "verdict", "decision": "approve"}] if approve else []
        self.annotate(identity, *verdict, *annotations)
        return identity

    def annotate(self, identity: str, *annotations: dict[str, object], author: str = "tester") -> None:
        with Catalog.open(self.root) as catalog:
            for annotation in annotations:
                catalog.annotate(identity, parse(annotation), author, catalog.view(identity).revision)

    def select(self, query: Query = EVERYTHING) -> Selection:
        with Catalog.open(self.root) as catalog:
            return select_episodes(catalog, self.root, query)

    def gather(self, manifest: BuildManifest = MANIFEST) -> Gathered[Trajectory]:
        return gather(self.select(manifest.select).candidates, manifest, lambda *_: None, lambda trajectory: trajectory)

    def build(self, out: Path, manifest: BuildManifest = MANIFEST, force: bool = False) -> BuildResult:
        return build_dataset(self.select(manifest.select), manifest, out, force=force)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    """An empty station."""
    root = tmp_path / "station"
    root.mkdir()
    return Station(root)


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Station, BuildResult]:
    """Eight approved episodes of three tasks, one rejected in review and one that nobody saw; and what was built."""
    folder = tmp_path_factory.mktemp("kitchen")
    station = Station(folder / "station")
    station.root.mkdir()
    for seed in range(8):
        station.add(Episode(seed=seed, task=TASKS[seed % 3]))
    station.add(Episode(seed=8), {"kind": "verdict", "decision": "reject", "reason": "slipped"}, approve=False)
    station.add(Episode(seed=9), approve=False)
    return station, station.build(folder / "rlds")
