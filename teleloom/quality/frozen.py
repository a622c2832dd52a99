"""The check for frozen cameras: the one that reads pictures, and so the slow one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teleloom.quality.checks import Checked
from teleloom.quality.config import QualityConfig
from teleloom.quality.images import largest_tile_change, unchanged_bytes
from teleloom.quality.motion import Motion
from teleloom.quality.recording import FrameSource, Recording, motion_of
from teleloom.quality.spans import runs

Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


def check_frozen(recording: Recording, config: QualityConfig) -> Checked:
    """Cameras whose picture stays the same while the arm moves: first by equal bytes, then by nearly equal pictures."""
    checked = Checked()
    motion = motion_of(recording.robot, "q", config.motion_rate_hz, config.motion_cutoff_hz)
    if motion is None or recording.frames is None:
        return checked
    for name, t_ns in recording.cameras.items():
        if len(t_ns) < 2:
            continue
        source = f"cameras/{name}"
        try:
            spans, frozen_s = _frozen_spans(name, t_ns, recording.frames, motion, config)
        except ValueError:
            span = (int(t_ns[0]), int(t_ns[-1]))
            checked.say("unreadable", "fault", span, f"camera '{name}': a frame is not a JPEG", source)
            continue
        checked.metrics[f"{source}.frozen_s"] = frozen_s
        for start, end in spans:
            message = f"camera '{name}' is frozen for {(end - start) / 1e9:.1f} s while the arm moves"
            checked.say("frozen", "fault", (start, end), message, source)
    return checked


def _frozen_spans(
    name: str, t_ns: Times, frames: FrameSource, motion: Motion, config: QualityConfig
) -> tuple[list[tuple[int, int]], float]:
    """Spans in which the picture stands while the arm moves, and the seconds of motion in them."""
    spans = _still_while_moving(unchanged_bytes(frames(name, range(len(t_ns)))), t_ns, motion, config)
    if not spans:
        probes = _probe_indices(t_ns, config.probe_s)
        still = largest_tile_change(frames(name, probes)) < config.frozen_difference
        spans = _still_while_moving(still, t_ns[probes], motion, config)
    return spans, sum(_moving_seconds(span, motion, config) for span in spans)


def _probe_indices(t_ns: Times, period_s: float) -> NDArray[np.int64]:
    """The first frame in each period that has one."""
    _, first = np.unique((t_ns - t_ns[0]) // round(period_s * 1e9), return_index=True)
    return first


def _still_while_moving(still: Mask, t_ns: Times, motion: Motion, config: QualityConfig) -> list[tuple[int, int]]:
    """Runs of frames equal to the one before, from that one on, during which the arm moved for `frozen_s`."""
    spans = [(int(t_ns[first - 1]), int(t_ns[last])) for first, last in runs(still) if first > 0]
    return [span for span in spans if _moving_seconds(span, motion, config) >= config.frozen_s]


def _moving_seconds(span: tuple[int, int], motion: Motion, config: QualityConfig) -> float:
    first, last = np.searchsorted(motion.t_ns, span)
    return float(np.count_nonzero(motion.speed[first:last] > config.moving_speed_rad_s)) / motion.rate_hz
