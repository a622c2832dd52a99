"""How long the ranking of 100,000 episodes takes: ten tasks on two robots, with near-duplicates looked for.

The features are drawn at random, 44 figures each and as spread as real ones. One group of 10,000 alone is the baseline:
the ratio says how the time grows.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from teleloom.quality.corpus import EpisodeFeatures, rank
from teleloom.quality.signature import POINTS, VALUES

EPISODES, ROBOTS = 100_000, ("panda", "ur5e")
TASKS = tuple(f"task {number}" for number in range(10))
PLAIN = (
    "sparc",
    "ldlj",
    "shake_rad_s",
    "path_efficiency",
    "idle_share",
    "idle_longest_s",
    "saturation_share",
    "tracking_error_p95_rad",
    "command_lag_s",
    "jumps_robot",
    "jumps_tick",
    "interventions",
    "travel_rad",
)
STREAMS = ("robot", "tick", "cameras/front", "cameras/wrist")
PER_STREAM = ("drop_share", "jitter", "invalid_share", "rate_hz", "drops", "lag_s", "sharpness")


def drawn(count: int, groups: int, rng: np.random.Generator) -> list[EpisodeFeatures]:
    """So many episodes in so many groups."""
    names = [*PLAIN, *(f"{stream}.{figure}" for stream in STREAMS for figure in PER_STREAM)]
    figures = rng.gamma(4.0, 0.25, size=(count, len(names)))
    durations = rng.gamma(20.0, 0.5, size=count)
    ways = np.cumsum(rng.normal(0.0, 0.05, size=(count, POINTS, VALUES)), axis=1).reshape(count, -1)
    return [
        EpisodeFeatures(
            episode_id=f"{index:08d}",
            task=TASKS[index % groups % len(TASKS)],
            robot=ROBOTS[index % groups // len(TASKS)],
            start_ns=0,
            end_ns=int(durations[index] * 1e9),
            findings=(),
            metrics=dict(zip(names, figures[index].tolist(), strict=True)) | {"duration_s": float(durations[index])},
            evidence={},
            signature=tuple(ways[index].tolist()),
        )
        for index in range(count)
    ]


def seconds(episodes: list[EpisodeFeatures]) -> float:
    """Wall time of one ranking."""
    began = time.perf_counter()
    risks = rank(episodes)
    spent = time.perf_counter() - began
    reasons = sum(len(risk.reasons) for risk in risks.values())
    print(f"{len(risks)} episodes, {reasons} reasons: {spent:.1f} s", file=sys.stderr)
    return spent


def main() -> None:
    """Rank both corpora."""
    rng = np.random.default_rng(0)
    baseline = seconds(drawn(EPISODES // 10, 1, rng))
    figure = seconds(drawn(EPISODES, len(TASKS) * len(ROBOTS), rng))
    print(
        json.dumps(
            {
                "name": "ranking of 100,000 episodes (baseline: one group of 10,000)",
                "figure": round(figure, 2),
                "unit": "s",
                "baseline": round(baseline, 2),
                "ratio": round(figure / baseline, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
