"""Which of the approved episodes a dataset is made from."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from teleloom.config import Config
from teleloom.episode.meta import Outcome


class Query(Config):
    """What an approved episode must have to be in; whatever is left out holds for all.

    robot: None takes the robot of most episodes, as a dataset holds one. outcomes, stations, operators, scenes: any of
    them. tags: all of them; without_tags: none of them. min_score: the reviewers' score, 1 to 5; an episode without
    one is out then. recorded_from up to recorded_to: wall time. policy_versions: of the policy that drove, any of
    them. episodes: these ids alone.
    """

    tasks: tuple[str, ...] = ()
    robot: str | None = None
    stations: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    scenes: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    tags: tuple[str, ...] = ()
    without_tags: tuple[str, ...] = ()
    min_score: int | None = Field(default=None, ge=1, le=5)
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None
    policy_versions: tuple[str, ...] = ()
    episodes: tuple[str, ...] = ()
