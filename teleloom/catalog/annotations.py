"""What people say about an episode: the kinds of annotation and the event that records one."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from teleloom.config import Config, describe
from teleloom.episode.meta import Outcome

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
TimeNs = Annotated[int, Field(ge=0, lt=2**63)]


class BadAnnotationError(ValueError):
    """An annotation that cannot stand: a wrong field, or an undo of what is not there. The message says which."""


class Verdict(Config):
    """Whether the episode goes into datasets. "reset" makes it unreviewed again; rejecting needs a reason."""

    kind: Literal["verdict"] = "verdict"
    decision: Literal["approve", "reject", "reset"]
    reason: Text = ""

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
        if self.start_ns >= self.end_ns:
            raise ValueError(f"the start, {self.start_ns}, must lie before the end, {self.end_ns}")
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


class Undo(Config):
    """Takes back the event with this revision. An undo can itself be taken back."""

    kind: Literal["undo"] = "undo"
    revision: Annotated[int, Field(ge=1)]


Annotation = Annotated[
    Verdict | InstructionEdit | OutcomeEdit | Trim | Weight | Tag | Note | Undo, Field(discriminator="kind")
]
_adapter: TypeAdapter[Annotation] = TypeAdapter(Annotation)


class AnnotationEvent(Config):
    """One annotation as it was recorded.

    revision: its place in the episode's history, from 1. wall_ns: when, ns since the Unix epoch.
    """

    episode_id: str
    revision: Annotated[int, Field(ge=1)]
    author: Name
    wall_ns: int
    annotation: Annotation


def parse(data: object) -> Annotation:
    """The annotation in a plain dict with its `kind`. Raises BadAnnotationError naming every fault."""
    try:
        return _adapter.validate_python(data)
    except ValidationError as error:
        raise BadAnnotationError(f"not an annotation:\n{describe(error, Config)}") from None


def summary(annotation: Annotation) -> str:
    """What was done, in a few words that follow a name: "rejected it ('gripper slipped')"."""
    match annotation:
        case Verdict(decision=decision, reason=reason):
            done = {"approve": "approved it", "reject": "rejected it", "reset": "made it unreviewed"}[decision]
            return f"{done} ('{reason}')" if reason else done
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
        case Undo(revision=revision):
            return f"took revision {revision} back"
