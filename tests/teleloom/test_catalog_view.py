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
    Flag,
    InstructionEdit,
    Note,
    OutcomeEdit,
    Overlap,
    Score,
    Segment,
    Segmentation,
    Status,
    Tag,
    Trim,
    Undo,
    Verdict,
    Weight,
    blind_view,
    derive,
    is_blind,
    parse,
    summary,
)
from teleloom.catalog.view import check_undo, in_force, undone_revisions
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
    Verdict(decision="approve", final=True, spent_s=12.5),
    Verdict(decision="reset", final=True),
    Score(score=4),
    Segmentation(
        segments=(Segment(start_ns=0, end_ns=5, label="reach"), Segment(start_ns=5, end_ns=9, outcome="failure"))
    ),
    Segmentation(segments=()),
    Flag(label="mistake", start_ns=3, end_ns=3),
    Flag(label="mistake", start_ns=3, end_ns=3, action="remove"),
    Overlap(reviewers=2),
    Overlap(reviewers=1),
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


def by(*said: tuple[str, Annotation]) -> list[AnnotationEvent]:
    return [
        AnnotationEvent(episode_id="e", revision=i, author=author, wall_ns=i, annotation=annotation)
        for i, (author, annotation) in enumerate(said, start=1)
    ]


APPROVE, REJECT = ANNOTATIONS[:2]
TWO = ("lead", Overlap(reviewers=2))


def test_two_who_agree_decide_and_two_who_do_not_dispute() -> None:
    assert derive(by(TWO, ("ben", APPROVE))).status == "unreviewed"
    assert derive(by(TWO, ("ben", APPROVE), ("ben", REJECT))).status == "unreviewed"
    agreed = derive(by(TWO, ("ben", APPROVE), ("eva", APPROVE)))
    assert (agreed.status, agreed.decided_by, agreed.decided_wall_ns) == ("approved", "eva", 3)
    disputed = derive(by(TWO, ("ben", APPROVE), ("eva", REJECT)))
    assert (disputed.status, disputed.decided_by, disputed.reason) == ("disputed", None, "")
    assert [(opinion.author, opinion.decision, opinion.reason) for opinion in disputed.opinions] == [
        ("ben", "approve", ""),
        ("eva", "reject", "dark"),
    ]


def test_a_final_verdict_settles_it_until_a_final_reset() -> None:
    final = ("lead", Verdict(decision="reject", reason="collision", final=True))
    disputed = [TWO, ("ben", APPROVE), ("eva", REJECT)]
    for later in ([], [("ben", APPROVE)], [("otto", APPROVE), ("eva", Verdict(decision="reset"))]):
        view = derive(by(*disputed, final, *later))
        assert (view.status, view.decided_by, view.reason) == ("rejected", "lead", "collision")
    assert derive(by(("ben", APPROVE), final, ("ben", APPROVE))).status == "rejected"
    again = derive(by(*disputed, final, ("lead", Verdict(decision="reset", final=True)), ("eva", APPROVE)))
    assert (again.status, [opinion.author for opinion in again.opinions]) == ("unreviewed", ["eva"])


def test_a_reset_takes_ones_own_verdict_back_where_several_are_wanted_and_all_otherwise() -> None:
    reset = Verdict(decision="reset")
    both = [("ben", APPROVE), ("eva", APPROVE)]
    assert [o.author for o in derive(by(TWO, *both, ("eva", reset))).opinions] == ["ben"]
    assert derive(by(TWO, *both, ("eva", reset))).status == "unreviewed"
    alone = derive(by(*both, ("eva", reset)))
    assert (alone.status, alone.opinions, alone.decided_by) == ("unreviewed", (), "eva")


def test_an_opinion_holds_what_its_own_author_said() -> None:
    parts = Segmentation(segments=(Segment(start_ns=0, end_ns=5, label="reach"),))
    ben = [("ben", Score(score=2)), ("ben", parts), ("ben", OutcomeEdit(outcome="partial")), ("ben", APPROVE)]
    eva = [("eva", Score(score=5)), ("eva", Trim(start_ns=1, end_ns=4)), ("eva", APPROVE)]
    view = derive(by(TWO, *ben, *eva))
    first, second = view.opinions
    assert (first.score, first.segments, first.outcome, first.trim) == (2, parts.segments, "partial", None)
    assert (second.score, second.segments, second.outcome, second.trim) == (5, (), None, (1, 4))
    assert (view.score, view.segments, view.outcome) == (5, parts.segments, "partial")


def test_whoever_is_still_to_judge_sees_nothing_of_the_others() -> None:
    history = by(TWO, ("ben", Score(score=2)), ("ben", Note(text="slips")), ("ben", REJECT), ("eva", Tag(tag="blur")))
    assert is_blind(history, "eva")
    assert not is_blind(history, "ben")
    view = blind_view(history, "eva")
    assert view == EpisodeView(revision=5, reviewers_wanted=2, tags=("blur",))
    assert not is_blind(by(("ben", REJECT)), "eva")
    assert not is_blind(by(*((e.author, e.annotation) for e in history), ("eva", APPROVE)), "otto")
    settled = by(TWO, ("ben", REJECT), ("lead", Verdict(decision="approve", final=True)))
    assert not is_blind(settled, "eva")


