"""What the checks look at: an episode's arrays, read once, with the rows that cannot be used set apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from teleloom.episode.layout import IMPORTED_STREAM
from teleloom.episode.meta import EpisodeMeta
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import span_ns
from teleloom.episode.streams import CAMERA_PREFIX
from teleloom.quality.motion import Motion, even_motion
from teleloom.quality.timing import StreamTiming, stream_timing

Columns = Mapping[str, NDArray]
Mask = NDArray[np.bool_]
Times = NDArray[np.int64]
MAX_SAMPLES = 2_000_000
"""Of an even motion: more than five hours at 100 Hz."""

MAX_MAGNITUDE = 1e9

FrameSource = Callable[[str, Iterable[int]], Iterator[bytes]]


@dataclass(frozen=True)
class Recording:
    """The arrays of one episode, columns as in the file.

    start_ns, end_ns: as teleloom.episode.steps.span_ns has them. cameras: JPEG cameras by name, their times.
    interventions: by name, where (N,) in `tick` it was active. frames: the encoded frames of a camera, by index.
    step_valid: by stream, which steps (T,) had a sample young enough. motion: of the measured joints, which `judge`
    works out once for all checks; None before, and where there is none.
    """

    meta: EpisodeMeta
    start_ns: int
    end_ns: int
    robot: Columns
    tick: Columns
    cameras: Mapping[str, Times]
    timing: Mapping[str, StreamTiming]
    interventions: Mapping[str, Mask] = field(default_factory=dict)
    frames: FrameSource | None = None
    step_t_ns: Times = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    step_valid: Mapping[str, Mask] = field(default_factory=dict)
    motion: Motion | None = None

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9

    def knows(self, columns: Columns, name: str) -> bool:
        """Whether there is such a column with something in it.

        An imported episode has NaN throughout, or no joints at all, where its format says nothing: no fault of it.
        """
        if name not in columns:
            return False
        imported = IMPORTED_STREAM in self.timing
        return not (imported and (not columns[name].size or bool(np.isnan(columns[name]).all())))


def sound_rows(values: NDArray) -> Mask:
    """Which rows (N,) of `values` (N, ...) hold nothing but numbers that a robot can have: finite, within ±1e9."""
    if values.size and values.min() >= -MAX_MAGNITUDE and values.max() <= MAX_MAGNITUDE:
        return np.ones(len(values), dtype=np.bool_)
    sound: Mask = np.abs(values) <= MAX_MAGNITUDE
    return np.asarray(sound.all(axis=tuple(range(1, sound.ndim))))


def usable(columns: Columns, *names: str) -> Mask:
    """Rows whose time rises above all before it and whose named columns are sound."""
    t_ns = columns["t_ns"]
    mask = np.ones(len(t_ns), dtype=np.bool_)
    mask[1:] = t_ns[1:] > np.maximum.accumulate(t_ns)[:-1]
    for name in names:
        mask &= sound_rows(columns[name])
    return mask


def motion_of(columns: Columns, name: str, rate_hz: float, cutoff_hz: float) -> Motion | None:
    """The even motion of the joint column `name`; None with fewer than two usable rows or an absurd span of time."""
    if name not in columns or not columns[name].shape[1]:
        return None
    mask = usable(columns, name)
    t_ns = columns["t_ns"][mask]
    if len(t_ns) < 2 or (t_ns[-1] - t_ns[0]) / 1e9 * rate_hz > MAX_SAMPLES:
        return None
    return even_motion(t_ns, columns[name][mask], rate_hz, cutoff_hz)


def timing_of(streams: Mapping[str, Columns]) -> dict[str, StreamTiming]:
    """The timing of every stream, by name."""
    return {name: stream_timing(columns["t_ns"], columns["seq"]) for name, columns in streams.items()}


def read_recording(reader: EpisodeReader) -> Recording:
    """The arrays of an episode file. Frames are not read here but by the checks that look at them."""
    streams = {name: reader.stream(name) for name in reader.stream_names}
    start_ns, end_ns = span_ns(streams)
    pictures = [name for name in reader.cameras if reader.attributes(f"{CAMERA_PREFIX}{name}").get("codec") == "jpeg"]
    steps = reader.steps()
    tick = streams.get("tick", {})
    return Recording(
        meta=reader.meta,
        start_ns=start_ns,
        end_ns=end_ns,
        robot=streams.get("robot", {}),
        tick=tick,
        cameras={name: streams[f"{CAMERA_PREFIX}{name}"]["t_ns"] for name in pictures},
        timing=timing_of(streams),
        interventions=intervention_masks(tick, reader.attributes("tick") if tick else {}),
        frames=reader.frames,
        step_t_ns=steps.t_ns,
        step_valid={name: aligned.valid for name, aligned in steps.streams.items()},
    )


def intervention_masks(tick: Columns, attributes: Mapping[str, object]) -> dict[str, Mask]:
    """By name of the intervention, in which control ticks (N,) it was active."""
    if "interventions" not in tick:
        return {}
    names = _names(str(attributes.get("intervention_names", "[]")))
    bits = tick["interventions"].astype(np.uint64)
    return {name: (bits >> np.uint64(bit)) & np.uint64(1) == 1 for bit, name in enumerate(names)}


def _names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError:
        return []
    return [str(name) for name in names[:64]] if isinstance(names, list) else []
