"""Making the proxies that are missing, one episode after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import av

from review_ui.proxies.episode import OnProgress, encode_episode
from review_ui.proxies.store import ProxyStore
from review_ui.proxies.video import ProxyError
from teleloom.catalog import Catalog, EpisodeRow
from teleloom.episode.reader import BadEpisodeError, EpisodeReader

ENCODING_FAULTS = (BadEpisodeError, ProxyError, OSError, av.FFmpegError)

OnEpisode = Callable[[EpisodeRow, int, int], None]


@dataclass
class EncodeReport:
    """encoded: ids that have a proxy now. failed: by id, why there is none."""

    encoded: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def encode_row(
    catalog: Catalog, store: ProxyStore, row: EpisodeRow, on_progress: OnProgress = lambda done, total: None
) -> None:
    """Make one episode's proxy. Raises one of ENCODING_FAULTS; what was half made is gone then."""
    with EpisodeReader(catalog.path_of(row)) as reader, store.making(row.id) as folder:
        encode_episode(reader, folder, row.content_hash, on_progress)


def encode_missing(
    catalog: Catalog, store: ProxyStore, on_progress: OnEpisode = lambda row, done, total: None
) -> EncodeReport:
    """Make every proxy that is missing or out of date.

    on_progress: is told of each episode when its turn comes, with how many are done, of how many.
    """
    report = EncodeReport()
    rows = store.missing(catalog.episodes())
    for done, row in enumerate(rows):
        on_progress(row, done, len(rows))
        try:
            encode_row(catalog, store, row)
            report.encoded.append(row.id)
        except ENCODING_FAULTS as error:
            report.failed[row.id] = str(error)
    return report
