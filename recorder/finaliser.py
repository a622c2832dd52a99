"""Who finalises a stopped episode: this thread, or a process of its own that no control loop feels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from recorder.errors import JournalError
from recorder.finalise import Finished, finalise
from recorder.journal import JournalWriter
from teleloom.quality import QualityReport

OnFinished = Callable[[Path, QualityReport | None], None]


class PendingEpisode:
    """An episode that was stopped and is being finalised."""

    def __init__(self, episode_id: str, future: Future[Finished]) -> None:
        self.episode_id = episode_id
        self._future = future

    def done(self) -> bool:
        """Whether it is finalised, or has failed."""
        return self._future.done()

    def result(self, timeout: float | None = None) -> Path:
        """The episode file. Waits at most `timeout` seconds, then raises TimeoutError.

        Raises RecorderError when it could not be finalised; the message says where the journal is and what to do.
        """
        return self._future.result(timeout).path

    def quality(self, timeout: float | None = None) -> QualityReport | None:
        """The verdict on the episode, None where none was asked for. Waits and raises as `result` does."""
        return self._future.result(timeout).quality


def finalise_here(journal: JournalWriter, root: Path, quality: bool, on_finished: OnFinished) -> Future[Finished]:
    """Finalise before returning; the future is done."""
    future: Future[Finished] = Future()
    try:
        future.set_result(_report(finalise(journal.path, root, quality), on_finished))
    except (OSError, RuntimeError, ValueError) as error:
        traceback.clear_frames(error.__traceback__)  # they would keep the journal mapped, and its disk busy
        future.set_exception(error)
    finally:
        journal.close()
    return future


class BackgroundFinaliser:
    """Finalises one episode after the other, each in a process of its own, while the next is recorded."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="finalise")

    def submit(self, journal: JournalWriter, root: Path, quality: bool, on_finished: OnFinished) -> Future[Finished]:
        """Finalise as soon as those before are done. `on_finished` is called in the finaliser's thread."""
        return self._executor.submit(self._run, journal, root, quality, on_finished)

    def close(self) -> None:
        """Wait for everything submitted."""
        self._executor.shutdown(wait=True)

    def _run(self, journal: JournalWriter, root: Path, quality: bool, on_finished: OnFinished) -> Finished:
        try:
            return _report(_finalise_in_process(journal, root, quality), on_finished)
        finally:
            journal.close()


def _report(finished: Finished, on_finished: OnFinished) -> Finished:
    on_finished(finished.path, finished.quality)
    return finished


def _finalise_in_process(journal: JournalWriter, root: Path, quality: bool) -> Finished:
    # The open journal goes along, so its claim holds even if this process dies before the child is done.
    run = subprocess.run(
        [sys.executable, "-m", "recorder.finalise_worker", str(journal.path), str(root), json.dumps(quality)],
        pass_fds=(journal.descriptor,),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        check=False,
    )
    if run.returncode != 0:
        why = (run.stderr.strip().splitlines() or [f"the process ended with {run.returncode}"])[-1]
        raise JournalError(f"{journal.path} could not be finalised and is kept: {why}; run `teleloom recover {root}`")
    answer = json.loads(run.stdout)
    report = QualityReport.model_validate(answer["quality"]) if answer["quality"] else None
    return Finished(Path(answer["path"]), answer["rows"], answer["cut_bytes"], report)
