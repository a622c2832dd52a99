"""From a journal to an episode file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recorder import disk
from recorder.errors import JournalError
from recorder.intake import Recording, read_journal
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.writer import write_episode
from teleloom.quality import QualityReport, assess

OVERHEAD_BYTES = 1_000_000
STEP_BYTES = 1_000
"""More than a row of the step table takes with 14 joints and 8 cameras."""


@dataclass(frozen=True)
class Finished:
    """A finished episode. rows: samples and events in it; cut_bytes: what was left over at the journal's end."""

    path: Path
    rows: int
    cut_bytes: int
    quality: QualityReport | None


def finalise(journal: Path, root: Path, quality: bool = True) -> Finished:
    """Turn a journal, whole or cut, into the episode file under `root`, then remove the journal.

    The journal goes only when the file is on the disk and holds what the journal held. The caller has claimed it.
    Raises DiskFullError without room for the file, UnusableJournalError without a usable sample, and JournalError when
    the episode is there already; the journal then stays.
    """
    recording = read_journal(journal)
    path = episode_path(root, recording.meta.episode_id)
    if path.exists():
        raise JournalError(f"{path} is there already; a finished episode is never overwritten")
    path.parent.mkdir(parents=True, exist_ok=True)
    disk.require_room(path, expected_bytes(recording))
    write_episode(path, recording.meta, recording.streams, recording.events, recording.ledger)
    with EpisodeReader(path) as reader:
        kept = {name: len(reader.stream(name)["t_ns"]) for name in reader.stream_names}
        if kept != {name: len(stream) for name, stream in recording.streams.items()}:
            raise JournalError(f"{path} does not hold what {journal} holds; keep both and report this")
        journal.unlink()
        report = assess(reader) if quality else None
    return Finished(path, recording.rows, recording.ledger["journal"]["cut_bytes"], report)


def expected_bytes(recording: Recording) -> int:
    """No less than the episode file will take."""
    tables = sum(column.nbytes for stream in recording.streams.values() for column in stream.columns.values())
    events = sum(len(event.kind) + len(event.reason) + 10 * len(repr(event.data)) for event in recording.events)
    steps = int(recording.duration_s * recording.meta.step_rate_hz + 1) * STEP_BYTES
    return tables + events + steps + recording.frame_bytes + OVERHEAD_BYTES
