"""How the arm moved: smoothness, economy, rest, jumps, tracking. Pure functions of times and joint arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]

EDGE_S = 0.1
"""At both ends a low-passed motion is flattened for this long."""

LATE_PERIODS = 1.5


@dataclass(frozen=True)
class Motion:
    """Joint motion on an even grid. t_ns: (N,); q: (N, J) rad, low-passed; dq: (N, J) rad/s; speed: (N,) = ‖dq‖."""

    t_ns: Times
    q: Array
    dq: Array
    speed: Array
    rate_hz: float


def even_motion(t_ns: Times, q: Array, rate_hz: float, cutoff_hz: float) -> Motion:
    """Resample joints (N, J) to an even grid at `rate_hz` and low-pass them at `cutoff_hz` without delay.

    `t_ns` must rise strictly and `q` be finite; at least two samples. Linear interpolation, then a symmetric Gaussian
    whose response is 1/√2 at the cut-off: σ_t = √(ln 2) / (2π f_c).
    """
    period_ns = round(1e9 / rate_hz)
    grid = np.arange(t_ns[0], t_ns[-1] + 1, period_ns, dtype=np.int64)
    if len(grid) < 2:
        grid = np.array([t_ns[0], t_ns[0] + period_ns], dtype=np.int64)
    elapsed, knots = (grid - t_ns[0]).astype(np.float64), (t_ns - t_ns[0]).astype(np.float64)
    even = np.array([np.interp(elapsed, knots, joint) for joint in q.T]).T
    smooth = low_pass(even, rate_hz, cutoff_hz)
    dq = np.gradient(smooth, 1.0 / rate_hz, axis=0)
    return Motion(t_ns=grid, q=smooth, dq=dq, speed=np.sqrt(np.einsum("nj,nj->n", dq, dq)), rate_hz=rate_hz)


def low_pass(values: Array, rate_hz: float, cutoff_hz: float) -> Array:
    """`values` (N, J) on an even grid without what is above `cutoff_hz`, the ends held; no delay."""
    sigma = np.sqrt(np.log(2.0)) / (2.0 * np.pi * cutoff_hz) * rate_hz
    half = max(1, int(np.ceil(4.0 * sigma)))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values.T, ((0, 0), (half, half)), mode="edge")
    return np.array([np.convolve(column, kernel, mode="valid") for column in padded]).T


def sparc(speed: Array, rate_hz: float, cutoff_hz: float = 10.0, floor: float = 0.05) -> float | None:
    """Spectral arc length of a speed profile (N,): closer to 0 is smoother, one minimum-jerk reach has -1.41.

    Minus the arc length of the normalised spectrum of the speed, over the band from 0 to the last frequency below
    `cutoff_hz` whose amplitude reaches `floor` (Balasubramanian, Melendez-Calderon, Roby-Brami and Burdet 2015, with
    their zero padding of 2⁴). None without any motion.
    """
    if len(speed) < 4 or not np.any(speed > 0.0):
        return None
    length = 1 << (int(np.ceil(np.log2(len(speed)))) + 4)
    spectrum = np.abs(np.fft.rfft(speed, length))
    amplitude = spectrum / spectrum.max()
    amplitude = amplitude[: int(cutoff_hz * length / rate_hz) + 1]
    band = amplitude[: int(np.flatnonzero(amplitude >= floor)[-1]) + 1]
    if len(band) < 2:
        return 0.0
    return -float(np.hypot(1.0 / (len(band) - 1), np.diff(band)).sum())


def log_dimensionless_jerk(speed: Array, rate_hz: float) -> float | None:
    """LDLJ of a speed profile (N,), already low-passed: -ln(T³/v²max · ∫v̈²dt); closer to 0 is smoother.

    Balasubramanian, Melendez-Calderon and Burdet 2012. None without any motion.
    """
    if len(speed) < 4 or not np.any(speed > 0.0):
        return None
    duration = len(speed) / rate_hz
    second = np.diff(speed, 2) * rate_hz**2
    jerk = float(np.sum(second**2)) / rate_hz
    if jerk <= 0.0:
        return None
    return -float(np.log(duration**3 / float(speed.max()) ** 2 * jerk))


def path_efficiency(q: Array, cuts: NDArray[np.int64], min_length_rad: float = 0.05) -> float | None:
    """‖q_end - q_start‖ / Σ‖Δq‖ of joints (N, J), per piece between `cuts` (indices), weighted by path length.

    Cut where the gripper opens or closes: there and back between two grasps is work, not waste. None below
    `min_length_rad` of path.
    """
    _, direct, length = _pieces(q, cuts)
    return float(direct.sum() / length.sum()) if length.sum() >= min_length_rad else None


def longest_detour(q: Array, cuts: NDArray[np.int64]) -> tuple[int, int]:
    """First and last index of the piece between `cuts` whose path is longest beyond the direct way."""
    bounds, direct, length = _pieces(q, cuts)
    worst = int(np.argmax(length - direct)) if len(direct) else 0
    return int(bounds[worst]), int(bounds[min(worst + 1, len(bounds) - 1)])


def _pieces(q: Array, cuts: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array, Array]:
    """The K pieces between `cuts`: their bounds (K+1,), the direct way and the path's length of each (K,)."""
    walked = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(q, axis=0), axis=1))))
    bounds = np.unique(np.concatenate(([0], np.clip(cuts, 0, len(q) - 1), [len(q) - 1])))
    return bounds, np.linalg.norm(np.diff(q[bounds], axis=0), axis=1), np.diff(walked[bounds])


