"""Several people judge one episode, none knowing the others' word; where they differ a lead settles it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_rooms import ANNA, APPROVE, BEN, CARA, LEA, REJECT, START_NS, Room, open_room, said_as

from review_ui.service import Reviewer, StaleError
from review_ui.service.history import HIDDEN
from teleloom.catalog import BadAnnotationError, EpisodeFilter
from teleloom.files import dumps_json

OVERLAP = {"kind": "overlap", "reviewers": 2}
SECRET = "quetzal"
WORDS: list[dict[str, Any]] = [
    {"kind": "verdict", "decision": "approve", "reason": f"{SECRET} fine", "spent_s": 77.125},
    {"kind": "verdict", "decision": "reject", "reason": f"{SECRET} slipped"},
    {"kind": "instruction", "action": "replace", "text": f"{SECRET} on top", "language": "qu"},
    {"kind": "instruction", "action": "add", "text": f"one more {SECRET}", "language": "qu"},
    {"kind": "outcome", "outcome": "failure"},
    {"kind": "trim", "start_ns": START_NS + 123_456, "end_ns": START_NS + 234_567},
    {"kind": "score", "score": 1},
    {"kind": "weight", "weight": 17.625},
    {"kind": "tag", "tag": SECRET},
    {"kind": "note", "text": f"see the {SECRET}"},
    {"kind": "segments", "segments": [{"start_ns": START_NS + 345_678, "end_ns": START_NS + 456_789, "label": SECRET}]},
    {"kind": "flag", "label": SECRET, "start_ns": START_NS + 567_891, "end_ns": START_NS + 678_912, "note": SECRET},
    {"kind": "undo", "revision": 2},
]
TELLTALES = (
    SECRET,
    "77.125",
    "17.625",
    "failure",
    "reject",
    "approv",
    "123456",
    "234567",
    "345678",
    "567891",
    "taken back",
)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with open_room(tmp_path) as room:
        yield room


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), own=st.booleans())
def test_nothing_of_anothers_opinion_is_in_what_a_blind_reviewer_gets(
    room: Room, words: list[dict[str, Any]], own: bool
) -> None:
    number = 1 + len(room.catalog.episodes())
    (episode,) = room.add(number)
    room.say(LEA, episode, OVERLAP)
    if own:
        room.say(CARA, episode, {"kind": "score", "score": 4})
    untouched = room.service.open(CARA, episode)
    for word in words:
        try:
            room.say(BEN, episode, word)
        except (BadAnnotationError, PermissionError, RuntimeError):
            continue
    seen = room.service.claim(CARA, episode)
    assert seen.blind
    document = dumps_json(
        [seen.model_dump(exclude={"row": {"id", "path"}}), seen.row.model_dump(exclude={"id", "path"})]
    )
    assert [word for word in TELLTALES if word in document] == []
    assert seen.view.model_dump(exclude={"revision"}) == untouched.view.model_dump(exclude={"revision"})
    assert seen.row.model_dump(exclude={"revision"}) == untouched.row.model_dump(exclude={"revision"})
    assert {line.what for line in seen.history if line.author == "ben"} <= {HIDDEN}
    listed = room.service.search(CARA, EpisodeFilter(text=episode)).rows[0]
    assert listed.model_dump(exclude={"revision"}) == untouched.row.model_dump(exclude={"revision"})


def test_a_stale_write_of_a_blind_reviewer_is_told_who_spoke_but_not_what(room: Room) -> None:
    (episode,) = room.add(1)
    room.say(LEA, episode, OVERLAP)
    room.say(ANNA, episode, REJECT)
    with pytest.raises(StaleError) as refused:
        room.service.commit(BEN, episode, said_as(APPROVE), 1)
    assert "'anna' said something" in str(refused.value)
    assert "rejected" not in str(refused.value)
    assert "cube fell" not in str(refused.value)
    assert [(line.author, line.what) for line in refused.value.changed] == [("anna", HIDDEN)]
    seen = room.service.commit(BEN, episode, said_as(APPROVE), refused.value.revision)
    assert (seen.blind, seen.view.status) == (False, "disputed")
    assert [line.what for line in seen.history][1] == "rejected it ('cube fell')"


def test_two_are_given_an_episode_that_two_shall_judge_and_a_third_is_not(room: Room) -> None:
    (episode,) = room.add(1)
    room.say(LEA, episode, OVERLAP)
    assert room.service.next(ANNA).row.id == room.service.next(BEN).row.id == episode
    assert room.service.next(CARA) is None
    seen = room.say(ANNA, episode, APPROVE)
    assert (seen.view.status, seen.blind, seen.row.opinions) == ("unreviewed", False, 1)
    assert room.service.next(CARA) is None
    assert room.service.next(ANNA) is None
    assert room.say(BEN, episode, APPROVE).view.status == "approved"


def test_the_same_episodes_are_chosen_for_overlap_at_any_time_and_more_hold_fewer(room: Room) -> None:
    ids = room.add(*range(40))
    assert room.service.plan_overlap(LEA, 0.0) == ()
    few = room.service.plan_overlap(LEA, 0.2)
    assert 2 <= len(few) <= 16
    assert room.service.plan_overlap(LEA, 0.2) == ()
    more = room.service.plan_overlap(LEA, 0.5, reviewers=3)
    assert not set(few) & set(more)
    assert room.catalog.search(EpisodeFilter(overlap=True), limit=100).total == len(few) + len(more)
    assert {row.reviewers_wanted for row in room.catalog.episodes() if row.id in few} == {2}
    assert sorted({*few, *more, *room.service.plan_overlap(LEA, 1.0)}) == sorted(ids)
    with pytest.raises(BadAnnotationError, match="a share of 7 cannot be"):
        room.service.plan_overlap(LEA, 7)


def test_what_somebody_spoke_about_or_works_on_is_left_out_of_the_overlap(room: Room) -> None:
    spoken, at_work, free = room.add(1, 2, 3)
    room.say(ANNA, spoken, {"kind": "note", "text": "look"})
    room.service.claim(ANNA, at_work)
    assert room.service.plan_overlap(LEA, 1.0) == (free,)


def disputed(room: Room, number: int) -> str:
    (episode,) = room.add(number)
    room.say(LEA, episode, OVERLAP)
    trim = {"kind": "trim", "start_ns": START_NS, "end_ns": START_NS + 2 * 10**8}
    part = {"start_ns": START_NS, "end_ns": START_NS + 10**8, "label": "reach"}
    room.say(ANNA, episode, trim, {"kind": "score", "score": 5}, {"kind": "segments", "segments": [part]}, APPROVE)
    room.say(BEN, episode, {"kind": "score", "score": 2}, REJECT)
    return episode


def test_a_lead_settles_a_dispute_and_one_reviewers_trim_segments_and_score_hold(room: Room) -> None:
    episode = disputed(room, 1)
    (dispute,) = room.service.disputes()
    assert dispute.row.id == episode
    assert [(each.author, each.decision, each.score) for each in dispute.opinions] == [
        ("anna", "approve", 5),
        ("ben", "reject", 2),
    ]
    assert dispute.trims == {"anna": (START_NS, START_NS + 2 * 10**8), "ben": None}
    seen = dispute.view.revision
    with pytest.raises(BadAnnotationError, match="'cara' has no verdict in force to adopt; those who have: 'anna',"):
        room.service.adjudicate(LEA, episode, "approve", "", seen, adopt="cara")
    with pytest.raises(BadAnnotationError, match="give a reason"):
        room.service.adjudicate(LEA, episode, "reject", "", seen)
    for _ in range(2):
        settled = room.service.adjudicate(LEA, episode, "approve", "held", seen, adopt="anna", operation="a1")
    view = settled.view
    assert (view.status, view.decided_by, view.reason, view.score) == ("approved", "lea", "held", 5)
    assert view.trim == (START_NS, START_NS + 2 * 10**8)
    assert [segment.label for segment in view.segments] == ["reach"]
    assert room.service.disputes() == []


def test_what_the_adopted_reviewer_did_not_do_does_not_hold(room: Room) -> None:
    episode = disputed(room, 1)
    seen = room.service.open(LEA, episode)
    assert not seen.blind
    view = room.service.adjudicate(LEA, episode, "reject", "cube fell", seen.view.revision, adopt="ben").view
    assert (view.status, view.score, view.trim, view.segments) == ("rejected", 2, None, ())


def test_a_lead_who_judges_as_one_of_several_is_as_blind_as_anybody(room: Room) -> None:
    (episode,) = room.add(1)
    room.say(LEA, episode, OVERLAP)
    room.say(ANNA, episode, APPROVE)
    assert room.service.open(LEA, episode).blind
    assert not room.service.open(ANNA, episode).blind
    room.say(Reviewer("zoe", "lead"), episode, REJECT)
    assert not room.service.open(LEA, episode).blind
