"""What a ranking says about an episode: how risky it is, and the reasons, each with the time that shows it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from teleloom.config import Config


class RiskReason(Config):
    """One reason for a look. kind: what is wrong; a reason of a finding keeps its finding's kind.

    weight: 0..1, how sure it is to be a fault by itself. start_ns, end_ns: the time that shows it, ns of the episode's
    clock. source: the stream that it was seen in, "" for the episode as a whole. other: the id of the near-duplicate.
    """

    kind: str
    weight: float
    message: str
    start_ns: int
    end_ns: int
    source: str = ""
    other: str | None = None


@dataclass(frozen=True)
class Risk:
    """How much an episode deserves a look. risk: 0 (like all the others) to 1; reasons: the gravest first."""

    risk: float
    reasons: tuple[RiskReason, ...]


NO_RISK = Risk(0.0, ())


def combine(reasons: Iterable[RiskReason]) -> Risk:
    """The risk that the reasons give together: 1 - Π(1 - weight), as of independent signs.

    Of several reasons of one kind and source only the gravest is kept: jerk seen by two measures is one jerk.
    """
    gravest: dict[tuple[str, str, str | None], RiskReason] = {}
    for reason in reasons:
        key = (reason.kind, reason.source, reason.other)
        if key not in gravest or reason.weight > gravest[key].weight:
            gravest[key] = reason
    if not gravest:
        return NO_RISK
    ordered = tuple(sorted(gravest.values(), key=lambda reason: (-reason.weight, reason.kind, reason.start_ns)))
    innocence = math.prod(1.0 - reason.weight for reason in ordered)
    return Risk(round(1.0 - innocence, 4), ordered)
