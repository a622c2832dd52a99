"""Cameras that fail, as changes to a sound recording: exactly what a failing one would have left in the streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from teleloom.quality.recording import Recording
from teleloom.quality.timing import stream_timing

Times = NDArray[np.int64]
Mask = NDArray[np.bool_]
Span = tuple[int, int]


def freeze(recording: Recording, camera: str, span: Span) -> Recording:
    """The camera repeats the picture before `span` until its end; its times go on."""
    t_ns, frames = recording.cameras[camera], recording.frames
    assert frames is not None
    hung = (t_ns >= span[0]) & (t_ns <= span[1])
    last = max(0, int(np.argmax(hung)) - 1)

    def repeating(name: str, indices: Iterable[int]) -> Iterator[bytes]:
        wanted = list(indices)
        return frames(name, [last if hung[i] else i for i in wanted] if name == camera else wanted)

    return replace(recording, frames=repeating)


def drop(recording: Recording, camera: str, lost: Mask) -> Recording:
    """The frames in `lost` (N,) never came."""
    frames, kept = recording.frames, np.flatnonzero(~lost)
    assert frames is not None

    def remaining(name: str, indices: Iterable[int]) -> Iterator[bytes]:
        return frames(name, kept[list(indices)] if name == camera else indices)

    return replace(_restamped(recording, camera, recording.cameras[camera][kept]), frames=remaining)


def shift(recording: Recording, camera: str, by_s: float, from_ns: int) -> Recording:
    """From `from_ns` on the frames are stamped `by_s` later than they were taken (earlier where negative)."""
    t_ns = recording.cameras[camera]
    return _restamped(recording, camera, np.sort(t_ns + np.where(t_ns >= from_ns, round(by_s * 1e9), 0)))


def _restamped(recording: Recording, camera: str, t_ns: Times) -> Recording:
    timing = stream_timing(t_ns, np.arange(len(t_ns)))
    return replace(
        recording,
        cameras={**recording.cameras, camera: t_ns},
        timing={**recording.timing, f"cameras/{camera}": timing},
    )
