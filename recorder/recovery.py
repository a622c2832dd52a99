"""What a crash, a kill or a full disk left behind becomes an episode file, or is set aside with a reason."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from recorder.aside import set_aside
from recorder.errors import JournalError, RecorderError, UnusableJournalError
from recorder.finalise import finalise, holds, verdict
from recorder.finaliser import OnFinished
from recorder.intake import read_journal
from recorder.journal import JOURNAL_FOLDER, SUFFIX, lock
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.quality import QualityReport

UNBORN_S = 60.0
"""A journal gets its metadata, and its name, within a moment of its creation."""

State = Literal["finalised", "already finalised", "discarded", "in use", "failed"]


@dataclass(frozen=True)
class Recovered:
    """What became of one journal. rows: samples and events in the episode; cut_bytes: what was cut off at the end.

    quality: the verdict on the episode, where one was asked for.
    """

    journal: Path
    state: State
    episode: Path | None = None
    rows: int = 0
    cut_bytes: int = 0
    message: str = ""
    quality: QualityReport | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for the command's `--json`."""
        return {
            "journal": str(self.journal),
            "state": self.state,
            "episode": str(self.episode) if self.episode else None,
            "rows": self.rows,
            "cut_bytes": self.cut_bytes,
            "message": self.message,
            "quality": self.quality.model_dump(mode="json") if self.quality else None,
        }


def recover(root: Path, quality: bool = False, on_finished: OnFinished | None = None) -> list[Recovered]:
    """Finalise every journal under `root` that no recorder is using, oldest first.

    A journal is removed only when its episode is on the disk and sound; one with nothing usable goes to `discarded/`.
    Safe to run twice, and while a recorder is at work.
    quality: judge the episodes. on_finished: is told of each episode that is a file now, and of the verdict on it, as
    a Recorder tells it; what it raises ends the recovery, and the journals not come to stay for the next.
    """
    _remove_unborn(root / JOURNAL_FOLDER)
    found = []
    for journal in sorted((root / JOURNAL_FOLDER).glob(f"*{SUFFIX}")):
        item = _recover_one(journal, root, quality)
        if item is None:
            continue
        found.append(item)
        if item.episode is not None and on_finished is not None:
            on_finished(item.episode, item.quality)
    return found


def _recover_one(journal: Path, root: Path, quality: bool) -> Recovered | None:
    try:
        descriptor = os.open(journal, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None  # finished by its recorder in this moment
    try:
        if not lock(descriptor):
            return Recovered(journal, "in use", message="a recorder is at work on it")
        if not _is_still(journal, descriptor):
            return None
        return _finalise_or_set_aside(journal, root, quality)
    finally:
        os.close(descriptor)


def _is_still(journal: Path, descriptor: int) -> bool:
    try:
        return journal.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _finalise_or_set_aside(journal: Path, root: Path, quality: bool) -> Recovered:
    try:
        episode = episode_path(root, journal.stem)
        _remove_leftovers(episode)
        if episode.exists() and _is_sound(episode):
            return _remove_if_held(journal, episode, quality)
        if episode.exists():
            set_aside(episode, root, "it is not sound, and its journal is still there to make it anew")
        finished = finalise(journal, root, quality)
    except UnusableJournalError as error:
        kept = set_aside(journal, root, str(error))
        return Recovered(journal, "discarded", message=f"{error}; moved to {kept}")
    except (RecorderError, BadEpisodeError, OSError, ValueError) as error:
        return Recovered(journal, "failed", message=str(error))
    return Recovered(journal, "finalised", finished.path, finished.rows, finished.cut_bytes, quality=finished.quality)


def _remove_if_held(journal: Path, episode: Path, quality: bool) -> Recovered:
    """For a finalisation that was killed between its last two acts, or an id that was used twice."""
    recording = read_journal(journal)
    if not holds(episode, recording):
        raise JournalError(f"{journal} and {episode} differ; move one of them away")
    journal.unlink()
    return Recovered(
        journal, "already finalised", episode, recording.rows, quality=verdict(episode) if quality else None
    )


def _is_sound(episode: Path) -> bool:
    try:
        with EpisodeReader(episode) as reader:
            reader.verify()
    except BadEpisodeError:
        return False
    return True


def _remove_unborn(folder: Path) -> None:
    """Journals whose recorder was killed before they had their metadata, and so before the first message."""
    for leftover in folder.glob(f".*{SUFFIX}.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > UNBORN_S:
                leftover.unlink()


def _remove_leftovers(episode: Path) -> None:
    """Temporary files of a finalisation of this episode that was killed; the claim on its journal makes that sure."""
    for leftover in episode.parent.glob(f".{episode.name}.*.tmp"):
        leftover.unlink()
