"""Lineage: which policy an episode was recorded with, what that policy was trained on, and in which round it was.

In DAgger (Ross et al. 2011; HG-DAgger, Kelly et al. 2019) a policy drives, a person corrects it, and what they recorded
trains the next policy: round 0 are demonstrations, round n was recorded with the policies of round n.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Self

from pydantic import Field, model_validator

from teleloom.config import Config


class Round(Config):
    """A policy version and its round. policy_version: None for demonstrations.

    trained_on: name and version of the dataset that the policy was trained on. parent: the policy version that its
    training went on from.
    """

    round: int = Field(ge=0)
    policy_version: str | None = Field(default=None, min_length=1)
    trained_on: str = ""
    parent: str | None = None


class Lineage(Config):
    """The rounds of a DAgger campaign.

    rounds: one entry for each policy version. Where there are any, an episode of a version that is not among them is
    left out; demonstrations are in round 0 unless an entry without a version says otherwise. Without rounds, policies
    count from round 1 on in the order of their first recordings, and each is taken to descend from no other.
    """

    rounds: tuple[Round, ...] = ()

    @model_validator(mode="after")
    def _parents_come_first(self) -> Self:
        known: dict[str | None, Round] = {}
        for each in self.rounds:
            if each.policy_version in known:
                raise ValueError(f"rounds: {each.policy_version or 'demonstrations'} are in two rounds; name them once")
            known[each.policy_version] = each
        for each in self.rounds:
            if each.parent is None:
                continue
            if each.policy_version is None:
                raise ValueError("rounds: demonstrations have no parent; leave it out")
            if each.parent not in known:
                raise ValueError(f"rounds: '{each.parent}', parent of '{each.policy_version}', is in no round; add it")
            if known[each.parent].round >= each.round:
                raise ValueError(f"rounds: '{each.policy_version}' must be in a later round than '{each.parent}'")
        return self

    def knows(self, policy_version: str | None) -> bool:
        """Whether an episode of this version has a round."""
        return not self.rounds or policy_version is None or policy_version in {r.policy_version for r in self.rounds}

    def warnings(self, policy_versions: Collection[str | None]) -> tuple[str, ...]:
        """Policies that are in a round and drove none of the episodes read, which most often is a slip of the pen."""
        return tuple(
            f"lineage.rounds: no episode that is in has policy_version '{each.policy_version}'"
            for each in self.rounds
            if each.policy_version is not None and each.policy_version not in policy_versions
        )

    def root(self, policy_version: str) -> str:
        """The first policy of the chain of parents that leads to this one; itself where it has none."""
        parents = {each.policy_version: each.parent for each in self.rounds}
        while (parent := parents.get(policy_version)) is not None:
            policy_version = parent
        return policy_version