def rest(resting: Mask, rate_hz: float) -> tuple[float, float, float]:
    """Share of time at rest, and seconds at rest before the first and after the last motion; `resting` (N,)."""
    moving = np.flatnonzero(~resting)
    if not len(moving):
        return 1.0, len(resting) / rate_hz, len(resting) / rate_hz
    leading, trailing = moving[0] / rate_hz, (len(resting) - 1 - moving[-1]) / rate_hz
    return 1.0 - len(moving) / len(resting), float(leading), float(trailing)


def jumps(t_ns: Times, values: Array, limit: Array, z: float, limit_share: float) -> Mask:
    """Steps (N-1,) in `values` (N, J) that are both outliers and faster than `limit_share` of `limit` (J,) per s.

    Outlier: modified z-score 0.6745·|x - median|/MAD above `z` (Iglewicz and Hoaglin 1993). `t_ns` rises strictly.
    How long a step took is judged with fairness to a busy machine: see `step_seconds`.
    """
    steps = np.diff(values, axis=0)
    fast = np.abs(steps) > limit_share * limit * step_seconds(t_ns)[:, None]
    found = np.zeros(len(steps), dtype=np.bool_)
    for joint in np.flatnonzero(fast.any(axis=0)) if fast.any() else ():
        distance = np.abs(steps[:, joint] - np.median(steps[:, joint]))
        found |= fast[:, joint] & (0.6745 * distance > z * np.median(distance))
    return found


def step_seconds(t_ns: Times) -> Array:
    """The longest time (N-1,), s, that each step between samples at `t_ns` (N,) may really have taken.

    A loop that was late once gives two times close together, though its step is that of a whole period: so no step
    takes less than the median one. And what a late sample holds may be from when it was due, which is no longer ago
    than the sample before it: so a step from a sample that came more than LATE_PERIODS after its last has that time
    too.
    """
    gaps = np.diff(t_ns) / 1e9
    period = np.median(gaps)
    before = np.concatenate(([0.0], gaps[:-1]))
    late = np.where(before > LATE_PERIODS * period, before, 0.0)
    return np.asarray(np.maximum(gaps + late, period))


def tracking_error(t_command: Times, q_command: Array, t_state: Times, q: Array) -> tuple[Times, Array]:
    """Largest joint distance, rad, of each measured state from the command given just before it.

    Returns the times (N,) and errors (N,) of the states that have a command before them: |a_t - s_(t+1)|.
    """
    index = np.searchsorted(t_command, t_state, side="left") - 1
    known = index >= 0
    return t_state[known], np.abs(q_command[index[known]] - q[known]).max(axis=1)


def command_lag(command: Motion, measured: Motion, longest_s: float = 0.5) -> float | None:
    """Seconds by which the measured speed follows the commanded one: argmax over k of corr(Δa_t, Δs_(t+k)).

    Both motions lie on grids of the same rate; they are cut to their common time. None without motion in both.
    """
    edge = int(EDGE_S * command.rate_hz)
    start = max(command.t_ns[0], measured.t_ns[0])
    a = command.dq[np.searchsorted(command.t_ns, start) + edge : len(command.dq) - edge]
    s = measured.dq[np.searchsorted(measured.t_ns, start) + edge : len(measured.dq) - edge]
    count, shifts = min(len(a), len(s)), int(longest_s * command.rate_hz)
    if count <= shifts + 1 or not (np.any(a) and np.any(s)):
        return None
    a = np.ascontiguousarray(a[: count - shifts].T)
    s = np.ascontiguousarray(s[:count].T)
    products = np.array([np.einsum("jn,jn->", a, s[:, k : k + a.shape[1]]) for k in range(shifts + 1)])
    energy = np.concatenate(([0.0], np.cumsum(np.einsum("jn,jn->n", s, s))))
    energies = energy[a.shape[1] :] - energy[: shifts + 1]
    if not np.all(energies > 0.0):
        return None
    return int(np.argmax(products / np.sqrt(energies))) / command.rate_hz


def saturated(dq: Array, limit: Array) -> Mask:
    """Where (N,) any joint of `dq` (N, J) runs at 95% of its speed `limit` (J,) or more."""
    fast: Mask = np.abs(dq) > 0.95 * limit
    return np.asarray(fast.any(axis=1))