def test_what_somebody_else_took_back_is_gone_from_the_blind_view_too() -> None:
    history = by(TWO, ("eva", Tag(tag="blur")), ("lead", Undo(revision=2)))
    assert blind_view(history, "eva").tags == ()


def test_a_flag_is_removed_by_naming_it_exactly() -> None:
    mistake = Flag(label="mistake", start_ns=5, end_ns=9, note="drops it")
    early = Flag(label="mistake", start_ns=1, end_ns=1)
    near = Flag(label="mistake", start_ns=5, end_ns=8, action="remove")
    assert said(mistake, early, near).flags == (early, mistake)
    assert said(mistake, early, mistake.model_copy(update={"action": "remove", "note": ""})).flags == (early,)
    assert said(mistake, mistake.model_copy(update={"note": "twice"})).flags[0].note == "twice"


def expected_status(history: Sequence[AnnotationEvent]) -> Status:
    """The rule of the view, said again from its end: what was given since the last reset that ended it."""
    held = in_force(history)
    wanted = next((e.annotation.reviewers for e in reversed(held) if isinstance(e.annotation, Overlap)), 1)
    given = [(event.author, event.annotation) for event in held if isinstance(event.annotation, Verdict)]
    resets = [i for i, (_, v) in enumerate(given) if v.decision == "reset"]
    final_reset = max((i for i in resets if given[i][1].final), default=-1)
    any_reset = max((i for i in resets if given[i][1].final or wanted == 1), default=-1)
    statuses: dict[str, Status] = {"approve": "approved", "reject": "rejected", "reset": "unreviewed"}
    finals = [v for _, v in given[final_reset + 1 :] if v.final and v.decision != "reset"]
    if finals:
        return statuses[finals[-1].decision]
    newest = {author: verdict.decision for author, verdict in given[any_reset + 1 :]}
    decisions = [decision for decision in newest.values() if decision != "reset"]
    if wanted == 1:
        return statuses[given[-1][1].decision] if given else "unreviewed"
    if len(decisions) < wanted:
        return "unreviewed"
    return statuses[decisions[0]] if len(set(decisions)) == 1 else "disputed"


@st.composite
def histories(draw: st.DrawFn) -> Sequence[AnnotationEvent]:
    """Histories as the catalog lets them grow: an undo names an event in force."""
    history: list[AnnotationEvent] = []
    for _ in range(draw(st.integers(0, 12))):
        annotation = draw(st.sampled_from(ANNOTATIONS[:-1]))
        in_force = [event.revision for event in history if event.revision not in undone_revisions(history)]
        if in_force and draw(st.booleans()):
            annotation = Undo(revision=draw(st.sampled_from(in_force)))
        author = draw(st.sampled_from(["ben", "eva", "lead"]))
        history = by(*((event.author, event.annotation) for event in history), (author, annotation))
    return history


@given(histories())
def test_the_status_is_what_the_verdicts_in_force_come_to(history: Sequence[AnnotationEvent]) -> None:
    assert derive(history).status == expected_status(history)


@given(histories(), st.sampled_from(["ben", "eva", "otto"]))
def test_the_blind_view_is_the_view_had_only_the_reader_spoken(history: Sequence[AnnotationEvent], reader: str) -> None:
    own = [
        event
        for event in in_force(history)
        if event.author == reader
        or isinstance(event.annotation, Overlap)
        or event.annotation == Verdict(decision="reset", final=True)
    ]
    assert blind_view(history, reader) == derive(own).model_copy(update={"revision": derive(history).revision})


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
    undone = [("ben", undo), ("ben", Undo(revision=len(history) + 1))]
    again = by(*((event.author, event.annotation) for event in history), *undone)
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
        ({"kind": "score", "score": 6}, "score"),
        ({"kind": "overlap", "reviewers": 0}, "reviewers"),
        ({"kind": "verdict", "decision": "approve", "spent_s": -1}, "spent_s"),
        ({"kind": "verdict", "decision": "approve", "spent_s": float("inf")}, "spent_s"),
        ({"kind": "flag", "label": "mistake", "start_ns": 9, "end_ns": 8}, "must not lie after the end"),
        ({"kind": "segments", "segments": [{"start_ns": 5, "end_ns": 5}]}, "must lie before the end"),
        (
            {"kind": "segments", "segments": [{"start_ns": 1, "end_ns": 5}, {"start_ns": 4, "end_ns": 6}]},
            "do not overlap: one ends at 5, the next begins at 4",
        ),
        ({"decision": "approve"}, "kind"),
        ("approve", "not an annotation"),
        (None, "not an annotation"),
    ],
)
def test_what_is_no_annotation_is_refused_by_name(data: object, fault: str) -> None:
    with pytest.raises(BadAnnotationError, match=fault):
        parse(data)
