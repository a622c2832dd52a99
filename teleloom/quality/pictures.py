"""The check of what cameras show: how sharp it is, and whether it moves when the arm does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teleloom.quality.checked import Checked
from teleloom.quality.config import QualityConfig
from teleloom.quality.images import mean_change, sharpness
from teleloom.quality.motion import Motion
from teleloom.quality.recording import FrameSource, Recording
from teleloom.quality.spans import Span, busiest

Array = NDArray[np.float64]
Times = NDArray[np.int64]

SHARPNESS_PICTURES = 8
LAG_PICTURES, LAG_RATE_HZ = 600, 10.0
"""At most so many pictures, at so many a second, are decoded to find a camera's lag."""

LONGEST_LAG_S = 0.5
LAG_GRID_S = 0.01
FEWEST_PICTURES = 20
LEAST_CORRELATION = 0.4
LEAST_UNEVENNESS = 0.3
SHOWN_S = 3.0


def check_pictures(recording: Recording, config: QualityConfig) -> Checked:
    """Sharpness of every camera, and its lag behind the arm. Pictures that cannot be read are left to check_frozen."""
    checked = Checked()
    if recording.frames is None:
        return checked
    motion = recording.motion
    for name, t_ns in recording.cameras.items():
        if len(t_ns) < 2:
            continue
        try:
            _measure_sharpness(checked, name, t_ns, recording.frames)
            if motion is not None:
                _measure_lag(checked, name, t_ns, recording.frames, motion, config)
        except ValueError:
            continue
    return checked


def _measure_sharpness(checked: Checked, name: str, t_ns: Times, frames: FrameSource) -> None:
    probes = np.unique(np.linspace(0, len(t_ns) - 1, SHARPNESS_PICTURES).astype(np.int64))
    sharp = np.array([sharpness(frame) for frame in frames(name, probes)])
    worst = int(np.argmin(sharp))
    around = int(t_ns[probes[max(0, worst - 1)]]), int(t_ns[probes[min(len(probes) - 1, worst + 1)]])
    checked.measure(f"cameras/{name}.sharpness", float(np.median(sharp)), around)


def _measure_lag(
    checked: Checked, name: str, t_ns: Times, frames: FrameSource, motion: Motion, config: QualityConfig
) -> None:
    rate_hz = (len(t_ns) - 1) / max(1e-9, float(t_ns[-1] - t_ns[0]) / 1e9)
    stride = max(1, round(rate_hz / LAG_RATE_HZ), -(-len(t_ns) // LAG_PICTURES))
    taken = np.arange(0, len(t_ns), stride)
    found = picture_lag(t_ns[taken], mean_change(frames(name, taken)), motion)
    if found is None:
        return
    lag_s, span = found
    checked.measure(f"cameras/{name}.lag_s", lag_s, span)
    if abs(lag_s) > config.lag_warning_s:
        late = "late" if lag_s > 0.0 else "early"
        message = f"camera '{name}' shows the arm's motion {1000 * abs(lag_s):.0f} ms {late}"
        checked.say("skew", "warning", span, message, f"cameras/{name}")


def picture_lag(t_ns: Times, change: Array, motion: Motion) -> tuple[float, Span] | None:
    """Seconds by which pictures move after the arm, by their recorded times, and the time that shows it best.

    t_ns, change: (N,) times of the pictures and mean |ΔI| of each to the one before. The lag is the k within ±0.5 s
    for which √|ΔI| correlates best with the way that the joints went from picture to picture, taken k earlier. The
    root keeps a few large changes from deciding alone. None with fewer than 20 pictures; where the arm moves so evenly
    that every k would do; and where nothing correlates, or best at the end of the range: a camera that does not see
    the arm has no lag.
    """
    known = np.isfinite(change) & (t_ns - motion.t_ns[0] > LONGEST_LAG_S * 1e9)
    known &= motion.t_ns[-1] - t_ns > LONGEST_LAG_S * 1e9
    known[0] = False
    last = np.flatnonzero(known)
    if len(last) < FEWEST_PICTURES:
        return None
    steps = round(LONGEST_LAG_S / LAG_GRID_S)
    lags_s = np.arange(-steps, steps + 1) * LAG_GRID_S
    walked = np.concatenate(([0.0], np.cumsum(motion.speed[:-1]))) / motion.rate_hz
    elapsed = (motion.t_ns - motion.t_ns[0]) / 1e9
    seen_s = (t_ns - motion.t_ns[0]) / 1e9
    shifted = np.interp(seen_s[None, :] - lags_s[:, None], elapsed, walked)
    steps_rad = shifted[:, last] - shifted[:, last - 1]
    if float(np.std(steps_rad[steps])) < LEAST_UNEVENNESS * float(np.mean(steps_rad[steps])):
        return None
    ways = _standardised(steps_rad)
    shown = _standardised(np.sqrt(change[last])[None, :])[0]
    correlation = ways @ shown / len(last)
    best = int(np.argmax(correlation))
    if correlation[best] < LEAST_CORRELATION or best in (0, 2 * steps):
        return None
    gain = (ways[best] - ways[steps]) * shown
    period_s = float(np.median(np.diff(seen_s)))
    span, _ = busiest(gain, t_ns[last], round(SHOWN_S / max(period_s, 1e-3)))
    return float(lags_s[best]), span


def _standardised(rows: Array) -> Array:
    """Each row (K, N) less its mean, in units of its standard deviation; zeros where it does not vary."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    return np.asarray(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12))
