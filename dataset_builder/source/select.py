"""Which episodes go into a dataset: those that the review approved. Everything else is rejected with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.ledger import Rejected
from dataset_builder.source.candidates import Candidate, Selection, UnfitEpisodeError
from teleloom.catalog import Catalog, EpisodeRow, EpisodeView
from teleloom.episode.layout import EPISODES_FOLDER, SUFFIX
from teleloom.episode.reader import BadEpisodeError, EpisodeReader


def select_episodes(catalog: Catalog, root: Path) -> Selection:
    """All that `catalog` knows and all files in the episodes folder of `root`, each a candidate or rejected."""
    rows = sorted(catalog.episodes(), key=lambda row: row.id)
    views = catalog.views([row.id for row in rows])
    candidates: dict[str, Candidate] = {}
    rejected: list[Rejected] = []
    for row in rows:
        try:
            candidate = _candidate(row, views[row.id], catalog.path_of(row))
            if original := candidates.get(row.content_hash):
                raise UnfitEpisodeError("duplicate", f"the same recording as {original.episode_id}")
            candidates[row.content_hash] = candidate
        except UnfitEpisodeError as error:
            rejected.append(Rejected(row.id, error.reason, str(error)))
    strays = list(_strays(root, {catalog.path_of(row).resolve() for row in rows}))
    inputs = (*(row.id for row in rows), *(stray.episode_id for stray in strays))
    return Selection(root, inputs, tuple(candidates.values()), (*rejected, *strays))


def _candidate(row: EpisodeRow, view: EpisodeView, path: Path) -> Candidate:
    if view.status == "rejected":
        raise UnfitEpisodeError("rejected-in-review", f"{view.decided_by} rejected it: {view.reason}")
    if view.status == "disputed":
        said = ", ".join(f"{opinion.author}: {opinion.decision}" for opinion in view.opinions)
        raise UnfitEpisodeError("disputed", f"the reviewers differ ({said}); adjudicate it with `teleloom review`")
    if view.status != "approved":
        raise UnfitEpisodeError("not-approved", "nobody has approved it; review it with `teleloom review`")
    if Path(row.path).is_absolute():
        raise UnfitEpisodeError("outside-root", f"{path} is not in the station's folder; move it to {EPISODES_FOLDER}/")
    if not path.is_file():
        raise UnfitEpisodeError("missing-file", f"{path} is gone; restore it from a copy")
    return Candidate(row.id, path, row.path, path.stat().st_size, row.content_hash, view)


def _strays(root: Path, known: set[Path]) -> Iterator[Rejected]:
    """Files that the catalog does not know, by file name: nobody can have approved them."""
    for path in sorted((root / EPISODES_FOLDER).glob(f"*{SUFFIX}")):
        if path.resolve() in known:
            continue
        try:
            with EpisodeReader(path):
                remedy = "run `teleloom review rescan ROOT`, then review it"
                yield Rejected(path.stem, "not-in-catalog", f"{path.name} is not in the catalog; {remedy}")
        except BadEpisodeError as error:
            yield Rejected(path.stem, "bad-file", error.fault)
