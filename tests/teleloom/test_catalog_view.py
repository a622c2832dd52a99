from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teleloom.catalog import (
    Annotation,
    AnnotationEvent,
    BadAnnotationError,
    EpisodeView,
    InstructionEdit,
    Note,
    OutcomeEdit,
    Tag,
    Trim,
    Undo,
    Verdict,
    Weight,
    derive,
    parse,
    summary,
)
from teleloom.catalog.view import check_undo, undone_revisions
from teleloom.episode.meta import Instruction, TaskInfo

ANNOTATIONS: list[Annotation] = [
    Verdict(decision="approve"),
    Verdict(decision="reject", reason="dark"),
    Verdict(decision="reset"),
    InstructionEdit(action="replace", text="stack the cubes"),
    InstructionEdit(action="add", text="empile les cubes", language="fr"),
    OutcomeEdit(outcome="partial"),
    Trim(start_ns=1, end_ns=2_000_000_001),
    Weight(weight=0.5),
    Tag(tag="slip"),
    Tag(tag="slip", action="remove"),
    Note(text="look at 3 s"),
    Undo(revision=2),
]


def events(*annotations: Annotation) -> list[AnnotationEvent]:
    return [
        AnnotationEvent(episode_id="e", revision=i, author=f"author {i}", wall_ns=i, annotation=annotation)
        for i, annotation in enumerate(annotations, start=1)
    ]


def said(*annotations: Annotation) -> EpisodeView:
    return derive(events(*annotations))


def test_without_events_an_episode_is_unreviewed() -> None:
    view = said()
    assert (view.status, view.revision, view.weight, view.decided_by) == ("unreviewed", 0, 1.0, None)


def test_the_last_verdict_holds() -> None:
    view = said(Verdict(decision="approve"), Verdict(decision="reject", reason="dark"))
    assert (view.status, view.reason, view.decided_by, view.revision) == ("rejected", "dark", "author 2", 2)
    assert said(*ANNOTATIONS[:3]).status == "unreviewed"


def test_a_replaced_instruction_ends_all_earlier_ones_and_paraphrases_add_up() -> None:
    recorded = TaskInfo(name="stack", instructions=(Instruction(text="stack", spoken=True), Instruction(text="pile")))
    assert said().instructions(recorded) == recorded.instructions
    added = said(InstructionEdit(action="add", text="pile"), InstructionEdit(action="add", text="heap"))
    assert [i.text for i in added.instructions(recorded)] == ["stack", "pile", "heap"]
    replaced = said(
        InstructionEdit(action="add", text="heap"),
        InstructionEdit(action="replace", text="sort"),
        InstructionEdit(action="add", text="trie", language="fr"),
    )
    assert replaced.instructions(recorded) == (
        Instruction(text="sort", spoken=True),
        Instruction(text="trie", language="fr"),
    )


def test_every_kind_changes_its_own_part_of_the_view() -> None:
    view = said(
        OutcomeEdit(outcome="partial"),
        Trim(start_ns=5, end_ns=9),
        Weight(weight=2),
        Tag(tag="b"),
        Tag(tag="a"),
        Tag(tag="c"),
        Tag(tag="c", action="remove"),
        Note(text="one"),
        Note(text="two"),
    )
    assert (view.outcome, view.trim, view.weight) == ("partial", (5, 9), 2.0)
    assert (view.tags, view.notes) == (("a", "b"), ("one", "two"))


def test_undoing_takes_one_event_back_and_undoing_that_restores_it() -> None:
    approved = [Verdict(decision="approve"), Trim(start_ns=5, end_ns=9)]
    assert said(*approved, Undo(revision=1)).status == "unreviewed"
    assert said(*approved, Undo(revision=1)).trim == (5, 9)
    assert said(*approved, Undo(revision=1), Undo(revision=3)).status == "approved"
    assert said(*approved, Undo(revision=1), Undo(revision=3), Undo(revision=4)).status == "unreviewed"


def test_an_undo_must_name_an_event_that_is_in_force() -> None:
    history = events(Verdict(decision="approve"), Undo(revision=1))
    check_undo(Undo(revision=2), history)
    with pytest.raises(BadAnnotationError, match="revision 1 has been taken back"):
        check_undo(Undo(revision=1), history)
    with pytest.raises(BadAnnotationError, match="no revision 3 to take back; the last is 2"):
        check_undo(Undo(revision=3), history)


@st.composite
def histories(draw: st.DrawFn) -> Sequence[AnnotationEvent]:
    """Histories as the catalog lets them grow: an undo names an event in force."""
    history: list[AnnotationEvent] = []
    for _ in range(draw(st.integers(0, 12))):
        annotation = draw(st.sampled_from(ANNOTATIONS[:-1]))
        in_force = [event.revision for event in history if event.revision not in undone_revisions(history)]
        if in_force and draw(st.booleans()):
            annotation = Undo(revision=draw(st.sampled_from(in_force)))
        history = events(*(event.annotation for event in history), annotation)
    return history


@given(histories())
def test_the_view_is_that_of_the_events_in_force_alone(history: Sequence[AnnotationEvent]) -> None:
    undone = undone_revisions(history)
    in_force = [e for e in history if e.revision not in undone and not isinstance(e.annotation, Undo)]
    assert derive(history).model_copy(update={"revision": 0}) == derive(in_force).model_copy(update={"revision": 0})


@given(histories(), st.data())
def test_undo_then_undo_of_the_undo_changes_nothing(history: Sequence[AnnotationEvent], data: st.DataObject) -> None:
    in_force = sorted({event.revision for event in history} - undone_revisions(history))
    if not in_force:
        return
    undo = Undo(revision=data.draw(st.sampled_from(in_force)))
    again = events(*(event.annotation for event in history), undo, Undo(revision=len(history) + 1))
    assert derive(again).model_copy(update={"revision": len(history)}) == derive(history)


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=lambda a: f"{a.kind}-{summary(a)}")
def test_every_annotation_survives_as_plain_data(annotation: Annotation) -> None:
    assert parse(annotation.model_dump(mode="json")) == annotation
    assert summary(annotation)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"kind": "verdict", "decision": "reject"}, "give a reason"),
        ({"kind": "verdict", "decision": "maybe"}, "decision"),
        ({"kind": "verdict", "decision": "approve", "stars": 5}, "stars"),
        ({"kind": "rating"}, "rating"),
        ({"kind": "trim", "start_ns": 9, "end_ns": 9}, "must lie before the end"),
        ({"kind": "trim", "start_ns": -1, "end_ns": 9}, "start_ns"),
        ({"kind": "trim", "start_ns": 0, "end_ns": 2**63}, "end_ns"),
        ({"kind": "weight", "weight": float("nan")}, "weight"),
        ({"kind": "weight", "weight": -1}, "weight"),
        ({"kind": "tag", "tag": "  "}, "tag"),
        ({"kind": "note", "text": ""}, "text"),
        ({"kind": "note", "text": "x" * 2001}, "text"),
        ({"kind": "instruction", "action": "add", "text": ""}, "text"),
        ({"kind": "undo", "revision": 0}, "revision"),
        ({"decision": "approve"}, "kind"),
        ("approve", "not an annotation"),
        (None, "not an annotation"),
    ],
)
def test_what_is_no_annotation_is_refused_by_name(data: object, fault: str) -> None:
    with pytest.raises(BadAnnotationError, match=fault):
        parse(data)
