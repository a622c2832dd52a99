"""Who judged an episode and how, and which of the verdicts decides: pure functions of the events in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from teleloom.catalog.annotations import AnnotationEvent, OutcomeEdit, Score, Segment, Segmentation, Trim, Verdict
from teleloom.config import Config
from teleloom.episode.meta import Outcome

Status = Literal["unreviewed", "approved", "rejected", "disputed"]
_STATUS: dict[str, Status] = {"approve": "approved", "reject": "rejected", "reset": "unreviewed"}


class Opinion(Config):
    """One author's newest verdict, with what the same author said about the episode besides.

    revision: of the verdict. final: it is an adjudication. The rest is None or empty where the author said nothing.
    """

    author: str
    decision: Literal["approve", "reject"]
    reason: str
    score: int | None = None
    outcome: Outcome | None = None
    trim: tuple[int, int] | None = None
    segments: tuple[Segment, ...] = ()
    revision: int
    final: bool = False


@dataclass(frozen=True)
class Ruling:
    """What the verdicts in force come to.

    decider: the verdict that decides; None while there is none, or too few, or they differ. standing: the newest
    verdict of each author that no reset has ended, oldest first.
    """

    status: Status
    decider: AnnotationEvent | None
    standing: tuple[AnnotationEvent, ...]


@dataclass
class _Bench:
    """The verdicts as they come in, one author's newest each."""

    wanted: int
    newest: dict[str, AnnotationEvent] = field(default_factory=dict)
    final: AnnotationEvent | None = None
    reset: AnnotationEvent | None = None

    def hear(self, event: AnnotationEvent, verdict: Verdict) -> None:
        self.newest.pop(event.author, None)
        if verdict.decision != "reset":
            self.newest[event.author] = event
            self.reset = None
            self.final = event if verdict.final else self.final
        elif verdict.final or self.wanted == 1:
            self.newest.clear()
            self.reset = event
            self.final = None if verdict.final else self.final

    def ruling(self) -> Ruling:
        standing = tuple(self.newest.values())
        decisions = {_decision(event) for event in standing}
        if self.final is not None:
            decider: AnnotationEvent | None = self.final
        elif self.reset is not None:
            decider = self.reset
        elif len(standing) < self.wanted or (self.wanted > 1 and len(decisions) > 1):
            decider = None
        else:
            decider = standing[-1]
        if decider is not None:
            return Ruling(_STATUS[_decision(decider)], decider, standing)
        return Ruling("unreviewed" if len(standing) < self.wanted else "disputed", None, standing)


def rule(held: Sequence[AnnotationEvent], reviewers_wanted: int) -> Ruling:
    """What the verdicts among the events in force, oldest first, come to.

    A final verdict decides. Otherwise, where one reviewer is wanted, the newest verdict does; where more are, so many
    different authors must have spoken, and all alike. A reset takes its author's own verdict back; a final one, or any
    where one reviewer is wanted, ends everybody's.
    """
    bench = _Bench(reviewers_wanted)
    for event in held:
        if isinstance(event.annotation, Verdict):
            bench.hear(event, event.annotation)
    return bench.ruling()


def opinions(held: Sequence[AnnotationEvent], ruling: Ruling) -> tuple[Opinion, ...]:
    """The standing verdicts with what their authors said besides, among the events in force."""
    said: dict[str, dict[str, object]] = {event.author: {} for event in ruling.standing}
    for event in held:
        own = said.get(event.author, {})
        match event.annotation:
            case Score(score=score):
                own["score"] = score
            case OutcomeEdit(outcome=outcome):
                own["outcome"] = outcome
            case Trim(start_ns=start_ns, end_ns=end_ns):
                own["trim"] = (start_ns, end_ns)
            case Segmentation(segments=segments):
                own["segments"] = segments
            case Verdict(decision=decision, reason=reason, final=final):
                own |= {"decision": decision, "reason": reason, "final": final, "revision": event.revision}
    return tuple(Opinion.model_validate({"author": author} | own) for author, own in said.items())


def _decision(event: AnnotationEvent) -> str:
    assert isinstance(event.annotation, Verdict)
    return event.annotation.decision
