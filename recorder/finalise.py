"""From a journal to an episode file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from recorder import disk
from recorder.aside import set_aside
from recorder.errors import JournalError
from recorder.intake import Recording, read_journal
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.writer import write_episode
from teleloom.quality import QualityReport, assess

OVERHEAD_BYTES = 1_000_000
EVENT_BYTES = 17
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

    The journal goes only when the file is on the disk and holds what the journal held; one that is damaged, and not
    merely cut, is set aside for whoever can read more of it. The caller has claimed it.
    Raises DiskFullError without room for the file, UnusableJournalError without a usable sample, and JournalError when
    the episode is there already or cannot be written; the journal then stays.
    """
    recording = read_journal(journal)
    path = _write(recording, journal, root)
    if recording.ledger["journal"]["damaged"]:
        set_aside(journal, root, f"bytes behind a damaged record are not in {path.name}")
    else:
        journal.unlink()
    rows, cut_bytes = recording.rows, recording.ledger["journal"]["cut_bytes"]
    return Finished(path, rows, cut_bytes, verdict(path) if quality else None)


def verdict(episode: Path) -> QualityReport:
    """The verdict on an episode file. Raises BadEpisodeError."""
    with EpisodeReader(episode) as reader:
        return assess(reader)


def _write(recording: Recording, journal: Path, root: Path) -> Path:
    """Write the episode file and look whether it holds everything."""
    try:
        path = episode_path(root, recording.meta.episode_id)
        if path.exists():
            raise JournalError(f"{path} is there already; a finished episode is never overwritten")
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.require_room(path, expected_bytes(recording))
        write_episode(path, recording.meta, recording.streams, recording.events, recording.ledger)
        if not holds(path, recording):
            kept = set_aside(path, root, f"it does not hold what {journal.name} holds")
            raise JournalError(f"{journal} is kept, its episode {kept} does not hold all of it; report this")
    except (OSError, ValueError) as error:
        raise JournalError(f"{journal} is kept, its episode could not be written: {error}") from error
    return path


def holds(path: Path, recording: Recording) -> bool:
    """Whether a sound episode file has as many rows in each stream as the recording. Raises BadEpisodeError."""
    with EpisodeReader(path) as reader:
        kept = {name: len(reader.stream(name)["t_ns"]) for name in reader.stream_names}
        events = len(reader.events())
    return kept == {name: len(stream) for name, stream in recording.streams.items()} and events == len(recording.events)


def expected_bytes(recording: Recording) -> int:
    """No less than the episode file will take."""
    tables = sum(column.nbytes for stream in recording.streams.values() for column in stream.columns.values())
    texts = [max((len(getattr(event, name)) for event in recording.events), default=0) for name in ("kind", "reason")]
    events = sum(len(msgspec.json.encode(event.data)) + 4 * sum(texts) + EVENT_BYTES for event in recording.events)
    steps = int(recording.duration_s * recording.meta.step_rate_hz + 1) * STEP_BYTES
    model = 4 * len(recording.meta.robot.model)
    return tables + events + steps + model + recording.frame_bytes + OVERHEAD_BYTES
