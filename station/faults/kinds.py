"""The faults that are put into episodes, with the reasons of a ranking that would name them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from station.faults.operators import Span
from station.faults.recording import Driving, interrupted, jerky, lingering, saturating, slow, steady
from station.faults.streams import drop, freeze, shift
from teleloom.clock import NS_PER_S
from teleloom.quality.recording import Recording

CAMERA = "front"
SOURCE = f"cameras/{CAMERA}"
AGAIN = 10_000
"""Added to the scene's seed for the operator who does the same scene once more."""

Spoiling = Callable[[Recording, np.random.Generator], tuple[Recording, Span]]
"""Spoils a sound recording; gives it and when the fault is."""


@dataclass(frozen=True)
class Fault:
    """One fault, as bad as `how` says.

    reasons: kinds of risk reasons that name it; source: the stream they must name, "" where any will do. driving: who
    drives while it is recorded. spoiling: what happens to the streams of a sound recording. again: it is a scene of
    the corpus once more. mild: so small that it need not be found every time.
    """

    name: str
    how: str
    reasons: frozenset[str]
    source: str = ""
    driving: Driving = steady
    spoiling: Spoiling | None = None
    again: bool = False
    mild: bool = False

    @property
    def slug(self) -> str:
        """A name for files."""
        return "-".join(f"{self.name} {self.how}".replace("–", " ").split())


def _frozen(for_s: float) -> Spoiling:
    def spoil(recording: Recording, rng: np.random.Generator) -> tuple[Recording, Span]:
        span = _somewhere(recording, for_s, rng)
        return freeze(recording, CAMERA, span), span

    return spoil


def _lossy(share: float, for_s: float) -> Spoiling:
    def spoil(recording: Recording, rng: np.random.Generator) -> tuple[Recording, Span]:
        span, t_ns = _somewhere(recording, for_s, rng), recording.cameras[CAMERA]
        lost = (t_ns >= span[0]) & (t_ns <= span[1]) & (rng.random(len(t_ns)) < share)
        return drop(recording, CAMERA, lost), span

    return spoil


def _skewed(by_s: float, from_share: float = 0.0) -> Spoiling:
    def spoil(recording: Recording, rng: np.random.Generator) -> tuple[Recording, Span]:
        from_ns = recording.start_ns + round(from_share * (recording.end_ns - recording.start_ns))
        shifted = shift(recording, CAMERA, by_s, from_ns)
        return shifted, (from_ns, max(recording.end_ns, int(shifted.cameras[CAMERA][-1])))

    return spoil


def _somewhere(recording: Recording, for_s: float, rng: np.random.Generator) -> Span:
    """A span of this length within the middle of the recording, after the arm set out and before it is done."""
    start_s = rng.uniform(1.5, max(1.6, recording.duration_s - for_s - 1.5))
    start_ns = recording.start_ns + round(start_s * NS_PER_S)
    return start_ns, start_ns + round(for_s * NS_PER_S)


_FROZEN, _JERKY, _SKEW = frozenset({"frozen"}), frozenset({"jerky"}), frozenset({"skew"})
_LOSS = frozenset({"drops", "gap", "invalid-steps"})

FAULTS: tuple[Fault, ...] = (
    Fault("frozen camera", "for 1 s", _FROZEN, SOURCE, spoiling=_frozen(1.0), mild=True),
    Fault("frozen camera", "for 2 s", _FROZEN, SOURCE, spoiling=_frozen(2.0)),
    Fault("frozen camera", "for 4 s", _FROZEN, SOURCE, spoiling=_frozen(4.0)),
    Fault("dropped frames", "a tenth over 3 s", _LOSS, SOURCE, spoiling=_lossy(0.1, 3.0), mild=True),
    Fault("dropped frames", "a third over 3 s", _LOSS, SOURCE, spoiling=_lossy(0.33, 3.0)),
    Fault("dropped frames", "all for 0.6 s", _LOSS, SOURCE, spoiling=_lossy(1.0, 0.6)),
    Fault("long idle", "4 s", frozenset({"idle"}), driving=lingering(4.0), mild=True),
    Fault("long idle", "5 s", frozenset({"idle"}), driving=lingering(5.0)),
    Fault("long idle", "8 s", frozenset({"idle"}), driving=lingering(8.0)),
    Fault("jerky operator", "4 mm for 2.5 s", _JERKY, driving=jerky(0.004, 0.015, 2.5), mild=True),
    Fault("jerky operator", "8 mm for 2.5 s", _JERKY, driving=jerky(0.008, 0.03, 2.5)),
    Fault("jerky operator", "15 mm for 2.5 s", _JERKY, driving=jerky(0.015, 0.05, 2.5)),
    Fault("saturated joints", "for 0.5 s", frozenset({"saturation"}), driving=saturating(1.0, 1.5, 0.5), mild=True),
    Fault("saturated joints", "for 2 s", frozenset({"saturation"}), driving=saturating(1.0, 1.5, 2.0)),
    Fault("near-duplicate", "same scene again", frozenset({"near-duplicate"}), again=True),
    Fault("too long", "at a fifth of the speed", frozenset({"too-long"}), driving=slow(0.12, 0.4)),
    Fault("too short", "kept after 3 s", frozenset({"too-short"}), driving=interrupted(3.0)),
    Fault("camera–state skew", "40 ms late", _SKEW, SOURCE, spoiling=_skewed(0.04), mild=True),
    Fault("camera–state skew", "80 ms late", _SKEW, SOURCE, spoiling=_skewed(0.08)),
    Fault("camera–state skew", "120 ms early", _SKEW, SOURCE, spoiling=_skewed(-0.12)),
    Fault("camera–state skew", "200 ms late from half on", _SKEW, SOURCE, spoiling=_skewed(0.2, 0.5)),
)
