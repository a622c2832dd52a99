"""One round of taking up episode files, in a process of its own: enter, assess and rank, then end.

It reads what to do from standard input, where no other user can see the catalog's password, and writes what became of
it to standard output.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from review_ui.service import ReviewService
from teleloom.catalog import Catalog, EpisodeConflictError, UnknownEpisodeError
from teleloom.config import Config
from teleloom.episode.layout import EPISODE_ID, EPISODES_FOLDER
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.quality.assess import assess

NICENESS = 10


class RegisterRequest(Config):
    """files: names in root/episodes. url: the catalog's, None for the root's own."""

    root: Path
    url: str | None
    files: tuple[str, ...]


class RegisterReport(Config):
    """entered: how many files were new. unreadable: per file that is no sound episode, why. ranked: how many episodes
    have a risk now."""

    entered: int
    unreadable: dict[str, str]
    ranked: int


def register_files(catalog: Catalog, root: Path, names: Iterable[str]) -> RegisterReport:
    """Enter the files that the catalog does not know, assessed where nobody did, and rank the corpus anew."""
    entered = 0
    unreadable: dict[str, str] = {}
    for name in names:
        path = root / EPISODES_FOLDER / name
        try:
            entered += _enter(catalog, path)
        except (BadEpisodeError, EpisodeConflictError) as error:
            unreadable[name] = str(error)
    return RegisterReport(entered=entered, unreadable=unreadable, ranked=ReviewService(catalog).rank().ranked)


def _enter(catalog: Catalog, path: Path) -> bool:
    """Whether the file was entered; one that is known as it lies there is not read again."""
    if EPISODE_ID.fullmatch(path.stem):
        try:
            known = catalog.episode(path.stem)
        except UnknownEpisodeError:
            pass
        else:
            same = catalog.path_of(known).absolute() == path.absolute() and known.size_bytes == path.stat().st_size
            if same and known.quality is not None:
                return False
    with EpisodeReader(path) as reader:
        quality = assess(reader).model_dump(mode="json")
    catalog.register(path, quality)
    return True


def main() -> None:
    """One round, as standard input says."""
    os.nice(NICENESS)
    request = RegisterRequest.model_validate(json.load(sys.stdin))
    with Catalog.open(request.url or request.root, root=request.root) as catalog:
        report = register_files(catalog, request.root, request.files)
    print(report.model_dump_json())


if __name__ == "__main__":
    main()
