"""What holds for an episode now: a pure function of everything that was said about it."""

from __future__ import annotations

from collections.abc import Sequence

from teleloom.catalog.annotations import (
    AnnotationEvent,
    BadAnnotationError,
    Flag,
    InstructionEdit,
    Note,
    OutcomeEdit,
    Overlap,
    Score,
    Segment,
    Segmentation,
    Tag,
    Trim,
    Undo,
    Verdict,
    Weight,
)
from teleloom.catalog.opinions import Opinion, Status, opinions, rule
from teleloom.config import Config
from teleloom.episode.meta import Instruction, Outcome, TaskInfo


class EpisodeView(Config):
    """The derived state of an episode's annotations; the defaults are those of an episode nobody spoke about.

    revision: the last event, 0 before the first. reason, decided_by, decided_wall_ns: of the verdict that decides.
    instruction: replaces the recorded ones; paraphrases come on top. outcome, trim: None where the recorded one holds;
    trim is (start_ns, end_ns) of CLOCK_MONOTONIC. segments and flags in the order of time, tags sorted, notes in the
    order of writing. reviewers_wanted: how many people are to judge it; opinions: how each did, oldest first.
    """

    revision: int = 0
    status: Status = "unreviewed"
    reason: str = ""
    decided_by: str | None = None
    decided_wall_ns: int | None = None
    instruction: Instruction | None = None
    paraphrases: tuple[Instruction, ...] = ()
    outcome: Outcome | None = None
    score: int | None = None
    trim: tuple[int, int] | None = None
    segments: tuple[Segment, ...] = ()
    flags: tuple[Flag, ...] = ()
    weight: float = 1.0
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reviewers_wanted: int = 1
    opinions: tuple[Opinion, ...] = ()

    def instructions(self, task: TaskInfo) -> tuple[Instruction, ...]:
        """The ways of saying the task that hold now, the spoken one marked."""
        recorded = task.instructions if self.instruction is None else (self.instruction,)
        known = {instruction.text for instruction in recorded}
        return recorded + tuple(added for added in self.paraphrases if added.text not in known)


def derive(events: Sequence[AnnotationEvent]) -> EpisodeView:
    """The view that the events of one episode, oldest first, add up to."""
    return _add_up(in_force(events), _newest(events))


def blind_view(events: Sequence[AnnotationEvent], reader: str) -> EpisodeView:
    """The view that the reader's own events add up to, as if nobody else had judged; its revision is the newest."""
    own = [event for event in in_force(events) if event.author == reader or _concerns_all(event)]
    return _add_up(own, _newest(events))


def is_blind(events: Sequence[AnnotationEvent], reader: str) -> bool:
    """Whether the reader must not see what others said: several verdicts are wanted, and theirs is still to come."""
    view = derive(events)
    spoken = reader in {opinion.author for opinion in view.opinions}
    return view.reviewers_wanted > 1 and view.status == "unreviewed" and not spoken


def in_force(events: Sequence[AnnotationEvent]) -> list[AnnotationEvent]:
    """The events that nobody took back, without the undos, oldest first."""
    undone = undone_revisions(events)
    return [event for event in events if event.revision not in undone and not isinstance(event.annotation, Undo)]


def reviewers_wanted(held: Sequence[AnnotationEvent]) -> int:
    """How many people are to judge the episode, by the events in force."""
    asked = [event.annotation.reviewers for event in held if isinstance(event.annotation, Overlap)]
    return asked[-1] if asked else 1


def _newest(events: Sequence[AnnotationEvent]) -> int:
    return events[-1].revision if events else 0


def _concerns_all(event: AnnotationEvent) -> bool:
    match event.annotation:
        case Overlap() | Verdict(decision="reset", final=True):
            return True
    return False


def _add_up(held: Sequence[AnnotationEvent], revision: int) -> EpisodeView:
    state: dict[str, object] = {}
    paraphrases: list[Instruction] = []
    flags: dict[tuple[int, int, str], Flag] = {}
    tags: set[str] = set()
    notes: list[str] = []
    for event in held:
        match event.annotation:
            case InstructionEdit(action="replace", text=text, language=language):
                state["instruction"] = Instruction(text=text, language=language, spoken=True)
                paraphrases.clear()
            case InstructionEdit(text=text, language=language):
                paraphrases.append(Instruction(text=text, language=language))
            case OutcomeEdit(outcome=outcome):
                state["outcome"] = outcome
            case Score(score=score):
                state["score"] = score
            case Trim(start_ns=start_ns, end_ns=end_ns):
                state["trim"] = (start_ns, end_ns)
            case Segmentation(segments=segments):
                state["segments"] = segments
            case Flag(action="add") as flag:
                flags[_place(flag)] = flag
            case Flag() as flag:
                flags.pop(_place(flag), None)
            case Weight(weight=weight):
                state["weight"] = weight
            case Tag(tag=tag, action="add"):
                tags.add(tag)
            case Tag(tag=tag):
                tags.discard(tag)
            case Note(text=text):
                notes.append(text)
    collected = {
        "revision": revision,
        "paraphrases": tuple(paraphrases),
        "flags": tuple(flags[place] for place in sorted(flags)),
        "tags": tuple(sorted(tags)),
        "notes": tuple(notes),
    }
    return EpisodeView.model_validate(state | collected | _judged(held))


def _judged(held: Sequence[AnnotationEvent]) -> dict[str, object]:
    wanted = reviewers_wanted(held)
    ruling = rule(held, wanted)
    judged: dict[str, object] = {
        "status": ruling.status,
        "reviewers_wanted": wanted,
        "opinions": opinions(held, ruling),
    }
    if ruling.decider is not None and isinstance(ruling.decider.annotation, Verdict):
        judged |= {"reason": ruling.decider.annotation.reason}
        judged |= {"decided_by": ruling.decider.author, "decided_wall_ns": ruling.decider.wall_ns}
    return judged


def _place(flag: Flag) -> tuple[int, int, str]:
    return flag.start_ns, flag.end_ns, flag.label


def undone_revisions(events: Sequence[AnnotationEvent]) -> set[int]:
    """The revisions that no longer hold."""
    return set(undoers(events))


def undoers(events: Sequence[AnnotationEvent]) -> dict[int, AnnotationEvent]:
    """For each revision that no longer holds, the event that took it back.

    An undo names an earlier event, so newest first each is settled in turn.
    """
    undone: dict[int, AnnotationEvent] = {}
    for event in reversed(events):
        if isinstance(event.annotation, Undo) and event.revision not in undone:
            undone[event.annotation.revision] = event
    return undone


def check_undo(undo: Undo, events: Sequence[AnnotationEvent]) -> None:
    """Raises BadAnnotationError unless `undo` names an event that is in force."""
    if undo.revision not in {event.revision for event in events}:
        raise BadAnnotationError(f"there is no revision {undo.revision} to take back; the last is {len(events)}")
    if undo.revision in undone_revisions(events):
        raise BadAnnotationError(f"revision {undo.revision} has been taken back already")
