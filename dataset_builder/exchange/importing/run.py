"""An import at work: foreign episodes one by one into files, and into the catalog as unreviewed."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dataset_builder.exchange.importing.dataset import ForeignDataset, ForeignDatasetError
from dataset_builder.exchange.importing.episode import AlreadyImportedError, ImportedEpisode, UnimportableError
from dataset_builder.exchange.importing.episode_file import write_imported
from dataset_builder.exchange.report import Imported, ImportReport, RejectedSource, Skipped
from dataset_builder.source.gather import Progress
from teleloom.catalog import Catalog, UnknownEpisodeError
from teleloom.episode.layout import EPISODES_FOLDER, SUFFIX, episode_path
from teleloom.episode.reader import EpisodeReader
from teleloom.files import write_json
from teleloom.quality.assess import assess

IMPORTS_FOLDER = "imports"
_LEFTOVER = f".????????-????-8???-????-????????????{SUFFIX}.*.tmp"
"""What a killed import leaves: half a file of an id that only imports give."""


@dataclass
class _Account:
    """What became of each foreign episode so far."""

    inputs: list[str] = field(default_factory=list)
    imported: list[Imported] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    rejected: list[RejectedSource] = field(default_factory=list)


def import_dataset(dataset: ForeignDataset, root: Path, catalog: Catalog, progress: Progress) -> ImportReport:
    """Import every episode of `dataset` into the station `root`, and write the report to `root`/imports.

    An episode is in the catalog as soon as its file is there, with its quality verdict. Killed at any moment and run
    again, it completes: what is there is skipped. Raises ForeignDatasetError when another import of the station is at
    work, CatalogError, and OSError when the disk refuses; what was imported until then stays.
    """
    account = _Account()
    with _alone(root):
        for leftover in (root / EPISODES_FOLDER).glob(_LEFTOVER):
            leftover.unlink(missing_ok=True)
        progress("importing", 0, dataset.count)
        for source in dataset.sources:
            account.inputs.append(source.name)
            try:
                episode = source.read()
                identity = write_imported(root, episode)
                account.imported.append(_imported(source.name, identity, episode))
                _register(catalog, root, identity)
            except AlreadyImportedError as error:
                if error.reason == "duplicate":
                    account.skipped.append(Skipped(source.name, error.episode_id))
                    _register(catalog, root, error.episode_id)
                else:
                    account.rejected.append(RejectedSource(source.name, error.reason, str(error)))
            except UnimportableError as error:
                account.rejected.append(RejectedSource(source.name, error.reason, str(error)))
            progress("importing", len(account.inputs), max(dataset.count, len(account.inputs)))
        report = ImportReport(
            format=dataset.format,
            dataset=dataset.name,
            root=str(root),
            inputs=tuple(account.inputs),
            imported=tuple(account.imported),
            skipped=tuple(account.skipped),
            rejected=tuple(account.rejected),
            not_carried=dataset.not_carried,
            notes=dataset.notes,
        )
        write_json(_report_path(root, dataset), report.to_json())
    return report


def _imported(source: str, identity: str, episode: ImportedEpisode) -> Imported:
    return Imported(source, identity, len(episode), episode.notes, episode.not_carried)


def _register(catalog: Catalog, root: Path, identity: str) -> None:
    """Enter an imported file unless it is known; a run that was killed may have left it out."""
    path = episode_path(root, identity)
    try:
        if catalog.episode(identity).quality is not None:
            return
    except UnknownEpisodeError:
        pass
    with EpisodeReader(path) as reader:
        quality = assess(reader).model_dump(mode="json")
    catalog.register(path, quality)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep out other imports of this station; a lock ends with the process that holds it."""
    folder = root / IMPORTS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ForeignDatasetError(f"another import into {root} is at work; wait for it") from None
        yield
    finally:
        os.close(descriptor)


def _report_path(root: Path, dataset: ForeignDataset) -> Path:
    """A name that no report has yet: imports of one dataset are counted up."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{dataset.format}-{dataset.name}").strip("-.")[:100]
    number = 1
    while (path := root / IMPORTS_FOLDER / f"{slug}-{number}.json").exists():
        number += 1
    return path
