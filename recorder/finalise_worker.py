"""The process that finalises one journal for a recorder: `python -m recorder.finalise_worker JOURNAL ROOT QUALITY`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from recorder.errors import RecorderError
from recorder.finalise import finalise
from teleloom.episode.reader import BadEpisodeError

NICENESS = 10


def main() -> int:
    """Finalise, and print the result as JSON; on failure say why on standard error and return 1."""
    journal, root, quality = sys.argv[1:]
    os.nice(NICENESS)
    try:
        finished = finalise(Path(journal), Path(root), quality=json.loads(quality))
    except (RecorderError, BadEpisodeError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    report = finished.quality.model_dump(mode="json") if finished.quality else None
    answer = {"path": str(finished.path), "rows": finished.rows, "cut_bytes": finished.cut_bytes, "quality": report}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
