"""The check for frozen cameras: the one that reads pictures, and so the slow one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teleloom.quality.checked import Checked
from teleloom.quality.config import QualityConfig
from teleloom.quality.images import largest_tile_change, unchanged_bytes
from teleloom.quality.motion import Motion
from teleloom.quality.recording import FrameSource, Recording
from teleloom.quality.spans import Span, runs

Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


def check_frozen(recording: Recording, config: QualityConfig) -> Checked:
    """Cameras whose picture stays the same while the arm moves: first by equal bytes, then by nearly equal pictures."""
    checked = Checked()
    motion = recording.motion
    if motion is None or recording.frames is None:
        return checked
    for name, t_ns in recording.cameras.items():
        if len(t_ns) < 2:
            continue
        source = f"cameras/{name}"
        try:
            stills = _stills(name, t_ns, recording.frames, motion, config)
        except ValueError:
            span = (int(t_ns[0]), int(t_ns[-1]))
            checked.say("unreadable", "fault", span, f"camera '{name}': a frame is not a JPEG", source)
            continue
        longest = max(stills, key=stills.__getitem__, default=None)
        checked.measure(f"{source}.frozen_s", sum(stills.values()), longest)
        for (start, end), moving_s in stills.items():
            if moving_s >= config.frozen_s:
                message = f"camera '{name}' is frozen for {(end - start) / 1e9:.1f} s while the arm moves"
                checked.say("frozen", "fault", (start, end), message, source)
    return checked


def _stills(name: str, t_ns: Times, frames: FrameSource, motion: Motion, config: QualityConfig) -> dict[Span, float]:
    """Spans in which the picture stands, and for how many seconds of each the arm moves; those with any.

    Where no picture is byte for byte the one before it for long, a few are compared as pictures.
    """
    stills = _while_moving(unchanged_bytes(frames(name, range(len(t_ns)))), t_ns, motion, config)
    if max(stills.values(), default=0.0) >= config.frozen_s:
        return stills
    probes = _probe_indices(t_ns, config.probe_s)
    alike = largest_tile_change(frames(name, probes)) < config.frozen_difference
    looked_at = _while_moving(alike, t_ns[probes], motion, config)
    long = {span: moving_s for span, moving_s in looked_at.items() if moving_s >= config.frozen_s}
    return long or stills


def _probe_indices(t_ns: Times, period_s: float) -> NDArray[np.int64]:
    """The first frame in each period that has one."""
    _, first = np.unique((t_ns - t_ns[0]) // round(period_s * 1e9), return_index=True)
    return first


def _while_moving(still: Mask, t_ns: Times, motion: Motion, config: QualityConfig) -> dict[Span, float]:
    """Runs of frames equal to the one before, from that one on, by the seconds that the arm moved in them, if any."""
    spans = [(int(t_ns[first - 1]), int(t_ns[last])) for first, last in runs(still) if first > 0]
    moving_s = {span: _moving_seconds(span, motion, config) for span in spans}
    return {span: seconds for span, seconds in moving_s.items() if seconds > 0.0}


def _moving_seconds(span: tuple[int, int], motion: Motion, config: QualityConfig) -> float:
    first, last = np.searchsorted(motion.t_ns, span)
    return float(np.count_nonzero(motion.speed[first:last] > config.moving_speed_rad_s)) / motion.rate_hz
