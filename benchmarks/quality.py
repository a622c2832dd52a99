"""What judging an episode costs without its pictures: 30 s, 14 joints, robot and control at 200 Hz, CPU time.

The baseline is the same handful of motion figures by the book with scipy: Butterworth filters forth and back, SPARC and
LDLJ from their definitions, and the command lag by correlating each joint over all shifts. It gives five figures and
no time span; the verdict gives some forty, its findings, evidence and signature.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, signal

from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.quality.assess import QUICK_CHECKS, judge
from teleloom.quality.recording import Recording, timing_of
from teleloom.specs import RobotSpec

Array = NDArray[np.float64]

SECONDS, JOINTS, RATE_HZ, EVEN_HZ = 30.0, 14, 200.0, 100.0
LIMIT_MS = 20.0
REPEATS = 25


def recording() -> Recording:
    """An arm that reaches to and fro with some tremor, and the command that it follows."""
    rng = np.random.default_rng(0)
    t_s = np.arange(0.0, SECONDS, 1.0 / RATE_HZ)
    phases, rates = rng.uniform(0.0, 6.0, (2, JOINTS))

    def joints(at_s: Array) -> Array:
        return 0.5 * np.sin(np.outer(at_s, 0.3 + 0.1 * rates) + phases) + 0.001 * np.sin(60.0 * at_s)[:, None]

    t_ns = (t_s * 1e9).astype(np.int64)
    q = joints(t_s)
    pose = np.column_stack([q[:, :3], np.zeros((len(q), 3)), np.ones(len(q))])
    robot = {
        "t_ns": t_ns,
        "seq": np.arange(len(q)),
        "q": q,
        "dq": np.gradient(q, 1.0 / RATE_HZ, axis=0),
        "ee_pose": pose,
        "gripper": (np.sin(t_s) > 0.0).astype(np.float64),
    }
    tick = {
        "t_ns": t_ns,
        "seq": robot["seq"],
        "q_command": joints(t_s + 0.02),
        "target_executed": pose,
        "gripper_command": robot["gripper"],
        "engaged": np.ones(len(q), dtype=bool),
        "mode": np.ones(len(q), dtype=np.uint8),
    }
    return Recording(
        meta=_meta(),
        start_ns=0,
        end_ns=int(t_ns[-1]),
        robot=robot,
        tick=tick,
        cameras={},
        timing=timing_of({"robot": robot, "tick": tick}),
    )


def _meta() -> EpisodeMeta:
    spec = RobotSpec(
        name="two arms",
        joint_names=tuple(f"joint{i}" for i in range(JOINTS)),
        q_min=(-3.0,) * JOINTS,
        q_max=(3.0,) * JOINTS,
        dq_max=(2.0,) * JOINTS,
        ddq_max=(10.0,) * JOINTS,
        effort_max=(80.0,) * JOINTS,
        home_q=(0.0,) * JOINTS,
        rate_hz=RATE_HZ,
        model="<mujoco/>",
    )
    return EpisodeMeta(
        episode_id="benchmark",
        station="benchmark",
        operator="nobody",
        task=TaskInfo(name="to and fro", instructions=(Instruction(text="move to and fro"),)),
        robot=spec,
        anchor=WallAnchor(monotonic_ns=0, wall_ns=0),
        software_version="0",
    )


def by_the_book(episode: Recording) -> tuple[float, ...]:
    """SPARC, LDLJ, shaking, path efficiency and command lag with scipy."""
    measured = _even(episode.robot["t_ns"], episode.robot["q"])
    command = _even(episode.tick["t_ns"], episode.tick["q_command"])
    dq, told = np.gradient(measured, 1.0 / EVEN_HZ, axis=0), np.gradient(command, 1.0 / EVEN_HZ, axis=0)
    speed = np.linalg.norm(dq, axis=1)
    length = 2 ** (int(np.ceil(np.log2(len(speed)))) + 4)
    spectrum = np.abs(np.fft.fft(speed, length))
    spectrum = (spectrum / spectrum.max())[: int(10.0 * length / EVEN_HZ) + 1]
    band = spectrum[: np.flatnonzero(spectrum >= 0.05)[-1] + 1]
    sparc = -np.sum(np.sqrt((1.0 / (len(band) - 1)) ** 2 + np.diff(band) ** 2))
    jerk = np.sum((np.diff(speed, 2) * EVEN_HZ**2) ** 2) / EVEN_HZ
    ldlj = -np.log((len(speed) / EVEN_HZ) ** 3 / speed.max() ** 2 * jerk)
    slow = signal.filtfilt(*signal.butter(2, 2.5, fs=EVEN_HZ), dq, axis=0)
    shaking = np.sqrt(np.convolve(np.sum((dq - slow) ** 2, axis=1), np.full(100, 0.01), mode="valid").max())
    efficiency = np.linalg.norm(measured[-1] - measured[0]) / np.linalg.norm(np.diff(measured, axis=0), axis=1).sum()
    correlation = sum(signal.correlate(dq[:, j], told[:, j], mode="full") for j in range(JOINTS))
    lag = (int(np.argmax(correlation)) - len(dq) + 1) / EVEN_HZ
    return float(sparc), float(ldlj), float(shaking), float(efficiency), lag


def _even(t_ns: NDArray[np.int64], q: Array) -> Array:
    t_s = t_ns / 1e9
    even = interpolate.interp1d(t_s, q, axis=0)(np.arange(t_s[0], t_s[-1], 1.0 / EVEN_HZ))
    return signal.filtfilt(*signal.butter(2, 8.0, fs=EVEN_HZ), even, axis=0)


def least_cpu_ms(work: Callable[[], object]) -> float:
    """CPU time of the quickest of some runs, ms."""
    spent = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return 1000.0 * min(spent)


def main() -> None:
    """Judge one episode and compute the baseline, turn about."""
    episode = recording()
    figure = least_cpu_ms(lambda: judge(episode, run=QUICK_CHECKS))
    baseline = least_cpu_ms(lambda: by_the_book(episode))
    print(
        json.dumps(
            {
                "name": f"verdict on 30 s of 14 joints without pictures (at most {LIMIT_MS:g} ms; baseline: scipy)",
                "figure": round(figure, 2),
                "unit": "ms of CPU",
                "baseline": round(baseline, 2),
                "ratio": round(figure / baseline, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
