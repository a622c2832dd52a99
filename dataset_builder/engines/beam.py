"""Apache Beam: its DirectRunner on this machine, or any other runner with the options that it wants."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dataset_builder.engines.contract import Done, TaskFailedError, Work
from teleloom.extras import require

DIRECT = "DirectRunner"

# The DirectRunner would first fetch the binary of another runner, and falls back to itself without; a pipeline that
# has this set stays with the Python one. It says nothing to a pipeline without triggers.
_STAY = "--allow_unsafe_triggers"


class Beam:
    """runner, options: as Beam's own command line takes them, e.g. ("--project=robots", "--region=europe-west1").

    A runner elsewhere needs this package on its workers, and the same paths to the episodes and the output.
    """

    name = "beam"
    is_elsewhere = True

    def __init__(self, runner: str = DIRECT, options: Sequence[str] = (), workers: int = 1) -> None:
        direct = [_STAY]
        if workers > 1:
            direct += [f"--direct_num_workers={workers}", "--direct_running_mode=multi_processing"]
        self.flags = [f"--runner={runner}", *(direct if runner == DIRECT else []), *options]

    def run(self, work: Work, tasks: Sequence[str], done: Done) -> None:
        beam = require("apache_beam", "beam")
        options = require("apache_beam.options.pipeline_options", "beam").PipelineOptions(self.flags)
        pipeline = beam.Pipeline(options=options)
        # Reshuffle keeps a runner from fusing all tasks into one piece of work.
        _ = pipeline | beam.Create(list(tasks)) | beam.Reshuffle() | beam.Map(work)
        try:
            result = pipeline.run()
            state = result.wait_until_finish()
        except (RuntimeError, OSError, ValueError) as error:
            raise TaskFailedError(_first_line(error)) from error
        if state not in ("DONE", None):
            raise TaskFailedError(f"Beam's pipeline ended as {state}; its runner's log says why")
        for place in range(len(tasks)):
            done(place)


def _first_line(error: Exception) -> str:
    """The error that a task raised, without Beam's stack of where it was passed on."""
    text = str(error)
    return re.split(r"\s*\[while running|\n", text.strip(), maxsplit=1)[0] or type(error).__name__
