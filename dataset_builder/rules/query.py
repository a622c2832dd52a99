"""Which of the approved episodes a dataset is made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from teleloom.catalog import EpisodeOutline, UnknownEpisodeError
from teleloom.config import Config
from teleloom.episode.meta import EpisodeMeta, Outcome

DEMONSTRATIONS = "human"
"""Stands for the policy's version where none drove."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Query(Config):
    """What an approved episode must have to be in; whatever is left out holds for all.

    robot: None takes the robot of most episodes, as a dataset holds one. outcomes, stations, operators, scenes: any of
    them; an outcome is the one that review left it with. tags: all of them; without_tags: none of them. min_score: the
    reviewers' score, 1 to 5; an episode without one is out then. recorded_from up to recorded_to: wall time, UTC
    unless it names another zone. policy_versions: of the policy that drove, any of them; "human" stands for
    demonstrations. episodes: these ids alone.
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

    @field_validator("recorded_from", "recorded_to", mode="after")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        if moment is None:
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    @model_validator(mode="after")
    def _some_time_at_all(self) -> Self:
        if self.recorded_from and self.recorded_to and self.recorded_from >= self.recorded_to:
            raise ValueError(f"recorded_from {self.recorded_from} must lie before recorded_to {self.recorded_to}")
        return self

    def misfit(self, row: EpisodeOutline) -> str | None:
        """Which criterion an episode of the catalog misses, in words; None where it misses none."""
        for key, had in (("tasks", row.task), ("stations", row.station), ("operators", row.operator)):
            if not _is_among(had, getattr(self, key)):
                return _other(key, had, getattr(self, key))
        if self.robot is not None and row.robot != self.robot:
            return _other("robot", row.robot, [self.robot])
        if not _is_among(row.outcome_now, self.outcomes):
            return _other("outcomes", row.outcome_now, self.outcomes)
        if missing := set(self.tags) - set(row.tags):
            return f"select.tags: it is not tagged {', '.join(sorted(missing))}"
        if unwanted := set(self.without_tags) & set(row.tags):
            return f"select.without_tags: it is tagged {', '.join(sorted(unwanted))}"
        if self.min_score is not None and (row.score is None or row.score < self.min_score):
            return f"select.min_score: its score is {row.score or 'not given'}, not {self.min_score} or more"
        if self.recorded_from is not None and row.created_wall_ns < _wall_ns(self.recorded_from):
            return f"select.recorded_from: it was recorded {_moment(row.created_wall_ns)}, before {self.recorded_from}"
        if self.recorded_to is not None and row.created_wall_ns >= _wall_ns(self.recorded_to):
            return f"select.recorded_to: it was recorded {_moment(row.created_wall_ns)}, not before {self.recorded_to}"
        if not _is_among(row.id, self.episodes):
            return "select.episodes: it is not one of the episodes named"
        return None

    def misfit_of_file(self, meta: EpisodeMeta) -> str | None:
        """The same for what only its file knows."""
        version = meta.policy_version or DEMONSTRATIONS
        for key, had in (("scenes", meta.task.scene), ("policy_versions", version)):
            if not _is_among(had, getattr(self, key)):
                return _other(key, had, getattr(self, key))
        return None

    def warnings(self, rows: Sequence[EpisodeOutline]) -> tuple[str, ...]:
        """What is asked for and no episode of the catalog has, which most often is a slip of the pen.

        Raises UnknownEpisodeError for an episode named that the catalog does not know.
        """
        if unknown := sorted(set(self.episodes) - {row.id for row in rows}):
            raise UnknownEpisodeError(f"select.episodes: the catalog has no {', '.join(unknown)}; correct or remove it")
        there = {
            "tasks": {row.task for row in rows},
            "robot": {row.robot for row in rows},
            "stations": {row.station for row in rows},
            "operators": {row.operator for row in rows},
            "tags": {tag for row in rows for tag in row.tags},
        }
        asked = {key: getattr(self, key) for key in there} | {"robot": () if self.robot is None else (self.robot,)}
        return tuple(
            f"select.{key}: no episode of the catalog has '{name}'; there is {', '.join(sorted(there[key])) or 'none'}"
            for key, names in asked.items()
            for name in names
            if name not in there[key]
        )

    def warnings_of_files(self, scenes: Collection[str], policy_versions: Collection[str | None]) -> tuple[str, ...]:
        """The same for what only the files know, of those that were read."""
        read = {"scenes": scenes, "policy_versions": {version or DEMONSTRATIONS for version in policy_versions}}
        return tuple(
            f"select.{key}: no episode that is in has '{name}'"
            for key, there in read.items()
            for name in getattr(self, key)
            if name not in there
        )


def _is_among(value: str, wanted: Sequence[str]) -> bool:
    return not wanted or value in wanted


def _other(key: str, had: str, wanted: Iterable[str]) -> str:
    return f"select.{key}: it has '{had}', not {' or '.join(wanted)}"


def _wall_ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _moment(wall_ns: int) -> str:
    return (_EPOCH + timedelta(microseconds=wall_ns // 1000)).isoformat(sep=" ", timespec="seconds")
