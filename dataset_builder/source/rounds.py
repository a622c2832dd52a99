"""The rounds of a dataset: how much each policy version and each round brought, for its metadata and its card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from dataset_builder.rules.lineage import Lineage
from dataset_builder.rules.weights import INTERVENTION, POLICY, takeovers
from dataset_builder.source.trajectory import Trajectory


@dataclass(frozen=True)
class Contribution:
    """What one episode brings. steps = policy_steps + human_steps; intervention_steps: human ones that corrected.

    corrections: how often a person took over from the policy.
    """

    policy_version: str | None
    recorded_wall_ns: int
    outcome: str
    steps: int
    policy_steps: int
    human_steps: int
    intervention_steps: int
    corrections: int

    @classmethod
    def of(cls, trajectory: Trajectory) -> Self:
        human = int(np.count_nonzero(trajectory.action_mode != POLICY))
        return cls(
            policy_version=trajectory.policy_version,
            recorded_wall_ns=trajectory.recorded_wall_ns,
            outcome=trajectory.outcome,
            steps=len(trajectory),
            policy_steps=len(trajectory) - human,
            human_steps=human,
            intervention_steps=int(np.count_nonzero(trajectory.action_mode == INTERVENTION)),
            corrections=len(takeovers(trajectory.action_mode)),
        )


@dataclass(frozen=True)
class RoundSummary:
    """What the episodes of one policy version bring together. policy_version: None for demonstrations.

    root: the first policy of its line. outcomes: episodes by how they ended.
    """

    round: int
    policy_version: str | None
    trained_on: str
    parent: str | None
    root: str | None
    episodes: int
    steps: int
    policy_steps: int
    human_steps: int
    intervention_steps: int
    corrections: int
    outcomes: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return asdict(self)


def round_numbers(contributions: Iterable[Contribution], lineage: Lineage) -> dict[str | None, int]:
    """The round of each policy version that occurs: as `lineage` says, or in the order of first recordings.

    Raises KeyError for a version that `lineage` does not know although it names rounds.
    """
    first: dict[str | None, int] = {}
    for each in contributions:
        earliest = first.get(each.policy_version, each.recorded_wall_ns)
        first[each.policy_version] = min(earliest, each.recorded_wall_ns)
    if lineage.rounds:
        declared = {None: 0} | {each.policy_version: each.round for each in lineage.rounds}
        return {version: declared[version] for version in first}
    in_order = sorted((version for version in first if version is not None), key=lambda v: (first[v], v))
    numbers: dict[str | None, int] = {version: number for number, version in enumerate(in_order, start=1)}
    return ({None: 0} if None in first else {}) | numbers


def summaries(contributions: Iterable[Contribution], lineage: Lineage) -> list[RoundSummary]:
    """One for each policy version that occurs, by round and version, demonstrations first."""
    own: dict[str | None, list[Contribution]] = {}
    for each in contributions:
        own.setdefault(each.policy_version, []).append(each)
    numbers = round_numbers((each for some in own.values() for each in some), lineage)
    ordered = sorted(own, key=lambda version: (numbers[version], version is not None, version or ""))
    return [_summary(version, numbers[version], own[version], lineage) for version in ordered]


def _summary(version: str | None, number: int, own: list[Contribution], lineage: Lineage) -> RoundSummary:
    declared: Mapping[str | None, Any] = {each.policy_version: each for each in lineage.rounds}
    entry = declared.get(version)
    return RoundSummary(
        round=number,
        policy_version=version,
        trained_on=entry.trained_on if entry else "",
        parent=entry.parent if entry else None,
        root=None if version is None else lineage.root(version),
        episodes=len(own),
        steps=sum(each.steps for each in own),
        policy_steps=sum(each.policy_steps for each in own),
        human_steps=sum(each.human_steps for each in own),
        intervention_steps=sum(each.intervention_steps for each in own),
        corrections=sum(each.corrections for each in own),
        outcomes=dict(sorted(Counter(each.outcome for each in own).items())),
    )
