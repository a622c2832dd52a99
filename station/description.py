"""What an episode that begins now says about itself."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from teleloom import __version__
from teleloom.clock import Clock
from teleloom.episode.ids import ENTROPY_BYTES, episode_id
from teleloom.episode.meta import EpisodeMeta, TaskInfo, WallAnchor
from teleloom.specs import CameraSpec, RobotSpec


def describe_episode(
    station: str,
    operator: str,
    clock: Clock,
    *,
    task: TaskInfo,
    robot: RobotSpec,
    cameras: Sequence[CameraSpec],
    step_rate_hz: float = 10.0,
    seed: int | None = None,
    repeatable: bool = False,
) -> EpisodeMeta:
    """The metadata of an episode that begins now. seed: of a simulated scene, None on a real station.

    repeatable: draw the id from seed and clock, so that the same run gives the same ids.
    """
    anchor = clock.anchor()
    chance = np.random.default_rng(seed).bytes(ENTROPY_BYTES) if repeatable else os.urandom(ENTROPY_BYTES)
    return EpisodeMeta(
        episode_id=episode_id(anchor.wall_at(clock.now_ns()), chance),
        station=station,
        operator=operator,
        task=task,
        robot=robot,
        cameras=tuple(cameras),
        anchor=WallAnchor(monotonic_ns=anchor.monotonic_ns, wall_ns=anchor.wall_ns),
        step_rate_hz=step_rate_hz,
        software_version=__version__,
        seed=seed,
        simulated=seed is not None,
    )
