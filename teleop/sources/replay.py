"""An operator made of recorded frames: what a hand did once is done again, with its own timing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from teleloom.clock import Clock, MonotonicClock
from teleloom.episode.reader import EpisodeReader
from teleloom.messages import Controller, XrFrame
from teleop.operator import HapticPattern, Hud, OperatorError
from teleop.sources.newest import HANDS, carry_faults


class ReplayOperator:
    """An Operator that gives recorded XrFrames again, each as long after `open` as it once came.

    frames: in order of time. start_ns: the recorded time that `open` becomes, by default the first frame's. Only the
    times change; a gap in `seq` stays a gap. After the last frame there is nothing more, and the loop holds.
    """

    def __init__(self, frames: Iterable[XrFrame], clock: Clock | None = None, start_ns: int | None = None) -> None:
        self._frames = tuple(frames)
        if not self._frames:
            raise OperatorError("nothing to replay: there is no frame; record an episode with an operator first")
        times = [frame.t_ns for frame in self._frames]
        if sorted(times) != times:
            raise OperatorError("cannot replay frames that are not in order of their times; sort them by t_ns")
        self._clock = clock or MonotonicClock()
        self._start_ns = times[0] if start_ns is None else start_ns
        self._shift_ns: int | None = None
        self._next = 0

    @classmethod
    def from_episode(cls, path: Path, clock: Clock | None = None, start_ns: int | None = None) -> Self:
        """The operator of a recorded episode. Raises BadEpisodeError, or OperatorError without an 'xr' stream."""
        with EpisodeReader(path) as episode:
            if "xr" not in episode.stream_names:
                raise OperatorError(f"{path} has no 'xr' stream to replay; choose an episode that an operator drove")
            return cls(frames_of(episode.stream("xr")), clock, start_ns)

    @property
    def done(self) -> bool:
        """Whether the last frame has been given."""
        return self._next == len(self._frames)

    def open(self) -> None:
        """Begin: the recorded `start_ns` is now."""
        self._shift_ns = self._clock.now_ns() - self._start_ns
        self._next = 0

    def poll(self) -> XrFrame | None:
        """The newest frame that is due and was not given before, or None."""
        if self._shift_ns is None:
            return None
        newest: XrFrame | None = None
        now_ns = self._clock.now_ns() - self._shift_ns
        while not self.done and self._frames[self._next].t_ns <= now_ns:
            newest = carry_faults(newest, self._frames[self._next])
            self._next += 1
        return None if newest is None else msgspec.structs.replace(newest, t_ns=newest.t_ns + self._shift_ns)

    def feedback(self, haptics: HapticPattern, hud: Hud) -> None:
        """A recording feels nothing."""

    def close(self) -> None:
        """Stop giving frames."""
        self._shift_ns = None


def frames_of(columns: dict[str, NDArray[Any]]) -> list[XrFrame]:
    """The messages of an episode's 'xr' stream, from its columns."""
    rows = {name: values.tolist() for name, values in columns.items()}
    return [_frame(rows, i) for i in range(len(rows["t_ns"]))]


def _frame(rows: dict[str, list[Any]], i: int) -> XrFrame:
    device_ns, head = rows["t_device_ns"][i], rows["head"][i]
    left, right = (_hand(rows, hand, i) for hand in HANDS)
    return XrFrame(
        t_ns=rows["t_ns"][i],
        seq=rows["seq"][i],
        t_device_ns=None if device_ns < 0 else device_ns,
        head=None if np.isnan(head).all() else tuple(head),
        left=left,
        right=right,
    )


def _hand(rows: dict[str, list[Any]], hand: str, i: int) -> Controller | None:
    """A hand that did not exist was written without a squeeze."""
    values: dict[str, Any] = {name: rows[f"{hand}_{name}"][i] for name in Controller.__struct_fields__}
    if np.isnan(values["squeeze"]):
        return None
    return msgspec.convert(values, Controller)
