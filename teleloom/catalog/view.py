"""What holds for an episode now: a pure function of everything that was said about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from teleloom.catalog.annotations import (
    AnnotationEvent,
    BadAnnotationError,
    InstructionEdit,
    Note,
    OutcomeEdit,
    Tag,
    Trim,
    Undo,
    Verdict,
    Weight,
)
from teleloom.config import Config
from teleloom.episode.meta import Instruction, Outcome, TaskInfo

Status = Literal["unreviewed", "approved", "rejected"]
_STATUS: dict[str, Status] = {"approve": "approved", "reject": "rejected", "reset": "unreviewed"}


class EpisodeView(Config):
    """The derived state of an episode's annotations; the defaults are those of an episode nobody spoke about.

    revision: the last event, 0 before the first. reason, decided_by: of the verdict in force. instruction: replaces
    the recorded ones; paraphrases come on top. outcome, trim: None where the recorded one holds; trim is (start_ns,
    end_ns) of CLOCK_MONOTONIC. tags are sorted; notes in the order of writing.
    """

    revision: int = 0
    status: Status = "unreviewed"
    reason: str = ""
    decided_by: str | None = None
    instruction: Instruction | None = None
    paraphrases: tuple[Instruction, ...] = ()
    outcome: Outcome | None = None
    trim: tuple[int, int] | None = None
    weight: float = 1.0
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def instructions(self, task: TaskInfo) -> tuple[Instruction, ...]:
        """The ways of saying the task that hold now, the spoken one marked."""
        recorded = task.instructions if self.instruction is None else (self.instruction,)
        known = {instruction.text for instruction in recorded}
        return recorded + tuple(added for added in self.paraphrases if added.text not in known)


def derive(events: Sequence[AnnotationEvent]) -> EpisodeView:
    """The view that the events of one episode, oldest first, add up to."""
    undone = undone_revisions(events)
    state: dict[str, object] = {"revision": events[-1].revision if events else 0}
    paraphrases: list[Instruction] = []
    tags: set[str] = set()
    notes: list[str] = []
    for event in events:
        if event.revision in undone:
            continue
        match event.annotation:
            case Verdict(decision=decision, reason=reason):
                state |= {"status": _STATUS[decision], "reason": reason, "decided_by": event.author}
            case InstructionEdit(action="replace", text=text, language=language):
                state["instruction"] = Instruction(text=text, language=language, spoken=True)
                paraphrases.clear()
            case InstructionEdit(text=text, language=language):
                paraphrases.append(Instruction(text=text, language=language))
            case OutcomeEdit(outcome=outcome):
                state["outcome"] = outcome
            case Trim(start_ns=start_ns, end_ns=end_ns):
                state["trim"] = (start_ns, end_ns)
            case Weight(weight=weight):
                state["weight"] = weight
            case Tag(tag=tag, action="add"):
                tags.add(tag)
            case Tag(tag=tag):
                tags.discard(tag)
            case Note(text=text):
                notes.append(text)
    return EpisodeView.model_validate(
        state | {"paraphrases": tuple(paraphrases), "tags": tuple(sorted(tags)), "notes": tuple(notes)}
    )


def undone_revisions(events: Sequence[AnnotationEvent]) -> set[int]:
    """The revisions that no longer hold. An undo names an earlier event, so newest first each is settled in turn."""
    undone: set[int] = set()
    for event in reversed(events):
        if isinstance(event.annotation, Undo) and event.revision not in undone:
            undone.add(event.annotation.revision)
    return undone


def check_undo(undo: Undo, events: Sequence[AnnotationEvent]) -> None:
    """Raises BadAnnotationError unless `undo` names an event that is in force."""
    if undo.revision not in {event.revision for event in events}:
        raise BadAnnotationError(f"there is no revision {undo.revision} to take back; the last is {len(events)}")
    if undo.revision in undone_revisions(events):
        raise BadAnnotationError(f"revision {undo.revision} has been taken back already")
