"""How fast lockstep recording runs: two cameras of 256 x 256 at 10 Hz, on one core, against real time."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

TAKES = (("put-in-bowl", 0), ("stack", 1), ("put-on-plate", 2))


def main() -> None:
    """Record and finalise three episodes; building the scenes and judging the quality count too."""
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    # Read when the renderer's library is loaded: it must not start threads for cores that it may not use. Hence the
    # imports after it.
    os.environ["LP_NUM_THREADS"] = "0"
    from recorder.config import RecorderConfig
    from recorder.recorder import Recorder
    from station.demo import Take, record_take
    from teleloom.clock import NS_PER_S, VirtualClock

    with tempfile.TemporaryDirectory() as folder:
        clock = VirtualClock()
        recorder = Recorder(Path(folder), RecorderConfig(lockstep=True), clock)
        record_take(Take("put-in-bowl"), recorder, clock, 99)
        began_ns, began_s, began_cpu_s = clock.now_ns(), time.perf_counter(), time.process_time()
        for task, seed in TAKES:
            record_take(Take(task), recorder, clock, seed)
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        robot_s = (clock.now_ns() - began_ns) / NS_PER_S
        recorder.close()
    print(f"{robot_s:.1f} s of robot time in {wall_s:.1f} s ({cpu_s:.1f} s of CPU) on core {core}", file=sys.stderr)
    figure = robot_s / cpu_s
    print(
        json.dumps(
            {
                "name": "lockstep recording, 2 cameras 256x256 at 10 Hz, one core",
                "figure": round(figure, 2),
                "unit": "s of robot time per CPU s",
                "baseline": 1.0,
                "ratio": round(figure, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
