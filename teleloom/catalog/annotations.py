"""What people say about an episode: the kinds of annotation and the event that records one."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from teleloom.config import Config, describe
from teleloom.episode.meta import Outcome

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
TimeNs = Annotated[int, Field(ge=0, lt=2**63)]
Operation = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class BadAnnotationError(ValueError):
    """An annotation that cannot stand: a wrong field, or an undo of what is not there. The message says which."""


class Verdict(Config):
    """Whether the episode goes into datasets. "reset" makes it unreviewed again; rejecting needs a reason.

    spent_s: the seconds that the author was at work on the episode before. final: an adjudication, which settles the
    matter whatever others say.
    """

    kind: Literal["verdict"] = "verdict"
    decision: Literal["approve", "reject", "reset"]
    reason: Text = ""
    spent_s: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | None = None
    final: bool = False

    @model_validator(mode="after")
    def _rejected_for_a_reason(self) -> Self:
        if self.decision == "reject" and not self.reason:
            raise ValueError("to reject an episode, give a reason")
        return self


class InstructionEdit(Config):
    """What the operator was asked to do. "replace": the recorded ways of saying it were wrong, this is right.

    "add": one more way of saying it, in its language (BCP 47).
    """

    kind: Literal["instruction"] = "instruction"
    action: Literal["replace", "add"]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    language: Name = "en"


class OutcomeEdit(Config):
    """How the episode ended, in place of what the operator said."""

    kind: Literal["outcome"] = "outcome"
    outcome: Outcome


class Trim(Config):
    """The part that counts, from start_ns up to end_ns, CLOCK_MONOTONIC as in the episode's streams."""

    kind: Literal["trim"] = "trim"
    start_ns: TimeNs
    end_ns: TimeNs

    @model_validator(mode="after")
    def _start_before_end(self) -> Self:
        _check_span(self.start_ns, self.end_ns)
        return self


class Weight(Config):
    """How often the episode counts in training, relative to others; 1 is as recorded."""

    kind: Literal["weight"] = "weight"
    weight: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


class Tag(Config):
    """A word to find the episode by, put on or taken off."""

    kind: Literal["tag"] = "tag"
    tag: Name
    action: Literal["add", "remove"] = "add"


class Note(Config):
    """Words for other people; nothing depends on them."""

    kind: Literal["note"] = "note"
    text: Annotated[Text, StringConstraints(min_length=1)]


class Score(Config):
    """How well it was done, from 1, barely of use, to 5, as one would teach it."""

    kind: Literal["score"] = "score"
    score: Annotated[int, Field(ge=1, le=5)]


class Segment(Config):
    """One part of the episode, from start_ns up to end_ns: what is done in it, and how that ended."""

    start_ns: TimeNs
    end_ns: TimeNs
    label: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""
    outcome: Outcome | None = None

    @model_validator(mode="after")
    def _start_before_end(self) -> Self:
        _check_span(self.start_ns, self.end_ns)
        return self


class Segmentation(Config):
    """The parts of the episode, in the order of time. The whole list replaces the one before; an empty one is none."""

    kind: Literal["segments"] = "segments"
    segments: Annotated[tuple[Segment, ...], Field(max_length=1000)]

    @model_validator(mode="after")
    def _one_after_another(self) -> Self:
        for before, after in pairwise(self.segments):
            if after.start_ns < before.end_ns:
                raise ValueError(
                    f"segments come in order and do not overlap: one ends at {before.end_ns}, "
                    f"the next begins at {after.start_ns}"
                )
        return self


class Flag(Config):
    """A moment or a span to look at, such as a "mistake" or an "intervention". "remove" takes exactly this one off."""

    kind: Literal["flag"] = "flag"
    label: Name
    start_ns: TimeNs
    end_ns: TimeNs
    action: Literal["add", "remove"] = "add"
    note: Text = ""

    @model_validator(mode="after")
    def _start_not_after_end(self) -> Self:
        if self.start_ns > self.end_ns:
            raise ValueError(f"the start, {self.start_ns}, must not lie after the end, {self.end_ns}")
        return self


class Overlap(Config):
    """How many people are to judge the episode, each without knowing what the others say."""

    kind: Literal["overlap"] = "overlap"
    reviewers: Annotated[int, Field(ge=1, le=5)]


class Undo(Config):
    """Takes back the event with this revision. An undo can itself be taken back."""

    kind: Literal["undo"] = "undo"
    revision: Annotated[int, Field(ge=1)]


Annotation = Annotated[
    Verdict | InstructionEdit | OutcomeEdit | Score | Trim | Segmentation | Flag | Weight | Tag | Note | Overlap | Undo,
    Field(discriminator="kind"),
]
_adapter: TypeAdapter[Annotation] = TypeAdapter(Annotation)


class AnnotationEvent(Config):
    """One annotation as it was recorded.

    revision: its place in the episode's history, from 1. wall_ns: when, ns since the Unix epoch. operation: the
    client's own id of the commit that this event completed, if it gave one; no two events have the same.
    """

    episode_id: str
    revision: Annotated[int, Field(ge=1)]
    author: Name
    wall_ns: int
    annotation: Annotation
    operation: Operation | None = None


def _check_span(start_ns: int, end_ns: int) -> None:
    if start_ns >= end_ns:
        raise ValueError(f"the start, {start_ns}, must lie before the end, {end_ns}")


def parse(data: object) -> Annotation:
    """The annotation in a plain dict with its `kind`. Raises BadAnnotationError naming every fault."""
    try:
        return _adapter.validate_python(data)
    except ValidationError as error:
        raise BadAnnotationError(f"not an annotation:\n{describe(error, Config)}") from None


def summary(annotation: Annotation) -> str:
    """What was done, in a few words that follow a name: "rejected it ('gripper slipped')"."""
    match annotation:
        case Verdict(decision=decision, reason=reason, final=final):
            done = {"approve": "approved it", "reject": "rejected it", "reset": "made it unreviewed"}[decision]
            why = f" ('{reason}')" if reason else ""
            return f"{done}{' for good' if final else ''}{why}"
        case InstructionEdit(action=action, text=text):
            return f"replaced the instruction by '{text}'" if action == "replace" else f"added '{text}'"
        case OutcomeEdit(outcome=outcome):
            return f"set the outcome to {outcome}"
        case Trim(start_ns=start, end_ns=end):
            return f"trimmed it to {(end - start) / 1e9:.2f} s"
        case Weight(weight=weight):
            return f"set its weight to {weight:g}"
        case Tag(tag=tag, action=action):
            return f"tagged it '{tag}'" if action == "add" else f"took the tag '{tag}' off"
        case Note(text=text):
            return f"noted '{text}'"
        case Score(score=score):
            return f"scored it {score}"
        case Segmentation(segments=segments):
            return f"split it into {len(segments)} segments" if segments else "removed its segments"
        case Flag(label=label, start_ns=start, end_ns=end, action=action):
            return f"flagged '{label}' for {(end - start) / 1e9:.2f} s" if action == "add" else f"unflagged '{label}'"
        case Overlap(reviewers=reviewers):
            return f"asked for {reviewers} independent verdict{'s' if reviewers > 1 else ''}"
        case Undo(revision=revision):
            return f"took revision {revision} back"
