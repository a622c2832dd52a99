"""The ledger of an episode: for each stream what came, what was kept, and why the rest was not.

It is plain JSON: `{"streams": {name: entry}, "alignment": {camera: errors}, "steps": {...}}`, and who records adds what
else it knows (`journal`). For every stream, received = written + the sum of dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teleloom.clock import NS_PER_S
from teleloom.episode.steps import Steps, camera_state_error_ns
from teleloom.episode.streams import CAMERA_PREFIX, Columns

Ledger = dict[str, Any]

LATEST_WINS = ("xr",)
"""Streams of which control takes the newest message alone: those that a newer one overtook never come, by design."""


def skipped_numbers(seq: NDArray[np.int64]) -> int:
    """How many numbers (N,) of a source are left out between the first and the last."""
    jumps = np.diff(seq)
    return int(np.sum(jumps[jumps > 1] - 1))


def stream_entry(
    name: str, columns: Columns, received: int | None = None, dropped: Mapping[str, int] | None = None
) -> Ledger:
    """One stream's account. columns: its rows in time order; received: how many messages came (None: these alone).

    missing_seq: numbers that the source counted and that never came, which is loss before the recorder.
    superseded: the same of a stream in LATEST_WINS, where it is no loss.
    worst_gap_ns: the longest silence between two samples, and worst_gap_at_ns when it began (-1: fewer than two).
    rate_hz: samples per second between the first and the last, 0 with fewer than two.
    """
    t_ns, seq = columns["t_ns"], columns["seq"]
    entry: Ledger = {
        "received": len(t_ns) if received is None else received,
        "written": len(t_ns),
        "dropped": {reason: count for reason, count in sorted((dropped or {}).items()) if count},
        "missing_seq": 0,
        "superseded": 0,
        "first_t_ns": int(t_ns[0]) if len(t_ns) else -1,
        "last_t_ns": int(t_ns[-1]) if len(t_ns) else -1,
        "rate_hz": 0.0,
        "worst_gap_ns": -1,
        "worst_gap_at_ns": -1,
    }
    if len(t_ns) > 1:
        gaps = np.diff(t_ns)
        worst = int(np.argmax(gaps))
        duration = int(t_ns[-1] - t_ns[0])
        if name != "events":  # they come from several sources, each with its own numbers
            entry["superseded" if name in LATEST_WINS else "missing_seq"] = skipped_numbers(seq)
        entry["rate_hz"] = round(len(gaps) * NS_PER_S / duration, 3) if duration else 0.0
        entry["worst_gap_ns"] = int(gaps[worst])
        entry["worst_gap_at_ns"] = int(t_ns[worst])
    return entry


def complete(ledger: Mapping[str, Any], streams: Mapping[str, Columns], steps: Steps) -> Ledger:
    """`ledger` with an entry for every stream, the steps' count and the cameras' alignment errors.

    alignment: over the steps where both are valid, the distance in time of a camera's frame and the robot state it
    is paired with: p50_ns, p99_ns, max_ns (-1 without such a step), and the number of steps.
    """
    entries = {name: stream_entry(name, columns) for name, columns in streams.items()} | dict(ledger.get("streams", {}))
    alignment = {}
    for camera in sorted(name for name in streams if name.startswith(CAMERA_PREFIX)):
        error = camera_state_error_ns(streams, steps, camera)
        p50, p99, worst = np.percentile(error, [50, 99, 100], method="higher") if len(error) else (-1, -1, -1)
        alignment[camera.removeprefix(CAMERA_PREFIX)] = {
            "p50_ns": int(p50),
            "p99_ns": int(p99),
            "max_ns": int(worst),
            "steps": len(error),
        }
    summary = {"count": len(steps), "rate_hz": steps.rate_hz}
    return {**ledger, "streams": dict(sorted(entries.items())), "alignment": alignment, "steps": summary}
