"""The ranking of a whole corpus: every episode against all others of its task on its robot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from teleloom.quality.corpus import reasons
from teleloom.quality.corpus.features import EpisodeFeatures
from teleloom.quality.corpus.group import Group
from teleloom.quality.corpus.risk import Risk, RiskReason, combine

SOURCES: tuple[Callable[[Group], reasons.Reasons], ...] = (
    reasons.from_findings,
    reasons.from_metrics,
    reasons.from_duration,
    reasons.from_final_pose,
    reasons.from_twins,
)


def rank(features: Sequence[EpisodeFeatures]) -> dict[str, Risk]:
    """How much each episode deserves a look, by its id. It rejects nothing: it says where to look first, and why.

    A group of few episodes says little about what is usual; there the findings of the instant verdict decide.
    """
    groups: dict[tuple[str, str], list[EpisodeFeatures]] = defaultdict(list)
    for episode in features:
        groups[episode.group].append(episode)
    risks: dict[str, Risk] = {}
    for members in groups.values():
        group = Group(members)
        found: dict[int, list[RiskReason]] = defaultdict(list)
        for source in SOURCES:
            for index, reason in source(group):
                found[index].append(reason)
        risks |= {member.episode_id: combine(found[index]) for index, member in enumerate(members)}
    return risks
