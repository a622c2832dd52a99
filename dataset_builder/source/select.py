"""Which episodes go into a dataset: those that the review approved and the manifest selects.

Everything else is rejected with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dataset_builder.ledger import Rejected, UnfitEpisodeError
from dataset_builder.rules.query import Query
from dataset_builder.source.candidates import Candidate, Selection
from teleloom.catalog import Catalog, EpisodeOutline, EpisodeView
from teleloom.episode.layout import EPISODES_FOLDER, SUFFIX
from teleloom.episode.reader import BadEpisodeError, EpisodeReader

EVERYTHING = Query()
UNREVIEWED = EpisodeView()


def select_episodes(catalog: Catalog, root: Path, query: Query = EVERYTHING) -> Selection:
    """All that `catalog` knows and all files in the episodes folder of `root`, each a candidate or rejected.

    What only the file of an episode knows, such as its scene, is judged when it is read. Raises UnknownEpisodeError
    when `query` names an episode that is not there.
    """
    rows = catalog.outlines()
    warnings = query.warnings(rows)
    misfits = {row.id: query.misfit(row) for row in rows if row.status == "approved"}
    # What was said about an episode is read only where it is needed: it is by far the most of a catalog.
    views = catalog.views([row.id for row in rows if row.status != "unreviewed" and misfits.get(row.id) is None])
    folder = _Folder(root)
    candidates: dict[str, Candidate] = {}
    rejected: list[Rejected] = []
    for row in rows:
        try:
            if (misfit := misfits.get(row.id)) is not None:
                raise UnfitEpisodeError("not-selected", f"{misfit}; change `select` in the manifest if you want it")
            candidate = _candidate(row, views.get(row.id, UNREVIEWED), folder)
            if original := candidates.get(row.content_hash):
                detail = f"the same recording as {original.episode_id}, which is in; nothing is to be done"
                raise UnfitEpisodeError("duplicate", detail)
            candidates[row.content_hash] = candidate
        except UnfitEpisodeError as error:
            rejected.append(Rejected(row.id, error.reason, str(error), row.task))
    strays = list(_strays(folder, rows))
    inputs = (*(row.id for row in rows), *(stray.episode_id for stray in strays))
    return Selection(root, inputs, tuple(candidates.values()), (*rejected, *strays), warnings)


class _Folder:
    """The folder of a station. Its episodes folder may be a link to another disk as a whole, single files may not."""

    def __init__(self, root: Path) -> None:
        self.path = root
        self._homes = (root.resolve(), (root / EPISODES_FOLDER).resolve())
        self._real: dict[Path, Path] = {}

    def real(self, path: Path) -> Path:
        """Where a file really lies. Each folder is looked up once: there may be 100,000 files in it."""
        if path.is_symlink() or path.name == "..":
            return path.resolve()
        if path.parent not in self._real:
            self._real[path.parent] = path.parent.resolve()
        return self._real[path.parent] / path.name

    def holds(self, path: Path) -> bool:
        """Whether a file really lies in it."""
        return any(self.real(path).is_relative_to(home) for home in self._homes)


def _candidate(row: EpisodeOutline, view: EpisodeView, folder: _Folder) -> Candidate:
    if view.status == "rejected":
        detail = f"{view.decided_by} rejected it: {view.reason}; if that was a mistake, `teleloom review undo`"
        raise UnfitEpisodeError("rejected-in-review", detail)
    if view.status == "disputed":
        said = ", ".join(f"{opinion.author}: {opinion.decision}" for opinion in view.opinions)
        detail = f"the reviewers differ ({said}); a lead settles it with `teleloom review adjudicate`"
        raise UnfitEpisodeError("disputed", detail)
    if view.status != "approved":
        raise UnfitEpisodeError("not-approved", "nobody has approved it; review it with `teleloom review`")
    path = folder.path / row.path
    if Path(row.path).is_absolute() or not folder.holds(path):
        where = "leads out of" if path.is_symlink() else "is not in"
        detail = f"its file {where} the station's folder; put the file itself into {EPISODES_FOLDER}/ and rescan"
        raise UnfitEpisodeError("outside-root", detail)
    if not path.is_file():
        gone = "is a folder" if path.is_dir() else "is gone"
        raise UnfitEpisodeError("missing-file", f"its file {row.path} {gone}; restore it from a copy")
    return Candidate(row.id, path, row.path, path.stat().st_size, row.content_hash, view, row.task)


def _strays(folder: _Folder, rows: Sequence[EpisodeOutline]) -> Iterator[Rejected]:
    """Files that the catalog does not know, by file name: nobody can have approved them."""
    ids, known = {row.id for row in rows}, {folder.real(folder.path / row.path) for row in rows}
    for path in sorted((folder.path / EPISODES_FOLDER).glob(f"*{SUFFIX}")):
        if folder.real(path) in known:
            continue
        name = path.name if path.stem in ids else path.stem
        try:
            with EpisodeReader(path) as reader:
                detail = f"{path.name} is not in the catalog; run `teleloom review rescan ROOT`, then review it"
                yield Rejected(name, "not-in-catalog", detail, reader.meta.task.name)
        except BadEpisodeError as error:
            unfit = UnfitEpisodeError.unreadable(error)
            yield Rejected(name, unfit.reason, str(unfit))
